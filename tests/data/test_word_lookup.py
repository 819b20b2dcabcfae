"""Words that are looked up together have the numbers that they have one by one."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from elmo_tf.data import word_lookup
from elmo_tf.data.sentences import WordNumbers
from elmo_tf.data.vocabulary import Vocabulary
from elmo_tf.data.word_lookup import WIDE_SPACES, WordLookup

LONG = "sixteen-bytes--!"
WORDS = (
    "a",
    "<UNK>",
    "</S>",
    "<S>",
    "ab",
    "a\0",
    "\0",
    LONG,
    LONG + "x",
    LONG + "y" * 9,
    "blåbær",
    "日本語",
    "\x01",
    "b" * 8,
)
VOCABULARY = Vocabulary(WORDS)


def check(lookup, numbers, text):
    """Compares the numbers and lengths of a text with those of its lines' words one by one."""
    came, lengths = lookup.words(text.encode(), text)
    sentences = [line.split() for line in text.split("\n") if line.split()]
    assert lengths.tolist() == [len(words) for words in sentences]
    assert came.tolist() == [numbers[word] for words in sentences for word in words]
    assert (came.dtype, lengths.dtype) == (np.int32, np.int32)
    assert [other.decode() for other in lookup.others] == numbers.others


PIECES = st.one_of(
    st.sampled_from(WORDS),
    st.sampled_from([" ", "\n", "\n\n", "\t", "\r\n", "\x0b", "\x1c", "\x1f", *WIDE_SPACES]),
    st.text(st.characters(codec="utf-8"), max_size=20),
    st.text("ab\0", max_size=18),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.lists(PIECES, max_size=12).map("".join), min_size=1, max_size=4), st.sampled_from([1, 9, 1 << 18]))
def test_words_and_sentences_are_those_of_splitting_lines(texts, part_bytes):
    lookup, numbers = WordLookup(VOCABULARY), WordNumbers(VOCABULARY, by_characters=True)
    before, word_lookup._PART_BYTES = word_lookup._PART_BYTES, part_bytes
    for text in texts:
        check(lookup, numbers, text)
    word_lookup._PART_BYTES = before


def test_the_white_space_outside_ascii_is_that_of_python():
    assert sorted(WIDE_SPACES) == [character for character in map(chr, range(128, 0x110000)) if character.isspace()]


def test_words_whose_hashes_are_the_same_are_told_apart(monkeypatch):
    monkeypatch.setattr(word_lookup, "_FACTORS", np.array([1 << 60, 1], np.uint64))
    words = [f"w{number}" for number in range(50)]
    lookup = WordLookup(Vocabulary(("<S>", "</S>", "<UNK>", *words)))
    slots = lookup._slots(np.arange(50, dtype=np.uint64) << np.uint64(8), np.zeros(50, np.uint64))
    assert len(set(slots.tolist())) == 1
    numbers = WordNumbers(Vocabulary(("<S>", "</S>", "<UNK>", *words)), by_characters=True)
    check(lookup, numbers, " ".join([*words[::-1], "w50", "w7", "w51"]))


def test_a_real_text_has_the_same_numbers(shared):
    path = shared / "data" / "multilingual" / "russian_taiga.dev.txt"
    text = path.read_text()
    vocabulary = Vocabulary(tuple(dict.fromkeys(["<S>", "</S>", "<UNK>", *text.split()[:5000]])))
    check(WordLookup(vocabulary), WordNumbers(vocabulary, by_characters=True), text)
