"""A window of packed text in both directions, as the model takes it: its distinct words and their places."""

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

import numpy as np

from elmo_tf.data.characters import encode_words
from elmo_tf.data.distinct import unique_in_order
from elmo_tf.data.sentences import WordNumbers
from elmo_tf.data.vocabulary import Vocabulary
from elmo_tf.options import Options, characters_that_count

_WORDS_BUCKET, _CHARACTERS_BUCKET = 256, 8


class Window(NamedTuple):
    """A window of text: the tokens that one replica computes at one time.

    Args:
        words: the distinct words in the order in which they appear: int32 character ids `(U, C)`, or word ids `(U,)`
            with word input.
        inputs: for every token, the position of its word in `words`, int32 `(directions, B, T)`.
        targets: the id of the next word, int32 `(directions, B, T)`.
        begins: whether the row's first token begins a sentence, booleans `(directions, B)`.
    """

    words: np.ndarray
    inputs: np.ndarray
    targets: np.ndarray
    begins: np.ndarray


class WindowMaker:
    """Makes windows from packed rows of word numbers.

    Args:
        numbers: the numbers of the words in the rows.
        options: the model's.
        buckets: whether to round shapes up, because XLA compiles anew for every shape: the last word is repeated up to
            a multiple of 256 words, and words are padded to a multiple of 8 characters.
    """

    def __init__(self, numbers: WordNumbers, options: Options, buckets: bool = False) -> None:
        limit = options.char_cnn.max_characters_per_token if options.char_cnn is not None else 0
        self._vocabulary = numbers.vocabulary
        self._assemble = WindowAssembly(
            numbers.vocabulary, options, SpelledWords(numbers, limit) if limit else None, unique_in_order, buckets
        )

    def __call__(self, inputs: Sequence[np.ndarray], targets: Sequence[np.ndarray]) -> Window:
        """Makes a window.

        Args:
            inputs: of each direction the word numbers that are read, `(B, T)`.
            targets: of each direction the word numbers that follow, `(B, T)`.
        """
        known = known_words(np.stack(targets), self._vocabulary)
        return self._assemble(np.stack(inputs), known)


def known_words(numbers: np.ndarray, vocabulary: Vocabulary) -> np.ndarray:
    """The ids of words by their numbers: that of `<UNK>` for the words outside the vocabulary, int32."""
    return np.where(numbers < len(vocabulary), numbers, np.int32(vocabulary.unknown)).astype(np.int32, copy=False)


class Spelling(Protocol):
    """The character ids of words by their numbers."""

    def longest(self, numbers: np.ndarray) -> int:
        """The ids that the longest of some words would take uncut: its bytes, and two for begin and end of word."""

    def rows(self, numbers: np.ndarray, width: int) -> np.ndarray:
        """The first `width` character ids of words, int32 `(U, width)`; at most `max_characters` of them."""


class WindowAssembly:
    """Assembles a window from the numbers of its words.

    Args:
        vocabulary: the model's.
        options: the model's.
        spelling: the character ids of words; None with word input.
        find_distinct: finds the distinct numbers, as `unique_in_order`.
        buckets: as for `WindowMaker`.
    """

    def __init__(
        self,
        vocabulary: Vocabulary,
        options: Options,
        spelling: Spelling | None,
        find_distinct: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]],
        buckets: bool,
    ) -> None:
        self._spelling, self._find_distinct, self._buckets = spelling, find_distinct, buckets
        self._filters = None if options.char_cnn is None else options.char_cnn.filters
        # read forwards a sentence begins with <S>, backwards with </S>
        self._firsts = np.array([vocabulary.begin, vocabulary.end], np.int32)[:, None]

    def __call__(self, inputs: np.ndarray, targets: np.ndarray) -> Window:
        """Assembles a window.

        Args:
            inputs: the word numbers that are read, `(directions, B, T)`.
            targets: the ids of the words that follow, int32 `(directions, B, T)`.
        """
        # The number of a word outside the vocabulary depends on what the process has read before. The order of the
        # distinct words must not, or a resumed run would sum in another order than the unbroken one.
        distinct, index = self._find_distinct(inputs)
        if self._buckets:
            distinct = np.pad(distinct, (0, -len(distinct) % _WORDS_BUCKET), mode="edge")
        return Window(self._words(distinct), index, targets, inputs[:, :, 0] == self._firsts[: len(inputs)])

    def _words(self, distinct: np.ndarray) -> np.ndarray:
        if self._spelling is None or self._filters is None:
            return distinct.astype(np.int32, copy=False)
        length = characters_that_count(self._spelling.longest(distinct), self._filters)
        if self._buckets:
            length += -length % _CHARACTERS_BUCKET
        return self._spelling.rows(distinct, length)  # cut to max_characters_per_token where it is longer


class SpelledWords:
    """A table of the character ids of words. It is filled as words are met, and a window's words are one look-up.

    The table takes two bytes a character of a word that was met: at most 100 MB for a million words of 50 characters.

    Args:
        numbers: the numbers of the words.
        max_characters: the number of ids that a word is cut to.

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
        """The ids that the longest of some words would take uncut: its bytes, and two for begin and end of word."""
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
        # It grows by the words outside the vocabulary, so a large vocabulary's table is not doubled.
        more = max(size - there, min(there, 1 << 16))
        self._rows = np.concatenate([self._rows, np.zeros((more, self._rows.shape[1]), np.int16)])
        self._lengths = np.concatenate([self._lengths, np.zeros(more, np.int32)])
