"""How many multiplications a training step needs, by formula; no TensorFlow.

With B rows, T steps, D projection, H cells, N tokens of all directions (`directions * B * T`), S negatives, and of the
character CNN filters `(w, n)`, embedding size E, F filters together and words of at most C characters:

    LSTM, by token and layer        3 * ((D + D) * 4H + H * D)      forward; gradients by input and by weights
                                    (input size D in every layer; without a projection H * D is left out)
    sampled softmax, by token       3 * (S + 1) * D                 the negatives and the target
    full softmax, by token          3 * V * D
    convolutions, by distinct word  sum of w * E * n * windows      forward
                                    2 * sum of w * E * n            backward: the winning window of each filter alone
    highway, by distinct word       3 * 2 * F * F * layers
    projection, by distinct word    3 * F * D                       where F differs from D

A word with n characters, begin and end of word counted, has `min(n + 1, C - w + 1)` windows that differ: one from each
of its characters on, and one of pure padding where there is room for it. Elementwise operations, lookups and the
optimizer do not count, nor does what an implementation computes beyond this: words encoded more than once, windows of
padding, the convolutions' gradient at windows that did not win. Two floating point operations are one multiplication
and the addition that goes with it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from elmo_tf.data.characters import PADDING, encode_words
from elmo_tf.data.vocabulary import BEGIN_SENTENCE, END_SENTENCE
from elmo_tf.options import CharCnnOptions, Options

_PASSES = 3
"""Of a matrix product: forward, the gradient by its input, and that by its weights."""


@dataclass(frozen=True)
class Multiplications:
    """What a step needs.

    Args:
        lstm: of all layers and directions.
        softmax: of all directions.
        convolutions: forward, and backward for the winners.
        dense: highways and projection of the token encoder.
    """

    lstm: int
    softmax: int
    convolutions: int = 0
    dense: int = 0

    @property
    def total(self) -> int:
        """All together.

        >>> Multiplications(4, 3, 2, 1).total
        10
        """
        return self.lstm + self.softmax + self.convolutions + self.dense


def of_window(options: Options, words: np.ndarray, rows: int) -> Multiplications:
    """What a step on one window needs.

    Args:
        options: the model's; `n_tokens_vocab` counts with the full softmax.
        words: the window's distinct words: character ids `(U, C)`, or word ids `(U,)` with word input.
        rows: B.
    """
    lstm, training = options.lstm, options.training
    tokens = options.directions * rows * training.unroll_steps
    compared = training.n_negative_samples_batch + 1 if training.sample_softmax else options.n_tokens_vocab or 0
    return Multiplications(
        lstm=_PASSES * tokens * lstm.n_layers * _layer(options),
        softmax=_PASSES * tokens * compared * lstm.projection_dim,
        convolutions=0 if options.char_cnn is None else _convolutions(options.char_cnn, words),
        dense=0 if options.char_cnn is None else len(words) * _dense(options.char_cnn, lstm.projection_dim),
    )


def embedding_multiplications(options: Options, sentences: Sequence[Sequence[str]]) -> int:
    """What the vectors of sentences need: every step of every direction, each distinct word of all of them once.

    Args:
        options: the model's.
        sentences: lists of tokens; `<S>` and `</S>` are counted in.
    """
    lstm, char_cnn = options.lstm, options.char_cnn
    steps = options.directions * sum(len(sentence) + 2 for sentence in sentences)
    total = steps * lstm.n_layers * _layer(options)
    if char_cnn is not None:
        words = sorted({BEGIN_SENTENCE, END_SENTENCE}.union(*sentences))
        ids = encode_words(words, char_cnn.max_characters_per_token)
        total += _windows(char_cnn, ids) + len(words) * _dense(char_cnn, lstm.projection_dim) // _PASSES
    return total


def _layer(options: Options) -> int:
    """Of one token in one layer of one direction, forward."""
    lstm = options.lstm
    return 2 * lstm.projection_dim * 4 * lstm.dim + (lstm.dim * lstm.projection_dim if lstm.has_projection else 0)


def _windows(char_cnn: CharCnnOptions, words: np.ndarray) -> int:
    """Of the convolutions of words, forward."""
    lengths = (words != PADDING).sum(1)
    return sum(
        width
        * char_cnn.embedding_dim
        * number
        * int(np.minimum(lengths + 1, char_cnn.max_characters_per_token - width + 1).sum())
        for width, number in char_cnn.filters
    )


def _convolutions(char_cnn: CharCnnOptions, words: np.ndarray) -> int:
    winners = sum(width * char_cnn.embedding_dim * number for width, number in char_cnn.filters)
    return _windows(char_cnn, words) + 2 * winners * len(words)


def _dense(char_cnn: CharCnnOptions, projection_dim: int) -> int:
    """Of one word."""
    filters = char_cnn.n_filters
    projection = filters * projection_dim if filters != projection_dim else 0
    return _PASSES * (2 * filters * filters * char_cnn.n_highway + projection)
