"""Detects a diverged run: decides which steps are skipped, when no checkpoint is saved, and when the run ends.

- A step whose gradient is not finite is skipped: the weights and the LSTM states stay as they were before it. After
  `MOST_SKIPS` such steps in a row the run ends.
- A weight of more than `LARGEST_WEIGHT` ends the run before the checkpoint that would hold it is written.
- A model that knows nothing about a text predicts the uniform distribution. Its loss is about log(V) nats per token,
  where V is the number of words in the vocabulary; with a sampled softmax the loss is smaller. A loss of more than
  log(V) + `MARGIN` means a perplexity that is more than 148 times as high. Neither newly initialised weights nor
  weights trained on a different text have such a loss. While the loss of the last step is above this bound, no
  checkpoint is saved. If the running mean of the loss is above it, the run ends.

The loss of a step is computed with the weights from before its update, so it shows whether the checkpoint of the step
before is good, not whether its own is. A checkpoint is confirmed when the loss of a later step is at most log(V). No
checkpoint that is not confirmed replaces the last one that is. When a run ends because it has diverged, the checkpoints
after the last confirmed one are removed, so the run can be resumed from before the divergence.
"""

import math
from collections.abc import Callable, Iterable

import tensorflow as tf

from elmo_tf.errors import InputError
from elmo_tf.training.state import RunState

MOST_SKIPS = 10
"""The number of successive steps without a finite gradient after which a run ends."""

MARGIN = 5.0
"""How far a loss may be above log(V), in nats per token, before it counts as a sign of divergence."""

LARGEST_WEIGHT = 10_000.0
"""The largest absolute value that a weight may have in a checkpoint. In the models of bilm-tf that the tests read, the
largest is 2.1. A learning rate of 1,000,000 makes one of 500,000 in its first step."""


class DivergenceError(InputError):
    """A run has diverged."""


class DivergenceGuard:
    """Counts the skipped steps of a run, and decides whether its state may be saved.

    Args:
        state: the run's state, in which the skipped steps are counted.
        words: the number of words in the vocabulary.
        report: a function that is called with a line for the user.
        weights: the weights, which are checked before a state is saved.

    Attributes:
        confirmed: the number of the newest step whose checkpoint, if there is one, is confirmed to be good. The
            checkpoint from which a run was resumed is not confirmed until the first step after it.
    """

    def __init__(
        self, state: RunState, words: int, report: Callable[[str], None], weights: Iterable[tf.Variable] = ()
    ) -> None:
        self._state, self._report, self._weights = state, report, list(weights)
        self._bound = math.log(words) + MARGIN
        self._last_loss = 0.0
        self.confirmed = state.step - 1

    def count_step(self, loss: float) -> None:
        """Records the loss of a step that was not skipped."""
        self._last_loss, self._state.skips_in_a_row = loss, 0
        if loss <= self._bound - MARGIN:
            self.confirmed = self._state.step - 1

    def count_skip(self, norm: float) -> None:
        """Counts a skipped step, whose gradient has the norm `norm`.

        Raises:
            DivergenceError: `MOST_SKIPS` steps in a row have been skipped.
        """
        state = self._state
        state.skipped_steps, state.skips_in_a_row = state.skipped_steps + 1, state.skips_in_a_row + 1
        if state.skips_in_a_row >= MOST_SKIPS:
            first = state.step - MOST_SKIPS + 1
            raise divergence_error(f"from step {first} to step {state.step} no gradient is finite")
        self._report(
            f"step {state.step}: skipped, for its gradient is {norm}; {state.skips_in_a_row} in a row, of at most "
            f"{MOST_SKIPS}, and {state.skipped_steps} in all"
        )

    def may_save(self) -> bool:
        """Whether the state may be saved as a checkpoint; reports a line if it may not.

        Raises:
            DivergenceError: the running mean of the loss, or the largest weight, is above its bound.
        """
        state = self._state
        if state.mean_loss is not None and state.mean_loss > self._bound:
            raise divergence_error(
                f"the mean loss of the last steps is {state.mean_loss:.2f} nats a token at step {state.step}, and "
                f"{self._bound - MARGIN:.2f} without any knowledge of the text"
            )
        if self._last_loss > self._bound:
            self._report(
                f"note: no checkpoint of step {state.step} is saved, for its loss is {self._last_loss:.2f} nats a token"
            )
            return False
        largest = find_largest(self._weights)
        if not largest <= LARGEST_WEIGHT:  # also where it is not a number
            raise divergence_error(
                f"the largest weight is {largest:.6g} after step {state.step}, above {LARGEST_WEIGHT:,.0f}"
            )
        return True


def find_largest(weights: Iterable[tf.Variable]) -> float:
    """Finds the largest absolute value of all weights; NaN if one of them is not a number.

    >>> find_largest([tf.Variable([1.0, -3.0]), tf.Variable([2.0])])
    3.0
    """
    largest = 0.0
    for weight in weights:
        # three reductions need no copy of the weight, unlike the absolute values of its elements
        if math.isnan(float(tf.reduce_sum(weight))):
            return math.nan
        largest = max(largest, float(tf.reduce_max(weight)), -float(tf.reduce_min(weight)))
    return largest


def divergence_error(what: str) -> DivergenceError:
    """Makes the error that ends a diverged run.

    Args:
        what: a clause that says how the divergence was detected; the message begins with it.
    """
    return DivergenceError(
        f"{what}: training diverged; take a smaller --learning_rate or --all_clip_norm_val and go on from the last "
        "checkpoint, or from an older one, or start anew"
    )
