"""A table of word vectors that is looked up by strings."""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from elmo_tf.layers.variables import replica_variable


def word_index(words: Sequence[str], default: int) -> tf.lookup.StaticHashTable:
    """Makes a hash table from each word to its position in `words`; it gives `default` for other words."""
    with tf.init_scope():
        keys = tf.constant([word.encode() for word in words], tf.string, [len(words)])
        values = tf.range(len(words), dtype=tf.int64)
        return tf.lookup.StaticHashTable(tf.lookup.KeyValueTensorInitializer(keys, values), default)


@keras.saving.register_keras_serializable(package="elmo_tf")
class WordTable(keras.layers.Layer):
    """A table of frozen vectors, one for each of a list of words.

    Args:
        words: distinct words, none of them empty.
        size: size of a vector.

    Call arguments:
        inputs: strings of any shape.

    Returns:
        `(vectors (..., size), is_known (...))`; `is_known` is boolean, and False for a word that is not in the table,
        whose vector is zero. Weights: `vectors` `(words, size)`, never trained.

    Example:

    >>> table = WordTable(["cat", "mat"], size=3)
    >>> vectors, is_known = table(tf.constant([["mat", "dog"]]))
    >>> vectors.shape, is_known.numpy()
    (TensorShape([1, 2, 3]), array([[ True, False]]))
    """

    def __init__(self, words: Sequence[str], size: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.words, self.size = check_words(words), size
        self.initializer: Any = "zeros"
        self._index = word_index(self.words, -1)

    def build(self, input_shape: Any = None) -> None:
        """Creates the table with the values of `initializer`."""
        self.vectors = self.add_weight(
            name="vectors",
            shape=(len(self.words), self.size),
            initializer=self.initializer,
            trainable=False,
            autocast=False,  # or every call would cast the whole table
        )
        self.built = True

    def call(self, inputs: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """See the class."""
        places = self._index.lookup(inputs)
        is_known = places >= 0
        found = tf.cast(tf.gather(replica_variable(self.vectors.value), tf.maximum(places, 0)), self.compute_dtype)
        return tf.where(is_known[..., None], found, tf.zeros_like(found)), is_known

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "words": list(self.words), "size": self.size}


def check_words(words: Sequence[str]) -> tuple[str, ...]:
    """Returns the words; raises a `ValueError` if there are none, or one is no string, empty or there twice."""
    found: set[str] = set()
    for number, word in enumerate(words):
        if not isinstance(word, str) or not word:
            raise ValueError(f"words: expected strings that are not empty, got {word!r} at position {number}")
        if word in found:
            raise ValueError(f"words: expected every word once, got {word!r} again at position {number}")
        found.add(word)
    if not found:
        raise ValueError("words: expected at least one word, got none")
    return tuple(words)
