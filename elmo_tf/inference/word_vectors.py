"""Distinct words to vectors: by characters, in parts that bound memory, or from a table."""

from collections.abc import Iterable, Sequence
from typing import Any

import keras
import tensorflow as tf

from elmo_tf.data.characters import PADDING
from elmo_tf.data.vocabulary import BEGIN_SENTENCE, END_SENTENCE, UNKNOWN
from elmo_tf.inference.character_ids import encode_words_tf
from elmo_tf.layers import CharacterEncoder, WordEncoder
from elmo_tf.layers.word_table import WordTable, word_index
from elmo_tf.options import Options

WORDS_TOGETHER = 512
"""Words that go through the character CNN at once. Its widest convolution makes of a word 50 positions of 1,024 floats
at the original size, so 512 words take 100 MB, and 200 MB where threads allow all seven convolutions at once. 1,024
words are 1 % faster, 256 are 7 % slower."""


def is_frozen(layer: keras.layers.Layer) -> bool:
    """Whether no weight of a built layer is trained.

    Keras leaves a frozen weight out of the update, but TensorFlow's tape follows it all the same: only
    `tf.stop_gradient` spares the backward pass.
    """
    return not any(variable.trainable for variable in layer.variables)


def encode_characters(encoder: CharacterEncoder, ids: tf.Tensor, is_trained: bool = False) -> tf.Tensor:
    """Character ids `(U, C)`, 0 to 260, to vectors `(U, D)`.

    Args:
        encoder: the character CNN.
        ids: of distinct words.
        is_trained: whether gradients pass. Then all words go through at once: the backward pass keeps what each
            leaves in the CNN, so that parts would save nothing.
    """
    if is_trained:
        return encoder(ids)
    return tf.stop_gradient(_in_parts(encoder, ids))


def _in_parts(encoder: CharacterEncoder, ids: tf.Tensor) -> tf.Tensor:
    """Encodes `(U, C)` in parts of equal size, at most `WORDS_TOGETHER` words each."""
    words = tf.shape(ids)[0]
    parts = tf.maximum(1, -(-words // WORDS_TOGETHER))
    size = tf.maximum(1, -(-words // parts))
    padded = tf.pad(ids, [[0, parts * size - words], [0, 0]], constant_values=PADDING)
    stacked = tf.reshape(padded, tf.stack([parts, size, tf.shape(ids)[1]]))
    part = tf.TensorSpec([None, encoder.projection_dim], tf.as_dtype(encoder.compute_dtype))
    vectors = tf.map_fn(encoder, stacked, fn_output_signature=part, parallel_iterations=1)
    return tf.reshape(vectors, [-1, encoder.projection_dim])[:words]


class WordVectors(keras.layers.Layer):
    """The vectors that a biLM's encoder makes of distinct words, and the tables that this takes.

    Args:
        options: of the biLM.
        vocabulary: all words by their ids, for a model with word input; None for others.
        vocab_to_cache: words of a character model whose vectors are kept in a table.
    """

    def __init__(
        self,
        options: Options,
        vocabulary: Sequence[str] | None = None,
        vocab_to_cache: Iterable[str] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        char_cnn = options.char_cnn
        self.max_characters = None if char_cnn is None else char_cnn.max_characters_per_token
        self.vocabulary = None if vocabulary is None else list(vocabulary)
        self.cached_words = None if vocab_to_cache is None else list(vocab_to_cache)
        self._check(options)
        self._ids = self.cache = None
        if self.vocabulary is not None:
            self._ids = word_index(self.vocabulary, self.vocabulary.index(UNKNOWN))
        if self.cached_words is not None:
            known = list(dict.fromkeys([BEGIN_SENTENCE, END_SENTENCE, *self.cached_words]))
            self.cache = WordTable(known, options.lstm.projection_dim, name="cache", dtype=self.dtype_policy)

    def _check(self, options: Options) -> None:
        if self.max_characters is not None:
            if self.vocabulary is not None:
                raise ValueError("vocabulary: expected None, for the model reads characters")
            return
        if self.vocabulary is None or len(self.vocabulary) != options.n_tokens_vocab:
            got = "none" if self.vocabulary is None else len(self.vocabulary)
            raise ValueError(
                f"vocabulary: expected the {options.n_tokens_vocab} words of the model, for it reads words, got {got}"
            )
        if self.cached_words is not None:
            raise ValueError(
                "vocab_to_cache: expected None, for a model that reads words has a table of them, got some"
            )

    def prepare(self, encoder: CharacterEncoder | WordEncoder, fill_cache: bool) -> None:
        """Makes the table of cached words, with the vectors of a built encoder or with zeros."""
        if self.cache is not None:
            if fill_cache:
                self.cache.initializer = lambda *_, **__: self._encode_cached_words(encoder)
            self.cache.build()
        self.built = True

    def refresh(self, encoder: CharacterEncoder | WordEncoder) -> None:
        """Computes the table of cached words anew."""
        if self.cache is not None:
            self.cache.vectors.assign(self._encode_cached_words(encoder))

    def _encode_cached_words(self, encoder: CharacterEncoder | WordEncoder) -> tf.Tensor:
        words = [] if self.cache is None else self.cache.words
        return tf.cast(encode_characters(encoder, self._spell(tf.constant([w.encode() for w in words]))), self.dtype)

    def encode(self, words: tf.Tensor, encoder: CharacterEncoder | WordEncoder, is_trained: bool = False) -> tf.Tensor:
        """The vectors `(U, D)` of distinct words.

        Args:
            words: strings `(U,)`, or character ids `(U, C)`, 0 to 260.
            encoder: the biLM's.
            is_trained: whether gradients pass, as of `encode_characters`.
        """
        if words.dtype != tf.string:
            return encode_characters(encoder, words, is_trained)
        if self._ids is not None:
            return encoder(self._ids.lookup(words))
        if self.cache is None:
            return encode_characters(encoder, self._spell(words), is_trained)
        vectors, is_known = self.cache(words)
        missing = tf.where(~is_known)
        others = encode_characters(encoder, self._spell(tf.gather_nd(words, missing)), is_trained)
        return tf.tensor_scatter_nd_update(vectors, missing, others)

    def _spell(self, words: tf.Tensor) -> tf.Tensor:
        return encode_words_tf(words, self.max_characters or 0)
