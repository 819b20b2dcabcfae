"""The character ids of all words of a text as one table, from which those of a window are gathered at once."""

from collections.abc import Iterable

import numpy as np

from elmo_tf.data.characters import BEGIN_WORD, END_WORD, PADDING, SPECIAL_IDS, byte_limit
from elmo_tf.data.vocabulary import Vocabulary

_FREQUENT = 1 << 18
"""The number of words whose padded rows are kept."""


class SpellingTable:
    """The character ids of the words of a vocabulary and of others, as `encode_words` gives them.

    The rows stand end to end without padding, so that the table takes two bytes a letter: some 30 MB for a million
    words. Those of the frequent words, which stand first in a vocabulary, are kept with padding too, from where they
    are copied four times as fast; at most 26 MB with 50 characters a word.

    Args:
        vocabulary: the vocabulary, whose words have the numbers below V.
        others: the words that have the numbers from V on, in UTF-8.
        max_characters: the number of ids that a word is cut to.

    Example:

    >>> table = SpellingTable(Vocabulary(["<S>", "</S>", "<UNK>", "cat"]), [b"zebra"], max_characters=50)
    >>> table.longest(np.array([0, 3])), table.rows(np.array([3, 4]), 6).tolist()
    (5, [[258, 99, 97, 116, 259, 260], [258, 122, 101, 98, 114, 97]])
    """

    def __init__(self, vocabulary: Vocabulary, others: Iterable[bytes], max_characters: int) -> None:
        limit = byte_limit(max_characters)
        words = [*(word.encode("utf-8", "ignore") for word in vocabulary.words), *others]
        self._longest = np.fromiter(map(len, words), np.int32, len(words)) + 2
        kept = [b" " if word in SPECIAL_IDS else word[:limit] for word in words]
        lengths = np.fromiter(map(len, kept), np.int64, len(kept))
        # each word is followed by END_WORD and, for `rows` to read as often as it likes, by PADDING
        sizes = lengths + 3
        self._starts = np.cumsum(sizes) - sizes
        self._last = self._starts + lengths + 2
        self._ids = np.empty(int(sizes.sum()), np.int16)
        self._ids[self._starts], self._ids[self._last - 1], self._ids[self._last] = BEGIN_WORD, END_WORD, PADDING
        letters = np.ones(len(self._ids), bool)
        letters[self._starts] = letters[self._last - 1] = letters[self._last] = False
        self._ids[letters] = np.frombuffer(b"".join(kept), np.uint8)
        for number in [number for number, word in enumerate(words) if word in SPECIAL_IDS]:
            self._ids[self._starts[number] + 1] = SPECIAL_IDS[words[number]]
        self._max_characters = max_characters
        self._frequent = self._gather(np.arange(min(len(words), _FREQUENT)), max_characters)

    def longest(self, numbers: np.ndarray) -> int:
        """The ids that the longest of some words would take uncut: its bytes, and two for begin and end of word."""
        return int(np.max(self._longest.take(numbers)))

    def rows(self, numbers: np.ndarray, width: int) -> np.ndarray:
        """The first `width` character ids of words, int32 `(U, width)`; at most `max_characters` of them."""
        rows = self._frequent.take(numbers, 0, mode="clip")[:, :width].astype(np.int32)
        rare = np.flatnonzero(numbers >= len(self._frequent))
        if len(rare):
            rows[rare] = self._gather(numbers[rare], rows.shape[1])
        return rows

    def _gather(self, numbers: np.ndarray, width: int) -> np.ndarray:
        """The first `width` ids of words, int16."""
        places = self._starts.take(numbers)[:, None] + np.arange(width)
        np.minimum(places, self._last.take(numbers)[:, None], out=places)
        return self._ids.take(places)
