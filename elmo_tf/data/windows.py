"""A window of both directions as the model takes it: its distinct words once, and where they stand."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from elmo_tf.data.distinct import in_order_of_appearance
from elmo_tf.data.sentences import WordNumbers
from elmo_tf.data.spelling import SpelledWords
from elmo_tf.options import Options

_WORDS_BUCKET, _CHARACTERS_BUCKET = 256, 8


class Window(NamedTuple):
    """What one replica computes at one time.

    Args:
        words: the distinct words in the order in which they appear: int32 character ids `(U, C)`, or word ids `(U,)`
            with word input.
        inputs: positions in `words`, int32 `(directions, B, T)`.
        targets: ids of the next words, int32 `(directions, B, T)`.
        begins: booleans `(directions, B)`: whether the row's first token begins a sentence.
    """

    words: np.ndarray
    inputs: np.ndarray
    targets: np.ndarray
    begins: np.ndarray


class WindowMaker:
    """Makes windows out of packed rows of word numbers.

    Args:
        numbers: the numbers that the rows are in.
        options: the model's.
        buckets: whether to repeat the last word up to a multiple of 256 words, and to pad words to a multiple of 8
            characters: XLA compiles anew for every shape.
    """

    def __init__(self, numbers: WordNumbers, options: Options, buckets: bool = False) -> None:
        self._numbers, self._char_cnn, self._buckets = numbers, options.char_cnn, buckets
        if options.char_cnn is not None:
            self._spelled = SpelledWords(numbers, options.char_cnn.max_characters_per_token)

    def __call__(self, inputs: Sequence[np.ndarray], targets: Sequence[np.ndarray]) -> Window:
        """`inputs` and `targets`: one `(B, T)` a direction, in word numbers."""
        stacked, targets_stacked = np.stack(inputs), np.stack(targets)
        # numbers of words outside the vocabulary depend on what was read before; the order must not, or a resumed run
        # would sum in another order
        distinct, index = in_order_of_appearance(stacked)
        vocabulary = self._numbers.vocabulary
        if self._buckets:
            distinct = np.pad(distinct, (0, -len(distinct) % _WORDS_BUCKET), mode="edge")
        known = np.where(targets_stacked < len(vocabulary), targets_stacked, vocabulary.unknown)
        # read forwards a sentence begins with <S>, backwards with </S>
        firsts = np.array([vocabulary.begin, vocabulary.end], np.int32)[: len(stacked), None]
        return Window(self._words(distinct), index, known.astype(np.int32), stacked[:, :, 0] == firsts)

    def _words(self, distinct: np.ndarray) -> np.ndarray:
        if self._char_cnn is None:
            return distinct.astype(np.int32)
        # all windows of pure padding are equal: one for the widest filter is enough
        widest = max(width for width, _ in self._char_cnn.filters)
        length = self._spelled.longest(distinct) + widest
        if self._buckets:
            length += -length % _CHARACTERS_BUCKET
        return self._spelled.rows(distinct, length)  # which ends at max_characters_per_token
