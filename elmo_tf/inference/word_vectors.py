"""Distinct words to their vectors: by characters, in parts that bound memory, or from a table."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import keras
import tensorflow as tf

from elmo_tf.data.characters import PADDING
from elmo_tf.data.vocabulary import BEGIN_SENTENCE, END_SENTENCE, UNKNOWN
from elmo_tf.inference.character_ids import encode_words_tf
from elmo_tf.layers import CharacterEncoder, WordEncoder
from elmo_tf.layers.compilation import in_xla
from elmo_tf.layers.word_table import WordTable, word_index
from elmo_tf.options import Options

WORDS_TOGETHER = 512
"""Words that go through the character CNN at once. Its widest convolution makes of a word 50 positions of 1,024 floats
at the original size, so these take 100 MB, and 200 MB where threads allow all seven at once. 1,024 are 1 % faster, 256
are 7 % slower."""


def is_frozen(layer: keras.layers.Layer) -> bool:
    """Whether no weight of a built layer is trained.

    Keras leaves a frozen weight out of the update, but TensorFlow's tape follows it as ever: only `tf.stop_gradient`
    spares the backward pass.
    """
    return not any(variable.trainable for variable in layer.variables)


def encode_characters(encoder: CharacterEncoder, ids: tf.Tensor) -> tf.Tensor:
    """Character ids `(U, C)`, 0 to 260, to vectors `(U, D)`.

    Rows are cut behind the longest word, which changes nothing (see `CharacterEncoder`), but not under XLA, where sizes
    are fixed.
    """
    if not in_xla():
        letters = tf.reduce_sum(tf.cast(ids != PADDING, tf.int32), 1)
        longest = tf.maximum(tf.reduce_max(letters), 0)  # the maximum of no words is far below 0
        ids = ids[:, : longest + max(width for width, _ in encoder.filters)]
    if not is_frozen(encoder):  # where all is kept for the backward pass, parts would save nothing
        return encoder(ids)
    return tf.stop_gradient(in_parts(encoder, ids, encoder.projection_dim, tf.as_dtype(encoder.compute_dtype)))


def in_parts(function: Callable[[tf.Tensor], tf.Tensor], ids: tf.Tensor, size: int, dtype: tf.DType) -> tf.Tensor:
    """`function` of rows `(U, C)`, `(U, size)`, of at most `WORDS_TOGETHER` rows at a time."""
    rows = tf.shape(ids)[0]
    parts = tf.maximum(1, -(-rows // WORDS_TOGETHER))
    together = tf.maximum(1, -(-rows // parts))
    padded = tf.pad(ids, [[0, parts * together - rows], [0, 0]], constant_values=PADDING)
    stacked = tf.reshape(padded, tf.stack([parts, together, tf.shape(ids)[1]]))
    vectors = tf.map_fn(
        function, stacked, fn_output_signature=tf.TensorSpec([None, size], dtype), parallel_iterations=1
    )
    return tf.reshape(vectors, [-1, size])[:rows]


class WordVectors(keras.layers.Layer):
    """Distinct words to the vectors that a biLM's encoder makes of them; it keeps the tables that this takes.

    Args:
        options: of the biLM.
        vocabulary: all words by their ids, for a model with word input; None for others.
        vocab_to_cache: words of a character model whose vectors are kept.
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
        """Makes the table of cached words, filled by a built encoder or empty."""
        if self.cache is not None:
            if fill_cache:
                self.cache.initializer = lambda *_, **__: self._cached(encoder)
            self.cache.build()
        self.built = True

    def refresh(self, encoder: CharacterEncoder | WordEncoder) -> None:
        """Fills the table of cached words anew."""
        if self.cache is not None:
            self.cache.vectors.assign(self._cached(encoder))

    def _cached(self, encoder: CharacterEncoder | WordEncoder) -> tf.Tensor:
        words = [] if self.cache is None else self.cache.words
        return tf.cast(encode_characters(encoder, self._spell(tf.constant([w.encode() for w in words]))), self.dtype)

    def of(self, words: tf.Tensor, encoder: CharacterEncoder | WordEncoder) -> tf.Tensor:
        """Vectors `(U, D)` of strings `(U,)`, or of character ids `(U, C)`, 0 to 260."""
        if words.dtype != tf.string:
            return encode_characters(encoder, words)
        if self._ids is not None:
            return encoder(self._ids.lookup(words))
        if self.cache is None:
            return encode_characters(encoder, self._spell(words))
        vectors, is_known = self.cache(words)
        missing = tf.where(~is_known)
        others = encode_characters(encoder, self._spell(tf.gather_nd(words, missing)))
        return tf.tensor_scatter_nd_update(vectors, missing, others)

    def _spell(self, words: tf.Tensor) -> tf.Tensor:
        return encode_words_tf(words, self.max_characters or 0)
