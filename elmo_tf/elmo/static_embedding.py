"""Static word vectors as a layer that reads the same strings as `ElmoLayer`, to stand beside it."""

import os
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from elmo_tf.data.word_vectors import read_word_vectors
from elmo_tf.elmo.inputs import form_of, from_lists, is_token, tokens_of
from elmo_tf.elmo.outputs import TokenMask
from elmo_tf.layers.variables import replica_variable
from elmo_tf.layers.word_table import check_words, word_index

UNKNOWN_VECTORS = ("zero", "mean")


@keras.saving.register_keras_serializable(package="elmo_tf")
class StaticEmbedding(keras.layers.Layer):
    """Words to vectors that do not know their context: word2vec, GloVe.

    Args:
        words: distinct words.
        size: size of a vector.
        unknown: what other words get: "zero", or "mean" of all vectors as they came.
        lowercase: whether words are looked up in lower case, for files that know no other.
        trainable: whether the vectors are trained, with the one of unknown words.

    Call arguments:
        inputs: strings `(B, T)`, "" for padding, or a `tf.RaggedTensor` of them; or Python lists.

    Output shape: `(B, T, size)`, zero on padding; carries the Keras mask. Weights: `vectors` `(words + 1, size)`, the
    last row for unknown words.

    Raises:
        ValueError: an argument or input is not one of the above.

    Example:

    >>> embed = StaticEmbedding(["cat", "mat"], size=2)
    >>> embed.set_vectors(np.array([[1.0, 2.0], [3.0, 4.0]]))
    >>> embed(tf.constant([["mat", "dog", ""]])).numpy().tolist()
    [[[3.0, 4.0], [0.0, 0.0], [0.0, 0.0]]]
    """

    def __init__(
        self,
        words: Sequence[str],
        size: int,
        unknown: str = "zero",
        lowercase: bool = False,
        trainable: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(trainable=trainable, **kwargs)
        if unknown not in UNKNOWN_VECTORS:
            raise ValueError(f"unknown: expected one of {UNKNOWN_VECTORS}, got {unknown!r}")
        self.words, self.size, self.unknown, self.lowercase = check_words(words), size, unknown, lowercase
        self.supports_masking = True
        self._index = word_index(self.words, len(self.words))
        self._token_mask = TokenMask(name="mask", dtype=self.dtype_policy)

    @classmethod
    def from_word2vec(
        cls, path: str | os.PathLike[str], limit: int | None = None, **arguments: Any
    ) -> "StaticEmbedding":
        """The vectors of a file: text of word2vec or GloVe, or binary, as gensim writes it too; plain or .gz.

        Args:
            path: the file.
            limit: reads the first words alone.
            arguments: those of the layer.

        Raises:
            InputError: as `read_word_vectors`.
        """
        words, vectors = read_word_vectors(path, limit)
        layer = cls(words, vectors.shape[1], **arguments)
        layer.set_vectors(vectors)
        return layer

    def build(self, input_shape: Any = None) -> None:
        """Makes the table, all zero."""
        self.vectors = self.add_weight(
            name="vectors",
            shape=(len(self.words) + 1, self.size),
            initializer="zeros",
            autocast=False,  # a cast of the whole table for a few rows, and a dense gradient
        )
        self.vectors.trainable = self.trainable
        self._token_mask.build(None)
        self.built = True

    def set_vectors(self, vectors: npt.ArrayLike) -> None:
        """Assigns the words' vectors `(words, size)`, and the one of unknown words that follows from them."""
        values = np.asarray(vectors, np.float32)
        if values.shape != (len(self.words), self.size):
            raise ValueError(f"vectors: expected shape {(len(self.words), self.size)}, got {values.shape}")
        if not self.built:
            self.build(None)
        last = values.mean(0) if self.unknown == "mean" else np.zeros(self.size, np.float32)
        self.vectors.assign(np.concatenate([values, last[None]]))

    def __call__(self, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        """`call`, by way of Keras, which knows no Python lists of words."""
        return super().__call__(from_lists(inputs, form_of(None)), *args, **kwargs)

    def call(self, inputs: Any, mask: tf.Tensor | None = None) -> tf.Tensor:
        """See the class."""
        tokens = tokens_of(inputs, None)
        present = is_token(tokens, mask)[..., None]
        if self.lowercase:
            tokens = tf.strings.lower(tokens, encoding="utf-8")
        # of the variable itself, not of its value: that is what keeps the gradient sparse
        found = tf.cast(tf.gather(replica_variable(self.vectors.value), self._index.lookup(tokens)), self.compute_dtype)
        return tf.where(present, found, tf.zeros_like(found))

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        """booleans `(B, T)`, True on tokens, unknown ones too."""
        return self._token_mask(inputs, mask=previous_mask)

    def get_config(self) -> dict[str, Any]:
        """The arguments."""
        return {
            **super().get_config(),
            "words": list(self.words),
            "size": self.size,
            "unknown": self.unknown,
            "lowercase": self.lowercase,
        }
