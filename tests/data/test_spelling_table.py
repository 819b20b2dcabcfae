"""The table of all spelled words gives the same as computing the character ids of some of them."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from elmo_tf.data import spelling_table
from elmo_tf.data.characters import encode_words
from elmo_tf.data.spelling_table import SpellingTable
from elmo_tf.data.vocabulary import Vocabulary

VOCABULARY = Vocabulary(("a", "<S>", "</S>", "<UNK>", "long" * 20, "blåbær", "\ud800b"))
OTHERS = ["zebra", "日本語", "x" * 70, "a\0", "ø"]


@settings(max_examples=100, deadline=None)
@given(
    numbers=st.lists(st.integers(0, len(VOCABULARY) + len(OTHERS) - 1), min_size=1, max_size=9),
    limit=st.sampled_from([3, 10, 50]),
    width=st.integers(3, 60),
    frequent=st.sampled_from([1, 4, 9, 1000]),
)
def test_rows_and_lengths_are_those_of_the_words(numbers, limit, width, frequent):
    before, spelling_table._FREQUENT = spelling_table._FREQUENT, frequent
    table = SpellingTable(VOCABULARY, [word.encode() for word in OTHERS], limit)
    spelling_table._FREQUENT = before
    words = [[*VOCABULARY.words, *OTHERS][number] for number in numbers]
    rows = table.rows(np.array(numbers, np.int32), width)
    assert rows.dtype == np.int32
    np.testing.assert_array_equal(rows, encode_words(words, limit)[:, :width])
    assert table.longest(np.array(numbers)) == max(len(word.encode("utf-8", "ignore")) for word in words) + 2
