"""The number of multiplications that a training step needs, by formula; without TensorFlow.

B is the number of rows, T of steps, D of the projection, H of LSTM cells, S of negatives, and V of words. In the
character CNN, n filters have width w, all widths together have F filters, the character embeddings have size E, and
words have at most C characters:

    LSTM, by token and layer        3 * ((D + D) * 4H + H * D)      forward; gradients of the input and of the weights
                                    (the input has size D in every layer; without a projection H * D is left out)
    sampled softmax, by token       3 * (S + 1) * D                 the negatives and the target
    full softmax, by token          3 * V * D
    convolutions, by distinct word  sum of w * E * n * windows      forward
                                    2 * sum of w * E * n            backward: only the window that won the max pooling
    highway, by distinct word       3 * 2 * F * F * layers
    projection, by distinct word    3 * F * D                       if F differs from D

There are `directions * B * T` tokens. A word with n characters, the begin and end of the word included, has
`min(n + 1, C - w + 1)` different windows: one that begins at each of its characters, and one of pure padding if there
is room for it. Elementwise operations, lookups and the optimizer are not counted. Neither is what an implementation
computes beyond the formulas: words that are encoded more than once, further windows of padding, and the gradients of
windows that did not win. A multiplication and the addition that belongs to it are two floating point operations.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from elmo_tf.data.characters import PADDING, encode_words
from elmo_tf.data.vocabulary import BEGIN_SENTENCE, END_SENTENCE
from elmo_tf.options import CharCnnOptions, Options

_PASSES = 3
"""Products for each matrix product of the model: forward, the gradient of its input, and that of its weights."""


@dataclass(frozen=True)
class Multiplications:
    """The number of multiplications of a step, by part of the model.

    Args:
        lstm: in all LSTM layers and directions.
        softmax: in the softmax of all directions.
        convolutions: in the convolutions.
        dense: in the highway layers and the projection of the token encoder.
    """

    lstm: int
    softmax: int
    convolutions: int = 0
    dense: int = 0

    @property
    def total(self) -> int:
        """The number in all parts.

        >>> Multiplications(4, 3, 2, 1).total
        10
        """
        return self.lstm + self.softmax + self.convolutions + self.dense


def of_window(options: Options, words: np.ndarray, rows: int) -> Multiplications:
    """Counts the multiplications of a step on one window.

    Args:
        options: the model's options; `n_tokens_vocab` is needed for the full softmax only.
        words: the window's distinct words: character ids `(U, C)`, or word ids `(U,)` with word input.
        rows: the number of rows B.
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
    """Counts the multiplications of the highway layers and the projection for one word."""
    filters = char_cnn.n_filters
    projection = filters * projection_dim if filters != projection_dim else 0
    return _PASSES * (2 * filters * filters * char_cnn.n_highway + projection)
