"""Validates at the end of every epoch or every few steps, and makes up for a validation that was interrupted."""

import time
from collections.abc import Callable, Mapping

import keras

from elmo_tf.training.state import Logs, RunState

_PERPLEXITIES = {"forward": "perplexity_forward", "backward": "perplexity_backward", "mean": "perplexity"}
"""The perplexities that are reported: the words of the line, and their names in the results."""


class Validation(keras.callbacks.Callback):
    """Computes the exact perplexity of held-out text at the end of every epoch, or every so many steps.

    It adds `val_perplexity`, `val_perplexity_forward`, `val_perplexity_backward`, `val_perplexity_geometric`, the
    losses and `val_unknown_tokens` to the logs.

    Args:
        state: the run's state. Its `validation_due` is set while a validation is under way.
        evaluate: returns the results by name, such as `lambda: Evaluator(...)().to_dict()`. An error that it raises
            passes through, and the validation stays due.
        every_steps: steps between validations; 0 for one at the end of every epoch.
        first: whether to validate before the first step too.
        report: called with each line that the user is to read.
    """

    def __init__(
        self,
        state: RunState,
        evaluate: Callable[[], Mapping[str, float]],
        every_steps: int = 0,
        first: bool = False,
        report: Callable[[str], None] = print,
    ) -> None:
        super().__init__()
        self._state, self._evaluate, self._every_steps = state, evaluate, every_steps
        self._first, self._report = first, report
        self._last_validated_step = -1

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Makes up for a validation that was interrupted before the resume, or validates first if asked to."""
        due = self._state.validation_due
        if logs is not None and (self._first or due is not None):
            logs.update(due or {})
            self._validate(logs)

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Validates where the number of steps taken is a multiple of `every_steps`."""
        if self._every_steps and self._state.step % self._every_steps == 0 and logs is not None:
            self._validate(logs)

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Validates, unless the last step of the epoch already did."""
        if logs is not None and self._last_validated_step != self._state.step:
            self._validate(logs)

    def _validate(self, logs: Logs) -> None:
        started = time.perf_counter()
        if self._state.validation_due is None:  # else the logs of the interrupted validation, which say more, stay
            self._state.validation_due = dict(logs)
        result = self._evaluate()
        self._state.validation_due = None
        self._last_validated_step = self._state.step
        logs.update({f"val_{name}": value for name, value in result.items() if name != "tokens"})
        parts = [f"{name} {result[key]:.2f}" for name, key in _PERPLEXITIES.items() if key in result]
        self._report(
            f"step {self._state.step}: validation perplexity {', '.join(parts)} "
            f"({result['tokens']:,} tokens, full softmax, {time.perf_counter() - started:.0f} s)"
        )
