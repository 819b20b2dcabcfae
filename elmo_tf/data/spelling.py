"""The characters of words by the words' numbers: each word is spelled out once, when it is first met."""

import numpy as np

from elmo_tf.data.characters import encode_words
from elmo_tf.data.sentences import WordNumbers


class SpelledWords:
    """A table of character rows, filled as words are met; a window's rows are then one gather.

    The table takes two bytes a character of a word that was met, at most 100 MB for a million words of 50.

    Args:
        numbers: of the words.
        max_characters: the length that words are cut to.

    Example:

    >>> from elmo_tf.data.vocabulary import Vocabulary
    >>> numbers = WordNumbers(Vocabulary(["<S>", "</S>", "<UNK>", "cat"]), by_characters=True)
    >>> spelled = SpelledWords(numbers, max_characters=50)
    >>> spelled.longest(np.array([0, 3])), spelled.rows(np.array([3, numbers["zebra"]]), 6).tolist()
    (5, [[258, 99, 97, 116, 259, 260], [258, 122, 101, 98, 114, 97]])
    """

    def __init__(self, numbers: WordNumbers, max_characters: int) -> None:
        self._numbers, self._forgotten = numbers, numbers.times_forgotten
        size = len(numbers.vocabulary)
        # zeros: the system gives memory only to the pages that are written to
        self._rows = np.zeros((size, max_characters), np.int16)
        self._lengths = np.zeros(size, np.int32)  # 0 where the word has not been met

    def longest(self, numbers: np.ndarray) -> int:
        """Bytes of the longest of some words, uncut, and two for begin and end of word."""
        self._meet(numbers)
        return int(self._lengths[numbers].max())

    def rows(self, numbers: np.ndarray, width: int) -> np.ndarray:
        """The first `width` character ids of words, int32 `(U, width)`; at most `max_characters` of them."""
        self._meet(numbers)
        return self._rows[numbers, :width].astype(np.int32)

    def _meet(self, numbers: np.ndarray) -> None:
        if self._forgotten != self._numbers.times_forgotten:
            self._lengths[len(self._numbers.vocabulary) :] = 0  # their numbers are other words' now
            self._forgotten = self._numbers.times_forgotten
        self._grow(int(numbers.max()) + 1)
        new = np.unique(numbers[self._lengths[numbers] == 0])
        if not len(new):
            return
        words = [self._numbers.word(number) for number in new.tolist()]
        self._rows[new] = encode_words(words, self._rows.shape[1])
        self._lengths[new] = [len(word.encode("utf-8", "ignore")) + 2 for word in words]

    def _grow(self, size: int) -> None:
        there = len(self._lengths)
        if size <= there:
            return
        # never by doubling a large vocabulary: what grows are the words outside of it
        more = max(size - there, min(there, 1 << 16))
        self._rows = np.concatenate([self._rows, np.zeros((more, self._rows.shape[1]), np.int16)])
        self._lengths = np.concatenate([self._lengths, np.zeros(more, np.int32)])
