"""Keras callbacks of a training run: validation, progress, logs, early stop.

The training loop calls them as `Model.fit` would. `Validation` puts its results into the `logs` that those behind it in
the list are handed in the same call; a callback that acts on validations looks for `val_perplexity` there.
"""

import contextlib
import csv
import math
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf

from elmo_tf.errors import InputError
from elmo_tf.files import reason, replacing

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
            raise InputError(
                f"the loss of step {batch + 1} is {loss}: training diverged; take a smaller --learning_rate or "
                "--all_clip_norm_val and go on from the last checkpoint"
            )
        self.mean = loss if self.mean is None else self._keep * self.mean + (1.0 - self._keep) * loss
        # the first step compiles, so the speed is counted from the second on
        self._seconds = seconds if self._steps < 2 else self._keep * self._seconds + (1.0 - self._keep) * seconds
        self._steps += 1
        logs[self._loss_name] = self.mean
        logs["words_per_second"] = self._words / self._seconds


class Validation(keras.callbacks.Callback):
    """Computes the exact perplexity of held-out text at the end of every epoch, or every so many steps.

    Adds `val_perplexity`, `val_perplexity_forward`, `val_perplexity_backward`, `val_perplexity_geometric` and the
    losses and `val_unknown_tokens` to the logs.

    Args:
        evaluate: gives the numbers by name, such as `lambda: Evaluator(...)().to_dict()`; what it raises passes
            through, and the validation stays due.
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


class Progress(keras.callbacks.Callback):
    """Epoch, share done, time left, words a second, the loss by its right name.

    Keras' progress bar on a terminal, a line now and then in a file.

    Args:
        bounds: `bounds[e]` is the number of the first step of epoch e, and the last entry the number of all steps.
        loss_name: what to show beside `words_per_second`.
        report: takes a line for people.
        interval: seconds between lines where the output is no terminal.
    """

    def __init__(
        self, bounds: Sequence[int], loss_name: str, report: Callable[[str], None] = print, interval: float = 30.0
    ) -> None:
        super().__init__()
        self._bounds, self._loss_name, self._print, self._interval = bounds, loss_name, report, interval
        self._bar: Any = None
        self._line_is_open = False
        self._epoch = 0
        self._shown = self._started = 0.0

    def report(self, line: str) -> None:
        """A line for people; the bar, where it stands on the terminal's last line, is left as it is."""
        if self._line_is_open:
            sys.stdout.write("\n")
            self._line_is_open = False
        self._print(line)

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Starts a bar."""
        self._epoch, self._started = epoch, time.monotonic()
        self._shown = self._started
        self.report(f"Epoch {epoch + 1}/{len(self._bounds) - 1}")
        if sys.stdout.isatty():
            steps = self._bounds[epoch + 1] - self._bounds[epoch]
            names = [self._loss_name, "words_per_second", "percent_of_all"]
            self._bar = keras.utils.Progbar(steps, stateful_metrics=names, interval=0.2)

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Moves the bar, or reports a line if one is due."""
        logs, first = logs or {}, self._bounds[self._epoch]
        done, steps = batch + 1 - first, self._bounds[self._epoch + 1] - first
        share = 100.0 * (batch + 1) / self._bounds[-1]
        if self._bar is not None:
            values = [(name, logs[name]) for name in (self._loss_name, "words_per_second") if name in logs]
            self._bar.update(done, [*values, ("percent_of_all", share)], finalize=False)
            self._line_is_open = True
        elif time.monotonic() - self._shown > self._interval or done == steps:
            self._shown = time.monotonic()
            left = (self._shown - self._started) / done * (steps - done)
            self.report(
                f"  {done:,}/{steps:,} steps, {share:.1f} % of all, {left:.0f} s left in the epoch, "
                f"{logs['words_per_second']:,.0f} words/s, {self._loss_name} {logs[self._loss_name]:.4f}"
            )


