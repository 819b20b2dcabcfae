"""Keeps the best checkpoint, and stops a run early when no better one comes."""

import math
from collections.abc import Callable
from typing import Any

from elmo_tf.training.after_validation import AfterValidation
from elmo_tf.training.state import Logs, RunState


class BestCheckpoint(AfterValidation):
    """Saves the weights with the lowest validation perplexity, and stops a run that is out of patience.

    Args:
        state: the run's state, in which the best perplexity, its step and the validations since then are kept.
        save_best: called with the number of steps when a validation is the best so far, after `state` was updated.
        patience: validations without a better one after which to stop; 0 for never.
        report: called with each line that the user is to read.
    """

    def __init__(
        self,
        state: RunState,
        save_best: Callable[[int], Any],
        patience: int,
        report: Callable[[str], None] = print,
    ) -> None:
        super().__init__()
        self._state, self._save_best, self._patience, self._report = state, save_best, patience, report

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Considers a validation before the first step, whose weights may stay the best of all, or one made up for.

        Weights that nothing has trained yet may have an infinite perplexity, which costs no patience.
        """
        if self._state.step or math.isfinite((logs or {}).get("val_perplexity", math.inf)):
            super().on_train_begin(logs)

    def consider(self, logs: Logs) -> None:
        """Saves the best weights, or counts one more validation that was not better."""
        state, perplexity = self._state, float(logs["val_perplexity"])
        if perplexity < _or_infinite(state.best_perplexity):
            state.best_perplexity, state.best_step, state.validations_since_best = perplexity, state.step, 0
            self._save_best(state.step)
            return
        state.validations_since_best += 1
        if state.is_out_of_patience(self._patience):
            self._report(
                f"step {state.step}: stopped early, for {state.validations_since_best} validations brought nothing "
                f"better than perplexity {_or_infinite(state.best_perplexity):.2f}"
            )
            self.model.stop_training = True


def _or_infinite(perplexity: float | None) -> float:
    return math.inf if perplexity is None else perplexity
