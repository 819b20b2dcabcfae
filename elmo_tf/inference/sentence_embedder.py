"""Lists of tokens to vectors."""

import os
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from elmo_tf.data.vocabulary import Vocabulary
from elmo_tf.inference.fill_word_table import fill_word_table
from elmo_tf.inference.packed_sentences import PackedSentences, contextualize_packed, pack, packed_signature
from elmo_tf.inference.token_checks import check_not_text, check_token
from elmo_tf.inference.word_cache import WordCache
from elmo_tf.inference.word_vectors import WordVectors
from elmo_tf.models.bilm import BiLM
from elmo_tf.store.known_words import known_words


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
        if bilm.reads_word_ids:
            if vocabulary is None:
                raise ValueError("vocabulary: expected one, for the model reads word ids, got None")
            words = vocabulary.words
        self._word_vectors = _word_vectors(bilm, words, vocab_to_cache)
        self._cache = WordCache(word_cache) if word_cache and not bilm.reads_word_ids else None
        self._encode: Any = self._encode_words
        self._contextualize: Any = self._layers
        if compiled:
            vectors = tf.TensorSpec([None, bilm.options.lstm.projection_dim], bilm.encoder.compute_dtype)
            index = tf.TensorSpec([None], tf.int32)
            self._encode = _compile(self._encode_words, tf.TensorSpec([None], tf.string))
            self._contextualize = _compile(self._layers, vectors, index, packed_signature(bilm.options.directions))

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
        words, index = _distinct_words(
            [[_utf8(token) for token in sentence] for sentence in sentences], self._bilm.boundaries
        )
        lengths = [len(sentence) + 2 for sentence in sentences]
        packed = pack(lengths, self._bilm.options.directions)
        layers = [layer.numpy() for layer in self._contextualize(self._vectors(words), index, packed)]
        edge = 0 if keep_boundaries else 1
        ends = np.cumsum(lengths)
        return [
            np.stack([layer[end - length + edge : end - edge] for layer in layers]).astype(np.float32, copy=False)
            for end, length in zip(ends, lengths, strict=True)
        ]

    def __getstate__(self) -> Any:
        """The arguments, for `pickle` and `copy`: a compiled function has neither a pickle nor a copy."""
        return self._arguments

    def __setstate__(self, arguments: Any) -> None:
        self.__init__(*arguments)  # type: ignore[misc]

    def _vectors(self, words: list[bytes]) -> tf.Tensor:
        """The vectors `(U, D)` of distinct words."""
        if self._cache is None:
            return self._encode(tf.constant(words))
        return tf.constant(self._cache(words, lambda missing: self._encode(tf.constant(missing)).numpy()))

    def _encode_words(self, words: tf.Tensor) -> tf.Tensor:
        return self._word_vectors.encode(words, self._bilm.encoder)

    def _layers(self, vectors: tf.Tensor, index: tf.Tensor, packed: PackedSentences) -> tuple[tf.Tensor, ...]:
        return contextualize_packed(self._bilm, vectors, index, packed)


def _distinct_words(
    sentences: Sequence[Sequence[bytes]], boundaries: tuple[str, str]
) -> tuple[list[bytes], np.ndarray]:
    """The distinct words of sentences by length, and the number of the word at each place, boundaries included.

    The encoder pads the words that it computes together to the longest of them.
    """
    begin, end = map(str.encode, boundaries)
    bounded = [word for sentence in sentences for word in (begin, *sentence, end)]
    words = sorted(dict.fromkeys(bounded), key=len)
    numbers = {word: number for number, word in enumerate(words)}
    return words, np.array([numbers[word] for word in bounded], np.int32)


def _word_vectors(
    bilm: BiLM, vocabulary: Sequence[str] | None, to_cache: Iterable[str] | str | os.PathLike[str] | None
) -> WordVectors:
    if to_cache is None:
        return WordVectors(bilm.options, vocabulary, reads_words=bilm.reads_words)
    known = known_words(to_cache)
    made = WordVectors(
        bilm.options, vocabulary, known.words, bilm.reads_words, bilm.boundaries, dtype=bilm.dtype_policy
    )
    made.prepare(bilm.encoder, fill_cache=known.vectors is None)
    if known.vectors is not None:
        fill_word_table(made, bilm, known)
    return made


def _compile(function: Callable[..., Any], *signature: Any) -> Any:
    return tf.function(function, input_signature=signature, autograph=False)


def _check_list(sentence: Any) -> None:
    """Refuses what is no list, and a text, which is a sequence too: its letters would count as sentences or tokens."""
    if not hasattr(sentence, "__len__"):
        raise ValueError(f"sentences: expected lists of tokens, got {sentence!r} in place of a list")
    check_not_text(sentence)


def _utf8(token: Any) -> bytes:
    """The bytes of a token. A lone surrogate, which UTF-8 cannot hold, is left out, as by `encode_words`."""
    return check_token(token).encode("utf-8", "ignore")
