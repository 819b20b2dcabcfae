"""Detects a diverged run: decides which steps are skipped, when no checkpoint is saved, and when the run ends.

- A step whose gradient is not finite is skipped: the weights and the LSTM states stay as they were before it. After
  `MOST_SKIPS` such steps in a row the run ends.
- A model that knows nothing about a text predicts the uniform distribution. Its loss is about log(V) nats per token,
  where V is the number of words in the vocabulary; with a sampled softmax the loss is smaller. A loss of more than
  log(V) + `MARGIN` means a perplexity that is more than 148 times as high. Neither newly initialised weights nor
  weights trained on a different text have such a loss. While the loss of the last step is above this bound, no
  checkpoint is saved. If the running mean of the loss is above it, the run ends.

The checkpoints that are kept are therefore from before the divergence, and the run can be resumed from them.
"""

import math
from collections.abc import Callable

from elmo_tf.errors import InputError
from elmo_tf.training.state import RunState

MOST_SKIPS = 10
"""The number of successive steps without a finite gradient after which a run ends."""

MARGIN = 5.0
"""How far a loss may be above log(V), in nats per token, before it counts as a sign of divergence."""


class DivergenceGuard:
    """Counts the skipped steps of a run, and decides whether its state may be saved.

    Args:
        state: the run's state, in which the skipped steps are counted.
        words: the number of words in the vocabulary.
        report: a function that is called with a line for the user.
    """

    def __init__(self, state: RunState, words: int, report: Callable[[str], None]) -> None:
        self._state, self._report = state, report
        self._bound = math.log(words) + MARGIN
        self._last_loss = 0.0

    def count_step(self, loss: float) -> None:
        """Records the loss of a step that was not skipped."""
        self._last_loss, self._state.skips_in_a_row = loss, 0

    def count_skip(self, norm: float) -> None:
        """Counts a skipped step, whose gradient has the norm `norm`.

        Raises:
            InputError: `MOST_SKIPS` steps in a row have been skipped.
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
            InputError: the running mean of the loss is above the bound, so training has diverged.
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
        return True


def divergence_error(what: str) -> InputError:
    """Makes the error that ends a diverged run.

    Args:
        what: a clause that says how the divergence was detected; the message begins with it.
    """
    return InputError(
        f"{what}: training diverged; take a smaller --learning_rate or --all_clip_norm_val and go on from the last "
        "checkpoint, or from an older one, or start anew"
    )
