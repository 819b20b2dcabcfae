"""The table of spelled words gives the same as computing their character ids again."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from elmo_tf.data.characters import encode_words
from elmo_tf.data.sentences import WordNumbers
from elmo_tf.data.vocabulary import Vocabulary
from elmo_tf.data.windows import SpelledWords

VOCABULARY = Vocabulary(("a", "<S>", "</S>", "<UNK>", "long" * 20))
WORDS = st.one_of(st.sampled_from(VOCABULARY.words), st.text(st.characters(codec="utf-8"), min_size=1, max_size=20))


@settings(max_examples=100, deadline=None)
@given(
    batches=st.lists(st.tuples(st.lists(WORDS, min_size=1, max_size=8), st.booleans()), min_size=1, max_size=6),
    limit=st.sampled_from([3, 10, 50]),
    width=st.integers(3, 50),
)
def test_rows_and_lengths_are_those_of_the_words_whatever_was_met_or_forgotten_before(batches, limit, width):
    numbers = WordNumbers(VOCABULARY, by_characters=True)
    spelled = SpelledWords(numbers, limit)
    for words, forget in batches:
        if forget:
            numbers.forget()
        ids = np.array([numbers[word] for word in words])
        rows = spelled.rows(ids, width)
        assert rows.dtype == np.int32
        np.testing.assert_array_equal(rows, encode_words(words, limit)[:, :width])
        assert spelled.longest(ids) == max(len(word.encode()) for word in words) + 2


def test_a_forgotten_words_number_is_spelled_as_the_word_that_has_it_now():
    numbers = WordNumbers(VOCABULARY, by_characters=True)
    spelled = SpelledWords(numbers, 10)
    first = numbers["zebra"]
    assert spelled.longest(np.array([first])) == 7
    numbers.forget()
    assert numbers["ox"] == first
    assert spelled.longest(np.array([first])) == 4
    np.testing.assert_array_equal(spelled.rows(np.array([first]), 10), encode_words(["ox"], 10))


def test_the_table_grows_with_the_words_outside_the_vocabulary():
    numbers = WordNumbers(VOCABULARY, by_characters=True)
    spelled = SpelledWords(numbers, 12)
    words = [f"word{number}" for number in range(1000)]
    ids = np.array([numbers[word] for word in words])
    for part in np.split(ids, 10):
        spelled.rows(part, 12)
    np.testing.assert_array_equal(spelled.rows(ids, 12), encode_words(words, 12))
