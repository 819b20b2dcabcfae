"""Lists of tokens to vectors."""

import os
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from elmo_tf.data.vocabulary import BEGIN_SENTENCE, END_SENTENCE, Vocabulary
from elmo_tf.inference.contextualize import contextualize, read_sentences
from elmo_tf.inference.distinct_words import sentences_of_tokens
from elmo_tf.inference.fill_word_table import fill_word_table
from elmo_tf.inference.token_checks import check_not_text, check_token
from elmo_tf.inference.word_cache import WordCache
from elmo_tf.inference.word_vectors import WordVectors
from elmo_tf.models.bilm import BiLM
from elmo_tf.store.known_words import known_words

_BOUNDARIES = (BEGIN_SENTENCE.encode(), END_SENTENCE.encode())


class SentenceEmbedder:
    """All layers of a biLM for tokenised sentences. Each begins with zero states, so its neighbours do not matter.

    Args:
        bilm: the model.
        vocabulary: the model's words; needed where it reads word ids.
        compiled: whether to compile the model at the first call, which takes longer than a few sentences do.
        word_cache: the most words whose vectors are kept from one call to the next, the least recently used going
            first (see `WordCache`). They are not computed again if the model is trained in between. 0 keeps none; a
            model that reads word ids has a table of them and needs none.
        vocab_to_cache: words whose vectors are looked up instead of computed at each call, beside those of
            `word_cache`: a list of words, or a file with a word a line, whose vectors are computed once, now; or the
            HDF5 file of `elmo-tf tokens`, which holds them.

    Raises:
        ValueError: the model reads word ids, and `vocabulary` is None or has another number of words, or
            `vocab_to_cache` is given; or `word_cache` is negative.
        InputError: the file of `vocab_to_cache` cannot be read, or holds the vectors of another model.

    Example:

    >>> bilm = BiLM({"lstm": {"dim": 8, "projection_dim": 4}, "n_tokens_vocab": 4})
    >>> embed = SentenceEmbedder(bilm, Vocabulary(["<S>", "</S>", "<UNK>", "a"]))
    >>> [vectors.shape for vectors in embed([["a", "b", "a"], []])]
    [(2, 3, 8), (2, 0, 8)]
    """

    def __init__(
        self,
        bilm: BiLM,
        vocabulary: Vocabulary | None = None,
        compiled: bool = True,
        word_cache: int = 0,
        vocab_to_cache: Iterable[str] | str | os.PathLike[str] | None = None,
    ) -> None:
        if word_cache < 0:
            raise ValueError(f"word_cache: expected a number of words, 0 or more, got {word_cache}")
        if not bilm.built:
            bilm.build(None)
        if vocab_to_cache is not None and not isinstance(vocab_to_cache, (str, os.PathLike)):
            vocab_to_cache = list(vocab_to_cache)
        self._arguments = (bilm, vocabulary, compiled, word_cache, vocab_to_cache)
        self._bilm = bilm
        words = None
        if bilm.options.char_cnn is None:
            if vocabulary is None:
                raise ValueError("vocabulary: expected one, for the model reads word ids, got None")
            words = vocabulary.words
        self._word_vectors = _word_vectors(bilm, words, vocab_to_cache)
        self._cache = WordCache(word_cache) if word_cache and bilm.options.char_cnn is not None else None
        self._function: Any = self._layers
        self._encode: Any = self._encode_words
        self._contextualize: Any = self._layers_of_vectors
        if compiled:
            tokens, counts = tf.TensorSpec([None], tf.string), tf.TensorSpec([None], tf.int32)
            vectors = tf.TensorSpec([None, bilm.options.lstm.projection_dim], bilm.encoder.compute_dtype)
            index = tf.TensorSpec([None, None], tf.int32)
            self._function = _compile(self._layers, tokens, counts)
            self._encode = _compile(self._encode_words, tokens)
            self._contextualize = _compile(self._layers_of_vectors, vectors, index, counts)

    def __call__(self, sentences: Sequence[Sequence[str]], keep_boundaries: bool = False) -> list[np.ndarray]:
        """Embeds one batch.

        Args:
            sentences: lists or NumPy arrays of tokens, of any length, 0 included.
            keep_boundaries: whether the vectors of `<S>` and `</S>` are given too, two more a sentence.

        Returns:
            For each sentence float32 `(L + 1, tokens, directions * D)`.

        Raises:
            ValueError: a sentence is a text that is not split yet or no list, or a token is no string.
        """
        _check_list(sentences)
        if not len(sentences):
            return []
        for sentence in sentences:
            _check_list(sentence)
        tokens = [_utf8(token) for sentence in sentences for token in sentence]
        counts = [len(sentence) for sentence in sentences]
        if self._cache is None:
            layers = self._function(tf.constant(tokens, tf.string, [len(tokens)]), tf.constant(counts)).numpy()
        else:
            layers = self._layers_by_cache(self._cache, tokens, counts).numpy()
        edge = 0 if keep_boundaries else 1
        return [
            vectors[:, edge : count + 2 - edge].astype(np.float32)
            for vectors, count in zip(layers, counts, strict=True)
        ]

    def __getstate__(self) -> Any:
        """The arguments, for `pickle` and `copy`: a compiled function has neither a pickle nor a copy."""
        return self._arguments

    def __setstate__(self, arguments: Any) -> None:
        self.__init__(*arguments)  # type: ignore[misc]

    def _layers_by_cache(self, cache: WordCache, tokens: Sequence[bytes], counts: Sequence[int]) -> tf.Tensor:
        """The layers of a batch, for which only words that are not in the cache are encoded."""
        numbers: dict[bytes, int] = {word: number for number, word in enumerate(_BOUNDARIES)}
        by_token = [numbers.setdefault(token, len(numbers)) for token in tokens]
        lengths = np.array(counts, np.int32) + 2
        index = np.zeros((len(counts), lengths.max()), np.int32)  # <S> is word 0
        places = np.arange(index.shape[1])
        index[(places > 0) & (places < lengths[:, None] - 1)] = by_token
        index[places == lengths[:, None] - 1] = 1
        vectors = cache(list(numbers), lambda words: self._encode(tf.constant(words)).numpy())
        return self._contextualize(vectors, index, lengths)

    def _layers(self, tokens: tf.Tensor, counts: tf.Tensor) -> tf.Tensor:
        return read_sentences(self._bilm, self._word_vectors, sentences_of_tokens(tokens, counts))[0]

    def _encode_words(self, words: tf.Tensor) -> tf.Tensor:
        return self._word_vectors.encode(words, self._bilm.encoder)

    def _layers_of_vectors(self, vectors: tf.Tensor, index: tf.Tensor, lengths: tf.Tensor) -> tf.Tensor:
        return tf.stop_gradient(contextualize(self._bilm, vectors, index, lengths)[0])


def _word_vectors(
    bilm: BiLM, vocabulary: Sequence[str] | None, to_cache: Iterable[str] | str | os.PathLike[str] | None
) -> WordVectors:
    if to_cache is None:
        return WordVectors(bilm.options, vocabulary)
    known = known_words(to_cache)
    made = WordVectors(bilm.options, vocabulary, known.words, dtype=bilm.dtype_policy)
    made.prepare(bilm.encoder, fill_cache=known.vectors is None)
    if known.vectors is not None:
        fill_word_table(made, bilm, known)
    return made


def _compile(function: Callable[..., tf.Tensor], *signature: tf.TensorSpec) -> Any:
    return tf.function(function, input_signature=signature, autograph=False)


def _check_list(sentence: Any) -> None:
    """Refuses what is no list, and a text, which is a sequence too: its letters would count as sentences or tokens."""
    if not hasattr(sentence, "__len__"):
        raise ValueError(f"sentences: expected lists of tokens, got {sentence!r} in place of a list")
    check_not_text(sentence)


def _utf8(token: Any) -> bytes:
    """The bytes of a token. A lone surrogate, which UTF-8 cannot hold, is left out, as by `encode_words`."""
    return check_token(token).encode("utf-8", "ignore")
