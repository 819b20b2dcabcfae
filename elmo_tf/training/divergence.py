"""When a run has diverged: which steps are skipped, which checkpoints are not saved, and when the run ends.

- A step whose gradient is not finite is skipped: the weights and the LSTM states stay those before it. After
  `MOST_SKIPS` such steps in a row the run ends.
- A model that knows nothing about a text has a loss of about log(words of the vocabulary), the uniform distribution's,
  in nats a token. The loss of a sampled softmax is smaller. A loss of more than `MARGIN` above log(words) is worse than
  that by a factor of 148 in perplexity, where neither new weights nor those of another text are. While the loss of the
  last step is beyond this bound, no checkpoint is saved; where the running mean is beyond it, the run ends.

So the checkpoints that are kept are from before the divergence, and the run can go on from there.
"""

import math
from collections.abc import Callable

from elmo_tf.errors import InputError
from elmo_tf.training.state import RunState

MOST_SKIPS = 10
"""Steps in a row without a finite gradient after which a run ends."""

MARGIN = 5.0
"""Nats a token above log(words) beyond which a loss tells of divergence."""


class DivergenceGuard:
    """Counts the skipped steps of a run, and decides whether its state may be saved.

    Args:
        state: the run's state, in which the skipped steps are counted.
        words: the number of words in the vocabulary.
        report: takes a line for people.
    """

    def __init__(self, state: RunState, words: int, report: Callable[[str], None]) -> None:
        self._state, self._report = state, report
        self._bound = math.log(words) + MARGIN
        self._last_loss = 0.0

    def count_step(self, loss: float) -> None:
        """Notes the loss of a step that was taken."""
        self._last_loss, self._state.skips_in_a_row = loss, 0

    def count_skip(self, norm: float) -> None:
        """Counts a step that was skipped, whose gradient has this norm.

        Raises:
            InputError: it is the last one of `MOST_SKIPS` in a row.
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
        """Whether the state is fit for a checkpoint; says so in a line where it is not.

        Raises:
            InputError: the running mean of the loss is beyond reason.
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
    """The error of a run that diverged.

    Args:
        what: the clause that says how that shows.
    """
    return InputError(
        f"{what}: training diverged; take a smaller --learning_rate or --all_clip_norm_val and go on from the last "
        "checkpoint, or from an older one, or start anew"
    )