class CsvLog(keras.callbacks.Callback):
    """A row of numbers every so many steps, and at every validation, appended to a CSV file.

    Args:
        path: the file.
        every_steps: how often.
        names: the columns behind `step` and `epoch`; what the logs lack stays empty.
        from_step: steps taken before; rows that a killed run wrote after its last checkpoint are taken out.
        from_epoch: the epoch that the last of them was of, from 1 on.
    """

    def __init__(
        self, path: str, every_steps: int, names: Sequence[str], from_step: int = 0, from_epoch: int = 0
    ) -> None:
        super().__init__()
        self._path, self._every_steps, self._names = path, every_steps, ["step", "epoch", *names]
        self._epoch, self._step = from_epoch, from_step

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Begins the file, or goes on where the last checkpoint was."""
        kept: list[dict[str, str]] = []
        validated = bool(logs and "val_perplexity" in logs)
        if self._step and os.path.exists(self._path):
            with open(self._path, encoding="utf-8", errors="replace", newline="") as file:
                reader = csv.DictReader(file)
                kept = [row for row in reader if self._is_kept(row, validated)]
                self._names += [name for name in reader.fieldnames or () if name not in self._names]
        with replacing(self._path) as temporary, open(temporary, "w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, self._names, restval="", extrasaction="ignore")
            writer.writeheader()
            writer.writerows(kept)
        if logs and validated:
            self._row(logs)

    def _is_kept(self, row: Mapping[str, str | None], validated: bool) -> bool:
        """Whether a row of the run before stays: a kill may have torn the last one, or come between the row of a
        validation that is now done once more and the checkpoint."""
        step = row.get("step") or ""
        if not step.isdecimal() or int(step) > self._step:
            return False
        return not (validated and int(step) == self._step and row.get("val_perplexity"))

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Notes the epoch."""
        self._epoch = epoch + 1

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Writes a row where one is due."""
        self._step = batch + 1
        if logs and (self._step % self._every_steps == 0 or "val_perplexity" in logs):
            self._row(logs)

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Writes the epoch's validation."""
        if logs and "val_perplexity" in logs:
            self._row(logs)

    def _row(self, logs: Logs) -> None:
        numbers = [f"{logs[name]:.6g}" if name in logs else "" for name in self._names[2:]]
        with _writing(self._path), open(self._path, "a", encoding="utf-8", newline="") as file:
            csv.writer(file).writerow([self._step, self._epoch, *numbers])


class TensorBoardLog(keras.callbacks.Callback):
    """The logs' numbers as TensorBoard scalars by step.

    Args:
        folder: where the event files go.
        every_steps: how often; validations always.
        from_step: steps taken before.
    """

    def __init__(self, folder: str, every_steps: int, from_step: int = 0) -> None:
        super().__init__()
        self._folder = folder
        with _writing(folder):
            self._writer = tf.summary.create_file_writer(folder)
        self._every_steps, self._step = every_steps, from_step

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Writes a validation before the first step, or one made up for."""
        self._write(logs or {})

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Writes what is due."""
        self._step = batch + 1
        if logs and (self._step % self._every_steps == 0 or "val_perplexity" in logs):
            self._write(logs)

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Writes the epoch's validation."""
        self._write({name: value for name, value in (logs or {}).items() if name.startswith("val_")})

    def on_train_end(self, logs: Logs | None = None) -> None:
        """Closes the file."""
        with _writing(self._folder):
            self._writer.close()

    def _write(self, logs: Logs) -> None:
        with _writing(self._folder), self._writer.as_default():
            for name, value in logs.items():
                group = "validation/" + name.removeprefix("val_") if name.startswith("val_") else "training/" + name
                tf.summary.scalar(group, value, step=self._step)
            self._writer.flush()


@contextlib.contextmanager
def _writing(path: str) -> Iterator[None]:
    """A full disk is one sentence that names `path`."""
    try:
        yield
    except (tf.errors.OpError, OSError) as error:
        raise InputError(f"{path} cannot be written: {reason(error)}") from error


class BestAndPatience(keras.callbacks.Callback):
    """Keeps the best weights by validation perplexity, and stops after so many validations without a better one.

    Args:
        save_best: called with the number of steps when a validation is the best so far.
        patience: validations to wait for a better one; 0 for ever.
        notes: where `best_perplexity` and `since_best` are kept, so that a checkpoint can carry them on.
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
            self._save_best(self._step)
            return
        self._notes["since_best"] = self._notes.get("since_best", 0) + 1
        if self._patience and self._notes["since_best"] >= self._patience:
            self._report(
                f"step {self._step}: stopped early, for {self._notes['since_best']} validations brought nothing better "
                f"than perplexity {self._notes['best_perplexity']:.2f}"
            )
            self.model.stop_training = True
