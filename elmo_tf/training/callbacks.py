"""Keras callbacks that steer a training run: running means, validation, the best weights, early stop.

The training loop calls them as `Model.fit` would. `Validation` puts its results into the `logs` that those behind it in
the list are handed in the same call; a callback that acts on validations looks for `val_perplexity` there.
"""

import math
import time
from collections.abc import Callable, Mapping
from typing import Any

import keras

from elmo_tf.errors import InputError

Logs = dict[str, Any]

VALIDATION_DUE = "validation_due"
"""In a run's notes, from a validation's begin to its end: the logs that it was to add to."""


class Meter(keras.callbacks.Callback):
    """Replaces a step's loss by its mean over the last steps, and adds `words_per_second`.

    Args:
        loss_name: the loss's name in the logs.
        words_per_step: tokens of all replicas, in one direction.
        steps: how many steps a mean reaches back, about.
    """

    def __init__(self, loss_name: str, words_per_step: int, steps: int = 50) -> None:
        super().__init__()
        self._loss_name, self._words, self._keep = loss_name, words_per_step, 1.0 - 1.0 / steps
        self.mean: float | None = None
        self._seconds = self._started = 0.0
        self._steps = 0

    def on_train_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Starts the clock."""
        self._started = time.perf_counter()

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Adds the means; a loss that is not a number ends the run, before a checkpoint can keep it."""
        logs = {} if logs is None else logs
        loss, seconds = logs[self._loss_name], time.perf_counter() - self._started
        if not math.isfinite(loss):
            raise divergence_error("loss", batch + 1, loss)
        self.mean = loss if self.mean is None else self._keep * self.mean + (1.0 - self._keep) * loss
        # the first step compiles, so the speed is counted from the second on
        self._seconds = seconds if self._steps < 2 else self._keep * self._seconds + (1.0 - self._keep) * seconds
        self._steps += 1
        logs[self._loss_name] = self.mean
        logs["words_per_second"] = self._words / self._seconds


def divergence_error(what: str, step: int, value: float) -> InputError:
    """What to raise where `what` of a step, its loss or its gradient, is no number."""
    return InputError(
        f"the {what} of step {step} is {value}: training diverged; take a smaller --learning_rate or "
        "--all_clip_norm_val and go on from the last checkpoint, or from an older one, or start anew"
    )


class Validation(keras.callbacks.Callback):
    """Computes the exact perplexity of held-out text at the end of every epoch, or every so many steps.

    Adds `val_perplexity`, `val_perplexity_forward`, `val_perplexity_backward`, `val_perplexity_geometric` and the
    losses and `val_unknown_tokens` to the logs.

    Args:
        evaluate: gives the numbers by name, such as `lambda: Evaluator(...)().to_dict()`; what it raises passes
            through, and the validation stays due by the `notes`.
        every_steps: 0 for once an epoch.
        first: whether to validate before the first step too.
        report: takes a line for people.
        notes: where `VALIDATION_DUE` is kept, so that a checkpoint can carry it on.
        from_step: steps taken before.
    """

    def __init__(
        self,
        evaluate: Callable[[], Mapping[str, float]],
        every_steps: int = 0,
        first: bool = False,
        report: Callable[[str], None] = print,
        notes: Logs | None = None,
        from_step: int = 0,
    ) -> None:
        super().__init__()
        self._evaluate, self._every_steps, self._first, self._report = evaluate, every_steps, first, report
        self._notes = {} if notes is None else notes
        self._step = from_step
        self._validated = -1

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Makes up for a validation that the run before did not come to the end of, and validates if asked to."""
        if logs is not None and (self._first or VALIDATION_DUE in self._notes):
            logs.update(self._notes.get(VALIDATION_DUE, {}))
            self._validate(logs)

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Validates where `every_steps` divides the number of steps taken."""
        self._step = batch + 1
        if self._every_steps and self._step % self._every_steps == 0 and logs is not None:
            self._validate(logs)

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Validates, unless the last step just did."""
        if logs is not None and self._validated != self._step:
            self._validate(logs)

    def _validate(self, logs: Logs) -> None:
        started = time.perf_counter()
        # where the step's own validation was abandoned, its logs say more than those of the epoch's end
        self._notes.setdefault(VALIDATION_DUE, dict(logs))
        result = self._evaluate()
        del self._notes[VALIDATION_DUE]
        self._validated = self._step
        logs.update({f"val_{name}": value for name, value in result.items() if name != "tokens"})
        parts = [f"{name} {result[key]:.2f}" for name, key in _PERPLEXITIES.items() if key in result]
        self._report(
            f"step {self._step}: validation perplexity {', '.join(parts)} "
            f"({result['tokens']:,} tokens, full softmax, {time.perf_counter() - started:.0f} s)"
        )


_PERPLEXITIES = {"forward": "perplexity_forward", "backward": "perplexity_backward", "mean": "perplexity"}


class BestAndPatience(keras.callbacks.Callback):
    """Keeps the best weights by validation perplexity, and stops after so many validations without a better one.

    Args:
        save_best: called with the number of steps when a validation is the best so far, the notes telling of it.
        patience: validations to wait for a better one; 0 for ever.
        notes: where `best_perplexity`, `best_step` and `since_best` are kept, so that a checkpoint can carry them on.
        report: takes a line for people.
        from_step: steps taken before.
    """

    def __init__(
        self,
        save_best: Callable[[int], Any],
        patience: int,
        notes: Logs,
        report: Callable[[str], None] = print,
        from_step: int = 0,
    ) -> None:
        super().__init__()
        self._save_best, self._patience, self._notes, self._report = save_best, patience, notes, report
        self._step = from_step

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Looks at a validation made up for, or at one before the first step, whose weights, come from elsewhere, may
        stay the best."""
        if self._step or math.isfinite((logs or {}).get("val_perplexity", math.inf)):
            self._look(logs or {})

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Looks at a validation that the step brought."""
        self._step = batch + 1
        self._look(logs or {})

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Looks at a validation that the epoch's end brought."""
        self._look(logs or {})

    def _look(self, logs: Logs) -> None:
        if "val_perplexity" not in logs:
            return
        if logs["val_perplexity"] < self._notes.get("best_perplexity", math.inf):
            self._notes["best_perplexity"], self._notes["since_best"] = float(logs["val_perplexity"]), 0
            self._notes["best_step"] = self._step
            self._save_best(self._step)
            return
        self._notes["since_best"] = self._notes.get("since_best", 0) + 1
        if self._patience and self._notes["since_best"] >= self._patience:
            self._report(
                f"step {self._step}: stopped early, for {self._notes['since_best']} validations brought nothing better "
                f"than perplexity {self._notes['best_perplexity']:.2f}"
            )
            self.model.stop_training = True
