"""The log-probability of every token of a sentence, by both directions of a language model."""

import itertools
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from elmo_tf.data.vocabulary import Vocabulary
from elmo_tf.inference.length_batches import batches
from elmo_tf.inference.prediction_states import batch_signature, make_batch, prediction_states, prepare, token_list
from elmo_tf.inference.token_checks import check_not_text
from elmo_tf.models.language_model import LanguageModel

LOOK_AHEAD = 1024
"""Sentences among which batches of like length are formed."""

SCORE_TOKENS = 2048
"""Tokens of a batch, padding counted."""


@dataclass(frozen=True)
class SentenceScore:
    """What a language model thinks of one sentence of n words, starting from the zero state.

    Args:
        tokens: the n words.
        forward: float32 `(n + 1,)`: natural logarithms of the probability of each word given the words before it, and
            of `</S>` given them all.
        backward: float32 `(n + 1,)`: of `<S>` given all words, and of each word given the words after it; None for a
            model that reads forwards only.
        unknown: booleans `(n,)`: the words outside the vocabulary, which are scored as `<UNK>`.

    Example:

    >>> score = SentenceScore(("a",), np.log([0.5, 0.25]), np.log([0.5, 0.5]), np.array([False]))
    >>> score.log_probability_forward == math.log(0.125), round(score.perplexity_forward, 4)
    (True, 2.8284)
    >>> round(score.perplexity_backward, 4), round(score.perplexity, 4)
    (2.0, 2.4142)
    """

    tokens: tuple[str, ...]
    forward: np.ndarray
    backward: np.ndarray | None
    unknown: np.ndarray

    @property
    def predictions(self) -> int:
        """Predictions in one direction: the words, and the sentence's end (backward: its beginning)."""
        return len(self.tokens) + 1

    @property
    def log_probability_forward(self) -> float:
        """The sum over all forward predictions."""
        return float(self.forward.sum(dtype=np.float64))

    @property
    def log_probability_backward(self) -> float | None:
        """The sum over all backward predictions; None for a model that reads forwards only."""
        return None if self.backward is None else float(self.backward.sum(dtype=np.float64))

    @property
    def log_probability(self) -> float:
        """The mean of both directions' sums."""
        backward = self.log_probability_backward
        forward = self.log_probability_forward
        return forward if backward is None else (forward + backward) / 2

    @property
    def perplexity_forward(self) -> float:
        """The exponential of the forward direction's mean cross-entropy."""
        return _exp(-self.log_probability_forward / self.predictions)

    @property
    def perplexity_backward(self) -> float | None:
        """The exponential of the backward direction's mean cross-entropy; None for a model that reads forwards only."""
        total = self.log_probability_backward
        return None if total is None else _exp(-total / self.predictions)

    @property
    def perplexity(self) -> float:
        """The arithmetic mean of both perplexities, as `elmo-tf evaluate` reports it."""
        backward = self.perplexity_backward
        return self.perplexity_forward if backward is None else (self.perplexity_forward + backward) / 2

    def to_dict(self) -> dict[str, Any]:
        """The numbers by the names that `elmo-tf score` prints."""
        found: dict[str, Any] = {
            "tokens": len(self.tokens),
            "unknown_tokens": int(self.unknown.sum()),
            "log_probability": self.log_probability,
            "log_probability_forward": self.log_probability_forward,
            "log_probability_backward": self.log_probability_backward,
            "perplexity": self.perplexity,
            "perplexity_forward": self.perplexity_forward,
            "perplexity_backward": self.perplexity_backward,
        }
        return {name: value for name, value in found.items() if value is not None}


def _exp(value: float) -> float:
    return math.exp(value) if value < 700 else math.inf


class Scorer:
    """Scores sentences with a language model, each from the zero state, so that its neighbours do not matter.

    Args:
        model: the language model, with its weights.
        vocabulary: the words that it predicts.
        batch_tokens: tokens computed at a time, padding counted; a longer sentence is a batch of its own.

    Example:

    >>> model = LanguageModel({"lstm": {"dim": 8, "projection_dim": 4}, "n_tokens_vocab": 4})
    >>> score = Scorer(model, Vocabulary(("<S>", "</S>", "<UNK>", "a")))
    >>> [(one.forward.shape, one.unknown.tolist()) for one in score([["a", "b"], []])]
    [((3,), [False, True]), ((1,), [])]
    """

    def __init__(self, model: LanguageModel, vocabulary: Vocabulary, batch_tokens: int = SCORE_TOKENS) -> None:
        self._model, self._vocabulary, self._batch_tokens = model, vocabulary, batch_tokens
        self._max_characters = prepare(model, vocabulary)
        signature = (*batch_signature(self._max_characters), tf.TensorSpec([None], tf.int32))
        self._function = tf.function(self._log_probabilities, input_signature=signature, autograph=False)

    def __call__(self, sentences: Iterable[Sequence[str]]) -> Iterator[SentenceScore]:
        """Scores sentences in the order in which they come; reads any iterable lazily.

        Args:
            sentences: lists of tokens; a list may be empty.

        Raises:
            ValueError: a sentence is a text that has not been split, or a token is no string.
        """
        check_not_text(sentences)
        iterator = map(token_list, sentences)
        while group := list(itertools.islice(iterator, LOOK_AHEAD)):
            found: dict[int, SentenceScore] = {}
            for batch in batches(enumerate(group), self._batch_tokens):
                numbers = [number for number, _ in batch]
                found.update(zip(numbers, self._score_batch([tokens for _, tokens in batch]), strict=True))
            for number in range(len(group)):
                yield found[number]

    def _score_batch(self, sentences: Sequence[Sequence[str]]) -> list[SentenceScore]:
        batch = make_batch(sentences, self._vocabulary, self._max_characters)
        by_direction = [
            values.numpy() for values in self._function(batch.words, batch.positions, batch.lengths, batch.ids)
        ]
        ends = np.cumsum(batch.lengths - 1)[:-1]
        parts = [np.split(values, ends) for values in by_direction]
        unknown = batch.ids == self._vocabulary.unknown
        return [
            SentenceScore(
                tokens=tuple(tokens),
                forward=parts[0][row],
                backward=parts[1][row] if len(parts) > 1 else None,
                unknown=unknown[batch.positions[row, 1 : len(tokens) + 1]],
            )
            for row, tokens in enumerate(sentences)
        ]

    def _log_probabilities(
        self, words: tf.Tensor, positions: tf.Tensor, lengths: tf.Tensor, ids: tf.Tensor
    ) -> tuple[tf.Tensor, ...]:
        """By direction, the log-probabilities of all predictions `(N,)`, in the order of `prediction_states`."""
        mask = tf.sequence_mask(lengths - 1, tf.shape(positions)[1] - 1)
        predicted = tf.gather(ids, positions)
        targets = (tf.boolean_mask(predicted[:, 1:], mask), tf.boolean_mask(predicted[:, :-1], mask))
        states = prediction_states(self._model, words, positions, lengths)
        return tuple(-self._model.cross_entropies(*pair) for pair in zip(states, targets, strict=False))
