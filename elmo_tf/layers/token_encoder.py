"""The encoders that turn a word into a context-independent vector, from its characters or from its id."""

import functools
from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from elmo_tf.layers.compilation import in_xla
from elmo_tf.layers.convolutions import convolve_and_max_pool, map_in_length_buckets
from elmo_tf.layers.highway import Highway
from elmo_tf.layers.initial_values import InitializedLayer
from elmo_tf.layers.variables import replica_variable
from elmo_tf.options import characters_that_count

N_CHARACTERS = 261
"""Rows of the character embedding: 256 bytes, begin and end of sentence, begin and end of word, word padding."""

PADDING = 260
"""The character id of the padding after a word."""


@keras.saving.register_keras_serializable(package="elmo_tf")
class CharacterEncoder(InitializedLayer):
    """The character CNN: embedding, convolutions, max pooling over positions, activation, highways, projection.

    This is bilm-tf's `_build_word_char_embeddings`. Bias and activation are applied after the maximum, at one position
    instead of all; both are monotone, so the result is the same to the last bit. There is a projection only if the
    total number of filters differs from `projection_dim`.

    Args:
        filters: pairs of a filter width in characters and the number of filters of that width.
        projection_dim: size of a word's vector.
        embedding_dim: size of a character's embedding.
        activation: "relu" or "tanh".
        n_highway: number of highway layers.

    Call arguments:
        inputs: character ids `(..., C)`, integers in 0..260: a word with its begin and end, followed by padding (260).
            C must be at least the width of the widest filter. Padding further than the widest filter's width after the
            longest word changes nothing and may be left out, because all its windows are equal.

    Output shape: `(..., projection_dim)`.

    Example:

    >>> encoder = CharacterEncoder(filters=[(1, 4), (2, 8)], projection_dim=6)
    >>> encoder(np.full((2, 50), 260)).shape
    TensorShape([2, 6])
    """

    def __init__(
        self,
        filters: Sequence[Sequence[int]],
        projection_dim: int,
        embedding_dim: int = 16,
        activation: str = "relu",
        n_highway: int = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if activation not in ("relu", "tanh"):
            raise ValueError(f'activation: expected "relu" or "tanh", got {activation!r}')
        self.filters = tuple((int(width), int(number)) for width, number in filters)
        if not self.filters:
            raise ValueError("filters: expected at least one (width, number) pair, got none")
        self.projection_dim, self.embedding_dim = projection_dim, embedding_dim
        self.activation, self.n_highway = activation, n_highway
        self.n_filters = sum(number for _, number in self.filters)
        self.highways = [Highway(name=f"CNN_high_{i}", dtype=self.dtype_policy) for i in range(n_highway)]

    def build(self, input_shape: Any) -> None:
        """Creates the weights; their shapes do not depend on the input's."""
        self.char_embed = self.add_weight(
            name="char_embed",
            shape=(N_CHARACTERS, self.embedding_dim),
            initializer=keras.initializers.RandomUniform(-1.0, 1.0),
            autocast=False,
        )
        self.convolutions = []
        for i, (width, number) in enumerate(self.filters):
            kernel = self.add_weight(
                name=f"W_cnn_{i}",
                shape=(1, width, self.embedding_dim, number),
                initializer=self._convolution_initializer(width),
            )
            bias = self.add_weight(name=f"b_cnn_{i}", shape=(number,), initializer="zeros")
            self.convolutions.append((kernel, bias))
        for highway in self.highways:
            highway.build((None, self.n_filters))
        if self.n_filters != self.projection_dim:
            self.w_proj = self.add_weight(
                name="W_proj",
                shape=(self.n_filters, self.projection_dim),
                initializer=keras.initializers.RandomNormal(stddev=(1.0 / self.n_filters) ** 0.5),
            )
            self.b_proj = self.add_weight(name="b_proj", shape=(self.projection_dim,), initializer="zeros")
        else:
            self.w_proj = self.b_proj = None
        self.built = True

    def _convolution_initializer(self, width: int) -> Any:
        if self.activation == "relu":
            return keras.initializers.RandomUniform(-0.05, 0.05)
        return keras.initializers.RandomNormal(stddev=(1.0 / (width * self.embedding_dim)) ** 0.5)

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """See the class."""
        widest = max(width for width, _ in self.filters)
        shape = tf.shape(inputs)
        with tf.control_dependencies(_check_width(inputs, widest)):
            shape = tf.identity(shape)
        ids = tf.reshape(inputs, [-1, shape[-1]])
        # XLA knows no shapes that depend on the words
        words = self._features(ids) if in_xla() else self._features_by_length(ids)
        for highway in self.highways:
            words = highway(words)
        if self.w_proj is not None:
            words = tf.matmul(words, self.w_proj) + self.b_proj
        words = tf.reshape(words, tf.concat([shape[:-1], [self.projection_dim]], 0))
        words.set_shape([*inputs.shape[:-1], self.projection_dim])
        return words

    def _features_by_length(self, ids: tf.Tensor) -> tf.Tensor:
        """Computes the features of words, bucket by bucket of like length."""
        that_count = functools.partial(characters_that_count, filters=self.filters)
        return map_in_length_buckets(ids, PADDING, that_count, self._features)

    def _features(self, ids: tf.Tensor) -> tf.Tensor:
        """Computes the activations of all filters: character ids `(U, C)` -> `(U, n_filters)`."""
        # looked up before the cast, so that the gradient of a row, a sum over thousands of places, is exact enough
        rows = tf.gather(self.char_embed.value, ids)  # [U, C, embedding_dim]
        characters = tf.cast(rows, self.compute_dtype)
        activate = tf.nn.relu if self.activation == "relu" else tf.tanh
        features = [
            activate(convolve_and_max_pool(characters, tf.squeeze(kernel, 0)) + bias)
            for kernel, bias in self.convolutions
        ]
        return tf.concat(features, axis=1)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The input's shape, its last dimension `projection_dim`."""
        return (*input_shape[:-1], self.projection_dim)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {
            **super().get_config(),
            "filters": [list(pair) for pair in self.filters],
            "projection_dim": self.projection_dim,
            "embedding_dim": self.embedding_dim,
            "activation": self.activation,
            "n_highway": self.n_highway,
        }


def _check_width(inputs: tf.Tensor, widest: int) -> list[tf.Operation]:
    """Checks that C is at least the width of the widest filter, if possible when the graph is traced.

    If C is not known then, returns operations that check it when the graph runs; none under XLA, which has no such
    checks.
    """
    width, expected = inputs.shape[-1], f"inputs: expected at least {widest} characters, the widest filter"
    if width is not None and width < widest:
        raise ValueError(f"{expected}, got {width}")
    if width is not None or in_xla():
        return []
    return [tf.debugging.Assert(tf.shape(inputs)[-1] >= widest, [f"{expected}, got", tf.shape(inputs)[-1]])]


@keras.saving.register_keras_serializable(package="elmo_tf")
class WordEncoder(InitializedLayer):
    """The table of trainable word vectors of a model with word input.

    Args:
        vocabulary_size: number of rows of the table, V.
        projection_dim: size of a word's vector.

    Call arguments:
        inputs: word ids `(...)`, integers below `vocabulary_size`.

    Output shape: `(..., projection_dim)`. The gradient is sparse: it holds the rows that were looked up.

    Example:

    >>> WordEncoder(vocabulary_size=10, projection_dim=6)(np.array([[1, 2, 3]])).shape
    TensorShape([1, 3, 6])
    """

    def __init__(self, vocabulary_size: int, projection_dim: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.vocabulary_size, self.projection_dim = vocabulary_size, projection_dim

    def build(self, input_shape: Any) -> None:
        """Creates the table, with bilm-tf's Glorot uniform initial values."""
        self.embedding = self.add_weight(
            name="embedding",
            shape=(self.vocabulary_size, self.projection_dim),
            initializer="glorot_uniform",
            autocast=False,  # a cast of the whole table would make the sparse gradient dense
        )
        self.built = True

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """See the class."""
        # gathers from the variable, not from its value, which keeps the gradient sparse
        return tf.cast(tf.gather(replica_variable(self.embedding.value), inputs), self.compute_dtype)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The input's shape and `projection_dim`."""
        return (*input_shape, self.projection_dim)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {
            **super().get_config(),
            "vocabulary_size": self.vocabulary_size,
            "projection_dim": self.projection_dim,
        }
