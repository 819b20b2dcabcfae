"""`StaticEmbedding`: static word vectors, as a Keras layer that takes the same strings as `ElmoLayer`."""

import os
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from elmo_tf.data.word_vector_files import read_word_vectors
from elmo_tf.elmo.inputs import form_of, from_lists, is_token, tokens_of
from elmo_tf.elmo.token_mask import TokenMask
from elmo_tf.layers.variables import replica_variable
from elmo_tf.layers.word_table import check_words, word_index

UNKNOWN_VECTORS = ("zero", "mean")


@keras.saving.register_keras_serializable(package="elmo_tf")
class StaticEmbedding(keras.layers.Layer):
    """Turns words into vectors that do not depend on the context, such as those of word2vec and GloVe.

    Args:
        words: the words that have a vector, each once.
        size: size of a vector.
        unknown: the vector of all other words: "zero", or "mean", the mean of the vectors given to `set_vectors`.
        lowercase: whether to look words up in lower case, for files that hold only such words.
        trainable: whether the vectors are trained, the one of unknown words included.

    Call arguments:
        inputs: strings `(B, T)`, "" for padding, or a `tf.RaggedTensor` of them; or Python lists.

    Output shape: `(B, T, size)`, zero on padding, with the Keras mask.

    Weights: `vectors` `(words + 1, size)`; the last row is that of unknown words.

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
        """Makes a layer with the vectors of a file.

        Args:
            path: a text file of word2vec, gensim or GloVe, or a binary file of word2vec or gensim; plain or .gz.
            limit: how many words to read from the beginning of the file; None for all.
            arguments: further arguments of the layer.

        Raises:
            InputError: the file cannot be read, as for `read_word_vectors`.
        """
        words, vectors = read_word_vectors(path, limit)
        layer = cls(words, vectors.shape[1], **arguments)
        layer.set_vectors(vectors)
        return layer

    def build(self, input_shape: Any = None) -> None:
        """Makes the table of vectors, which are all zero."""
        self.vectors = self.add_weight(
            name="vectors",
            shape=(len(self.words) + 1, self.size),
            initializer="zeros",
            autocast=False,  # it would cast the whole table for a few rows, and make the gradient dense
        )
        self.vectors.trainable = self.trainable
        self._token_mask.build(None)
        self.built = True

    def set_vectors(self, vectors: npt.ArrayLike) -> None:
        """Assigns the words' vectors `(words, size)`, and computes the one of unknown words from them."""
        values = np.asarray(vectors, np.float32)
        if values.shape != (len(self.words), self.size):
            raise ValueError(f"vectors: expected shape {(len(self.words), self.size)}, got {values.shape}")
        if not self.built:
            self.build(None)
        last = values.mean(0) if self.unknown == "mean" else np.zeros(self.size, np.float32)
        self.vectors.assign(np.concatenate([values, last[None]]))

    def __call__(self, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        """Turns Python lists of words into tensors, which Keras requires, and then calls the layer."""
        return super().__call__(from_lists(inputs, form_of(None)), *args, **kwargs)

    def call(self, inputs: Any, mask: tf.Tensor | None = None) -> tf.Tensor:
        """Looks the vectors up; the class describes the arguments and the result."""
        tokens = tokens_of(inputs, None)
        present = is_token(tokens, mask)[..., None]
        if self.lowercase:
            tokens = tf.strings.lower(tokens, encoding="utf-8")
        # gathering from the variable itself, not from its value, keeps the gradient sparse
        found = tf.cast(tf.gather(replica_variable(self.vectors.value), self._index.lookup(tokens)), self.compute_dtype)
        return tf.where(present, found, tf.zeros_like(found))

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        """Returns booleans `(B, T)`, True on all tokens, unknown words included."""
        return self._token_mask(inputs, mask=previous_mask)

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments of the layer."""
        return {
            **super().get_config(),
            "words": list(self.words),
            "size": self.size,
            "unknown": self.unknown,
            "lowercase": self.lowercase,
        }
