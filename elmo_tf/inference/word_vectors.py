"""Distinct words to vectors: by characters, in parts that bound memory, or from a table."""

from collections.abc import Iterable, Sequence
from typing import Any

import keras
import tensorflow as tf

from elmo_tf.data.characters import PADDING
from elmo_tf.data.vocabulary import BEGIN_SENTENCE, END_SENTENCE, UNKNOWN
from elmo_tf.inference.character_ids import encode_words_tf
from elmo_tf.layers import TokenEncoder
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


def encode_characters(encoder: TokenEncoder, ids: tf.Tensor, is_trained: bool = False) -> tf.Tensor:
    """Character ids `(U, C)`, 0 to 260, or words `(U,)` to vectors `(U, D)`.

    Args:
        encoder: the character CNN, or a `LexiconEncoder`, which takes the words themselves.
        ids: of distinct words.
        is_trained: whether gradients pass. Then all words go through at once: the backward pass keeps what each
            leaves in the CNN, so that parts would save nothing.
    """
    if is_trained:
        return encoder(ids)
    return tf.stop_gradient(_in_parts(encoder, ids))


def _in_parts(encoder: TokenEncoder, ids: tf.Tensor) -> tf.Tensor:
    """Encodes `(U, C)` or `(U,)` in parts of equal size, at most `WORDS_TOGETHER` words each."""
    ids = tf.convert_to_tensor(ids)
    words = tf.shape(ids)[0]
    parts = tf.maximum(1, -(-words // WORDS_TOGETHER))
    size = tf.maximum(1, -(-words // parts))
    width = tf.unstack(tf.shape(ids))[1:]
    padding = "" if ids.dtype == tf.string else PADDING
    padded = tf.pad(ids, [[0, parts * size - words], *([0, 0] for _ in width)], constant_values=padding)
    stacked = tf.reshape(padded, tf.stack([parts, size, *width]))
    part = tf.TensorSpec([None, encoder.projection_dim], tf.as_dtype(encoder.compute_dtype))
    vectors = tf.map_fn(encoder, stacked, fn_output_signature=part, parallel_iterations=1)
    return tf.reshape(vectors, [-1, encoder.projection_dim])[:words]


class WordVectors(keras.layers.Layer):
    """The vectors that a biLM's encoder makes of distinct words, and the tables that this takes.

    Args:
        options: of the biLM.
        vocabulary: all words by their ids, for a model with word input; None for others.
        vocab_to_cache: words of a character model whose vectors are kept in a table.
        reads_words: whether the encoder takes the words themselves, so that neither ids nor a vocabulary are needed.
        boundaries: the words that stand for the begin and the end of a sentence.
    """

    def __init__(
        self,
        options: Options,
        vocabulary: Sequence[str] | None = None,
        vocab_to_cache: Iterable[str] | None = None,
        reads_words: bool = False,
        boundaries: Sequence[str] = (BEGIN_SENTENCE, END_SENTENCE),
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        char_cnn = options.char_cnn
        self.max_characters = None if char_cnn is None else char_cnn.max_characters_per_token
        self.vocabulary = None if vocabulary is None else list(vocabulary)
        self.cached_words = None if vocab_to_cache is None else list(vocab_to_cache)
        if reads_words:
            self._check_no_vocabulary("the model has lexicons of its own")
        else:
            self._check(options)
        self._ids = self.cache = None
        if self.vocabulary is not None:
            self._ids = word_index(self.vocabulary, self.vocabulary.index(UNKNOWN))
        if self.cached_words is not None:
            known = list(dict.fromkeys([*boundaries, *self.cached_words]))
            self.cache = WordTable(known, options.lstm.projection_dim, name="cache", dtype=self.dtype_policy)

    def _check(self, options: Options) -> None:
        if self.max_characters is not None:
            self._check_no_vocabulary("the model reads characters")
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

    def _check_no_vocabulary(self, reason: str) -> None:
        if self.vocabulary is not None:
            raise ValueError(f"vocabulary: expected None, for {reason}")

    def prepare(self, encoder: TokenEncoder, fill_cache: bool) -> None:
        """Makes the table of cached words, with the vectors of a built encoder or with zeros."""
        if self.cache is not None:
            if fill_cache:
                self.cache.initializer = lambda *_, **__: self._encode_cached_words(encoder)
            self.cache.build()
        self.built = True

    def refresh(self, encoder: TokenEncoder) -> None:
        """Computes the table of cached words anew."""
        if self.cache is not None:
            self.cache.vectors.assign(self._encode_cached_words(encoder))

    def _encode_cached_words(self, encoder: TokenEncoder) -> tf.Tensor:
        words = [] if self.cache is None else self.cache.words
        return tf.cast(encode_characters(encoder, self.spell(tf.constant([w.encode() for w in words]))), self.dtype)

    def encode(self, words: tf.Tensor, encoder: TokenEncoder, is_trained: bool = False) -> tf.Tensor:
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
            return encode_characters(encoder, self.spell(words), is_trained)
        vectors, is_known = self.cache(words)
        missing = tf.where(~is_known)
        others = encode_characters(encoder, self.spell(tf.gather_nd(words, missing)), is_trained)
        return tf.tensor_scatter_nd_update(vectors, missing, others)

    def spell(self, words: tf.Tensor) -> tf.Tensor:
        """The character ids of words, or the words themselves, as the encoder reads them."""
        return words if self.max_characters is None else encode_words_tf(words, self.max_characters)
