"""Lists of tokens to vectors."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from elmo_tf.data.vocabulary import Vocabulary
from elmo_tf.inference.contextualize import read_sentences
from elmo_tf.inference.distinct_words import sentences_of_tokens
from elmo_tf.inference.word_vectors import WordVectors
from elmo_tf.models.bilm import BiLM


class SentenceEmbedder:
    """All layers of a biLM for tokenised sentences. Each begins with zero states, so its neighbours do not matter.

    Args:
        bilm: the model.
        vocabulary: the model's words; needed where it reads word ids.
        compiled: whether to compile the model at the first call, which takes longer than a few sentences do.

    Raises:
        ValueError: the model reads word ids, and `vocabulary` is None or has another number of words.

    Example:

    >>> bilm = BiLM({"lstm": {"dim": 8, "projection_dim": 4}, "n_tokens_vocab": 4})
    >>> embed = SentenceEmbedder(bilm, Vocabulary(["<S>", "</S>", "<UNK>", "a"]))
    >>> [vectors.shape for vectors in embed([["a", "b", "a"], []])]
    [(2, 3, 8), (2, 0, 8)]
    """

    def __init__(self, bilm: BiLM, vocabulary: Vocabulary | None = None, compiled: bool = True) -> None:
        if not bilm.built:
            bilm.build(None)
        self._arguments = (bilm, vocabulary, compiled)
        self._bilm = bilm
        words = None
        if bilm.options.char_cnn is None:
            if vocabulary is None:
                raise ValueError("vocabulary: expected one, for the model reads word ids, got None")
            words = vocabulary.words
        self._word_vectors = WordVectors(bilm.options, words)
        self._function: Any = self._layers
        if compiled:
            signature = (tf.TensorSpec([None], tf.string), tf.TensorSpec([None], tf.int32))
            self._function = tf.function(self._layers, input_signature=signature, autograph=False)

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
        layers = self._function(tf.constant(tokens, tf.string, [len(tokens)]), tf.constant(counts)).numpy()
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

    def _layers(self, tokens: tf.Tensor, counts: tf.Tensor) -> tf.Tensor:
        return read_sentences(self._bilm, self._word_vectors, sentences_of_tokens(tokens, counts))[0]


def _check_list(sentence: Any) -> None:
    """Refuses what is no list, and a text, which is a sequence too: its letters would count as sentences or tokens."""
    if not hasattr(sentence, "__len__"):
        raise ValueError(f"sentences: expected lists of tokens, got {sentence!r} in place of a list")
    if isinstance(sentence, (str, bytes)):
        raise ValueError(f"sentences: expected lists of tokens, got the text {sentence!r}; split it first")


def _utf8(token: Any) -> bytes:
    """The bytes of a token. A lone surrogate, which UTF-8 cannot hold, is left out, as by `encode_words`."""
    if not isinstance(token, str):
        raise ValueError(f"sentences: expected lists of tokens that are strings, got {token!r}")
    return token.encode("utf-8", "ignore")
