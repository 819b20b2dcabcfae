"""Sentences to vectors, in bulk: each distinct word of a batch is encoded once, padding costs little."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from elmo_tf.data.characters import encode_words
from elmo_tf.data.vocabulary import BEGIN_SENTENCE, END_SENTENCE, Vocabulary
from elmo_tf.models.bilm import BiLM


class SentenceEmbedder:
    """All layers of a biLM for tokenised sentences, each from zero state, so that its neighbours do not matter.

    Args:
        bilm: the model.
        vocabulary: its words; needed where the model reads word ids.
        compiled: whether to compile the model at the first call, which takes longer than a few sentences do.

    Example:

    >>> bilm = BiLM({"lstm": {"dim": 8, "projection_dim": 4}, "n_tokens_vocab": 4})
    >>> embed = SentenceEmbedder(bilm, Vocabulary(["<S>", "</S>", "<UNK>", "a"]))
    >>> [vectors.shape for vectors in embed([["a", "b", "a"], []])]
    [(2, 3, 8), (2, 0, 8)]
    """

    def __init__(self, bilm: BiLM, vocabulary: Vocabulary | None = None, compiled: bool = True) -> None:
        self._bilm, self._vocabulary = bilm, vocabulary
        self._char_cnn = bilm.options.char_cnn
        if self._char_cnn is None and vocabulary is None:
            raise ValueError("vocabulary: expected one, for the model reads word ids, got None")
        words = tf.TensorSpec([None, None] if self._char_cnn else [None], tf.int32)
        signature = (words, tf.TensorSpec([None, None], tf.int32), tf.TensorSpec([None], tf.int32))
        self._function: Any = self._layers
        if compiled:
            self._function = tf.function(self._layers, input_signature=signature, autograph=False)

    def __call__(self, sentences: Sequence[Sequence[str]], keep_boundaries: bool = False) -> list[np.ndarray]:
        """Embeds one batch.

        Args:
            sentences: lists of tokens, any length, none included.
            keep_boundaries: whether the vectors of `<S>` and `</S>` are given too, two more a sentence.

        Returns:
            For each sentence float32 `(L + 1, tokens, directions * D)`.

        Raises:
            ValueError: a sentence is a text that is not split yet, or a token is no string.
        """
        _check_not_text(sentences)
        if not sentences:
            return []
        numbers: dict[str, int] = {}
        for sentence in sentences:
            _check_not_text(sentence)
        rows = [
            [numbers.setdefault(word, len(numbers)) for word in (BEGIN_SENTENCE, *sentence, END_SENTENCE)]
            for sentence in sentences
        ]
        lengths = np.array([len(row) for row in rows], np.int32)
        index = np.zeros((len(rows), max(map(len, rows))), np.int32)
        for row, values in zip(index, rows, strict=True):
            row[: len(values)] = values
        layers = self._function(self._words(list(numbers)), index, lengths).numpy()
        edge = 0 if keep_boundaries else 1
        return [
            values[:, edge : length - edge].astype(np.float32)
            for values, length in zip(layers, lengths.tolist(), strict=True)
        ]

    def _words(self, words: Sequence[str]) -> np.ndarray:
        for word in words:
            if not isinstance(word, str):
                raise ValueError(f"sentences: expected lists of tokens that are strings, got {word!r}")
        if self._char_cnn is not None:
            return encode_words(words, self._char_cnn.max_characters_per_token)
        if self._vocabulary is None:
            raise ValueError("vocabulary: expected one, for the model reads word ids, got None")
        return np.array([self._vocabulary[word] for word in words], np.int32)

    def _layers(self, words: tf.Tensor, index: tf.Tensor, lengths: tf.Tensor) -> tf.Tensor:
        tokens = tf.gather(self._bilm.encoder(words), index)
        return self._bilm.contextualize(tokens, mask=tf.sequence_mask(lengths))[0]


def _check_not_text(sentence: Sequence[Any]) -> None:
    """A text is a sequence too, and its letters would count as sentences, or as tokens."""
    if isinstance(sentence, (str, bytes)):
        raise ValueError(f"sentences: expected lists of tokens, got the text {sentence!r}; split it first")
