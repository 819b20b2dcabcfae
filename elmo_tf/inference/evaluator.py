"""Exact perplexity: every token of a text is scored once with the full softmax, and LSTM states are carried on."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import tensorflow as tf

from elmo_tf.data.corpus import Corpus
from elmo_tf.data.evaluation_windows import EvaluationWindow, evaluation_windows
from elmo_tf.data.vocabulary import Vocabulary
from elmo_tf.errors import InputError
from elmo_tf.models.language_model import LanguageModel
from elmo_tf.models.state import BiLMState

_LARGEST_LOSS = 80.0
"""The largest mean loss, in nats per token, that counts as a result. Its exponential is near the limit of float32."""


class LossesNotFiniteError(InputError):
    """The mean loss is not finite or impossibly large: the weights are damaged, or training diverged."""


@dataclass(frozen=True)
class Perplexity:
    """The sum of the cross-entropies of a text and the number of its tokens; the exponential comes last.

    Args:
        tokens: number of predictions in one direction: the words, and the end of each sentence.
        totals: the sum of the cross-entropies in nats, for each direction.
        unknown: how many of the tokens are words outside the vocabulary, predicted as `<UNK>`.

    Example:

    >>> result = Perplexity(tokens=2, totals=(2 * math.log(8.0), 2 * math.log(2.0)))
    >>> round(result.forward, 6), round(result.backward, 6), round(result.mean, 6), round(result.geometric, 6)
    (8.0, 2.0, 5.0, 4.0)
    """

    tokens: int
    totals: tuple[float, ...]
    unknown: int = 0

    @property
    def losses(self) -> tuple[float, ...]:
        """The mean cross-entropy in nats, for each direction."""
        return tuple(total / self.tokens for total in self.totals)

    @property
    def forward(self) -> float:
        """The exponential of the forward loss."""
        return math.exp(self.losses[0])

    @property
    def backward(self) -> float | None:
        """The exponential of the backward loss; None if the model has no backward direction."""
        return math.exp(self.losses[1]) if len(self.totals) > 1 else None

    @property
    def mean(self) -> float:
        """The arithmetic mean of both perplexities, which the paper reports."""
        return sum(math.exp(loss) for loss in self.losses) / len(self.totals)

    @property
    def geometric(self) -> float:
        """The exponential of the mean loss, which bilm-tf calls the perplexity."""
        return math.exp(sum(self.losses) / len(self.totals))

    def to_dict(self) -> dict[str, float | int]:
        """Returns the numbers by the names that the command line prints and the logs use."""
        values: dict[str, float | int] = {"tokens": self.tokens, "unknown_tokens": self.unknown}
        values["loss_forward"] = self.losses[0]
        if self.backward is not None:
            values["loss_backward"] = self.losses[1]
        values["perplexity_forward"] = self.forward
        if self.backward is not None:
            values["perplexity_backward"] = self.backward
        return {**values, "perplexity": self.mean, "perplexity_geometric": self.geometric}


class Helpers(Protocol):
    """The processes that compute one perplexity together, each on some of the rows."""

    def own_rows(self, rows: int) -> range:
        """The rows that this process computes."""

    def gather(self, values: np.ndarray) -> np.ndarray:
        """Gathers a vector from every process: returns `(processes, n)`. All must call it."""


class Evaluator:
    """Computes the perplexity of one text. It can be called again after training steps, and is compiled only once.

    Args:
        model: the language model.
        corpus: the text. Every token of it is scored once, starting from zero states.
        vocabulary: the model's vocabulary.
        batch_size: the number of rows that the sentences are dealt to. The LSTM states are carried along a row, so the
            result depends a little on which sentences follow each other in it.
        unroll_steps: the number of tokens of a row in one window. It has a small effect too, because a row takes its
            next sentence when a window needs one.
        drop_remainder: whether to leave out the tokens after the last full window, as bilm-tf does.
        helpers: the processes that share the rows; None where this one computes them all. The sums over a share of the
            rows are rounded in another order than those over all rows.
    """

    def __init__(
        self,
        model: LanguageModel,
        corpus: Corpus,
        vocabulary: Vocabulary,
        batch_size: int = 32,
        unroll_steps: int = 20,
        drop_remainder: bool = False,
        helpers: Helpers | None = None,
    ) -> None:
        self._model, self._corpus, self._vocabulary = model, corpus, vocabulary
        self._batch_size = batch_size if drop_remainder else min(batch_size, corpus.sentences)
        self._unroll_steps, self._drop_remainder, self._helpers = unroll_steps, drop_remainder, helpers
        self._rows = range(self._batch_size) if helpers is None else helpers.own_rows(self._batch_size)
        self._function: Any = None

    def windows(self) -> Iterator[EvaluationWindow]:
        """Yields the input of the model, window by window."""
        return evaluation_windows(
            self._corpus,
            self._vocabulary,
            self._model.options,
            self._batch_size,
            self._unroll_steps,
            self._drop_remainder,
            self._rows or range(1),  # a process without rows goes through the windows as the others do
        )

    def __call__(self, progress: Callable[[int], None] | None = None) -> Perplexity:
        """Scores the text.

        Args:
            progress: called after every window with the number of tokens scored so far, by this process.

        Raises:
            InputError: the text cannot be read any more, or has changed; or no window is full, with `drop_remainder`.
            LossesNotFiniteError: the loss is not finite, or impossibly large.
        """
        totals, tokens, unknown = np.zeros(self._model.options.directions), 0, 0
        state = self._model.zero_state(len(self._rows))
        for window, mask in self.windows():
            if self._rows:
                arrays = (window.words, window.inputs, window.targets, mask)
                sums, state = self._compiled(state)(*map(tf.constant, arrays), state)
                totals += sums.numpy()
                tokens += int(mask[0].sum())
                unknown += int((window.targets[0][mask[0]] == self._vocabulary.unknown).sum())
            if progress is not None:
                progress(tokens)
        if self._helpers is not None:
            *gathered, tokens, unknown = self._helpers.gather(np.array([*totals, tokens, unknown])).sum(0).tolist()
            totals, tokens, unknown = np.array(gathered), int(tokens), int(unknown)
        if not tokens:
            raise InputError(
                f"the text does not fill one window of {self._batch_size} rows and {self._unroll_steps} steps"
            )
        if not (totals / tokens < _LARGEST_LOSS).all():  # true for NaN too, which is not smaller than any number
            raise LossesNotFiniteError(
                f"the model gives losses that are not finite, or beyond {_LARGEST_LOSS:.0f} nats a token: its weights "
                "are damaged, or training diverged"
            )
        return Perplexity(tokens, tuple(totals.tolist()), unknown)

    def _compiled(self, state: BiLMState) -> Any:
        if self._function is None:
            directions = self._model.options.directions
            window = tf.TensorSpec([directions, len(self._rows), self._unroll_steps], tf.int32)
            words = [None] if self._model.options.char_cnn is None else [None, None]
            signature = (
                tf.TensorSpec(words, tf.int32),
                window,
                window,
                tf.TensorSpec(window.shape, tf.bool),
                tf.nest.map_structure(lambda part: tf.TensorSpec(part.shape, part.dtype), state),
            )
            self._function = tf.function(self._window_sums, input_signature=signature, autograph=False)
        return self._function

    def _window_sums(
        self, words: tf.Tensor, inputs: tf.Tensor, targets: tf.Tensor, mask: tf.Tensor, state: BiLMState
    ) -> tuple[tf.Tensor, BiLMState]:
        entropies, state = self._model(words, inputs, targets, state=state, mask=mask)
        counted = tf.where(mask, entropies, tf.zeros_like(entropies))
        return tf.reduce_sum(counted, [1, 2]), state
