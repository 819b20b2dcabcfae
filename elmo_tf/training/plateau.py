"""Reduces the learning rate where validations bring nothing better."""

from collections.abc import Callable

from elmo_tf.training.after_validation import AfterValidation
from elmo_tf.training.optimizer import Optimizer
from elmo_tf.training.state import Logs, RunState


class ReduceOnPlateau(AfterValidation):
    """Multiplies the learning rate by a factor after so many validations in a row without a better perplexity.

    It stands behind `BestCheckpoint`, which counts these validations. The reduction is kept in the run's state, so a
    resumed run goes on with it.

    Args:
        state: the run's state.
        optimizer: the optimizer, made with `can_be_reduced=True`.
        patience: validations in a row without a better one, each so many of which reduce the rate.
        factor: what the rate is multiplied by.
        report: called with each line that the user is to read.
    """

    def __init__(
        self,
        state: RunState,
        optimizer: Optimizer,
        patience: int,
        factor: float,
        report: Callable[[str], None] = print,
    ) -> None:
        super().__init__()
        self._state, self._optimizer, self._patience = state, optimizer, patience
        self._by, self._report = factor, report
        optimizer.reduce_rate(state.rate_factor)

    def consider(self, logs: Logs) -> None:
        """Reduces the rate where as many validations as the patience, or a multiple of it, brought nothing better."""
        count = self._state.validations_since_best
        if count == 0 or count % self._patience:
            return
        self._state.rate_factor *= self._by
        self._optimizer.reduce_rate(self._state.rate_factor)
        self._report(
            f"step {self._state.step}: {count} validations brought nothing better: the learning rate is now "
            f"{self._state.rate_factor:g} times that of the schedule"
        )
