"""The logs of a training run, as Keras callbacks: on the terminal and in a CSV file."""

import contextlib
import csv
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf

from elmo_tf.errors import InputError
from elmo_tf.system.atomic_files import atomic_write
from elmo_tf.system.error_text import reason
from elmo_tf.training.state import Logs, RunState

_MOST_DIGITS = 18
"""Digits of the largest step that a row of log.csv can have; Python reads no number of thousands of digits."""


class Progress(keras.callbacks.Callback):
    """Shows the epoch, the share of steps taken, the time left, the words per second, and the loss.

    On a terminal it is Keras's progress bar; elsewhere a line is reported from time to time. The time left is known
    from the second step of a process on: it follows from the steps of the epoch that this process has taken, without
    its first one, which compiles the model.

    Args:
        bounds: `bounds[e]` is the number of the first step of epoch e; the last entry is the number of all steps.
        loss_name: the name of the loss in the logs, by which it is shown.
        report: takes a line for people.
        interval: seconds between two lines where the output is no terminal.
    """

    def __init__(
        self, bounds: Sequence[int], loss_name: str, report: Callable[[str], None] = print, interval: float = 30.0
    ) -> None:
        super().__init__()
        self._bounds, self._loss_name, self._print, self._interval = bounds, loss_name, report, interval
        self._bar: Any = None
        self._line_is_open = False
        self._epoch = 0
        self._shown = 0.0
        self._timed_from: tuple[int, float] | None = None  # steps taken, and the time, when the timing began

    def report(self, line: str) -> None:
        """Reports a line for people, below the progress bar if there is one."""
        if self._line_is_open:
            sys.stdout.write("\n")
            self._line_is_open = False
        self._print(line)

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Reports the epoch, and starts a progress bar on a terminal."""
        self._epoch, self._shown = epoch, time.monotonic()
        if self._timed_from is not None:
            self._timed_from = (self._bounds[epoch], self._shown)
        self.report(f"Epoch {epoch + 1}/{len(self._bounds) - 1}")
        if sys.stdout.isatty():
            steps = self._bounds[epoch + 1] - self._bounds[epoch]
            names = [self._loss_name, "words_per_second", "percent_of_all"]
            self._bar = _Bar(steps, stateful_metrics=names, interval=0.2)

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Moves the progress bar, or reports a line if one is due."""
        logs, first = logs or {}, self._bounds[self._epoch]
        done, steps = batch + 1 - first, self._bounds[self._epoch + 1] - first
        share = 100.0 * (batch + 1) / self._bounds[-1]
        seconds = self._seconds_per_step(batch + 1)
        if self._bar is not None:
            if seconds is None and done < steps:
                return
            values = [(name, logs[name]) for name in (self._loss_name, "words_per_second") if name in logs]
            self._bar.seconds_per_step = seconds or 0.0
            self._bar.update(done, [*values, ("percent_of_all", share)], finalize=False)
            self._line_is_open = True
        elif time.monotonic() - self._shown > self._interval or done == steps:
            self._shown = time.monotonic()
            parts = [f"{done:,}/{steps:,} steps", f"{share:.1f} % of all"]
            if seconds is not None:
                parts.append(f"{seconds * (steps - done):.0f} s left in the epoch")
            if "words_per_second" in logs:
                parts.append(f"{logs['words_per_second']:,.0f} words/s")
            self.report(f"  {', '.join(parts)}, {self._loss_name} {logs[self._loss_name]:.4f}")

    def _seconds_per_step(self, taken: int) -> float | None:
        """The mean of the timed steps of the epoch; None at the first step of the process."""
        now = time.monotonic()
        if self._timed_from is None:
            self._timed_from = (taken, now)
            return None
        before, start = self._timed_from
        return (now - start) / max(1, taken - before)


class _Bar(keras.utils.Progbar):
    """Keras's progress bar with a time of a step that is set from outside.

    Keras's own one counts the steps before a resume as if they had been taken since.
    """

    seconds_per_step = 0.0

    def _estimate_step_duration(self, current: int, now: float) -> float:
        return self.seconds_per_step


class CsvLog(keras.callbacks.Callback):
    """Appends a row of numbers to a CSV file every so many steps, and at every validation.

    A new run begins the file anew. A resumed run keeps the rows up to its checkpoint, and removes those that a killed
    process wrote after it.

    Args:
        state: the run's state, of which the step is logged.
        path: the file.
        every_steps: steps between rows.
        names: the columns behind `step` and `epoch`. A column that the logs have no number for stays empty.
        epoch: the epoch that the last step before belongs to, counted from 1; 0 before the first step.
    """

    def __init__(self, state: RunState, path: str, every_steps: int, names: Sequence[str], epoch: int = 0) -> None:
        super().__init__()
        self._state, self._path, self._every_steps = state, path, every_steps
        self._names, self._epoch = ["step", "epoch", *names], epoch

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Begins the file, or removes the rows behind the checkpoint that the run was resumed from."""
        kept: list[dict[str, str]] = []
        validated = bool(logs and "val_perplexity" in logs)
        if self._state.is_resumed and os.path.exists(self._path):
            kept = self._read_kept(validated)
        with atomic_write(self._path) as temporary, open(temporary, "w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, self._names, restval="", extrasaction="ignore")
            writer.writeheader()
            writer.writerows(kept)
        if logs and validated:
            self._row(logs)

    def _read_kept(self, validated: bool) -> list[dict[str, str]]:
        """The rows of the file that are kept; adds the columns that only the file has to those that are written.

        Raises:
            InputError: the file cannot be read, or is no CSV file.
        """
        try:
            with open(self._path, encoding="utf-8", errors="replace", newline="") as file:
                reader = csv.DictReader(file)
                kept = [row for row in reader if self._is_kept(row, validated)]
                self._names += [name for name in reader.fieldnames or () if name not in self._names]
        except OSError as error:
            raise InputError(f"{self._path} cannot be read: {error.strerror}", path=self._path) from error
        except csv.Error as error:  # such as a field of more than 131,072 characters
            raise InputError(
                f"{self._path}: expected the rows of this run's log, got what is no CSV file ({error}): mend it, or "
                "move it away",
                path=self._path,
            ) from error
        return kept

    def _is_kept(self, row: Mapping[str, str | None], validated: bool) -> bool:
        """Whether a row of the file is kept.

        A row that a kill cut off is not, nor one of a step behind the checkpoint, nor that of a validation of the
        checkpoint's own step if the resumed run has validated again.
        """
        step = row.get("step") or ""
        if not step.isdecimal() or len(step) > _MOST_DIGITS or int(step) > self._state.step:
            return False
        return not (validated and int(step) == self._state.step and row.get("val_perplexity"))

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Remembers the epoch for the rows."""
        self._epoch = epoch + 1

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Writes a row where one is due."""
        if logs and (self._state.step % self._every_steps == 0 or "val_perplexity" in logs):
            self._row(logs)

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Writes a row for a validation at the end of the epoch."""
        if logs and "val_perplexity" in logs:
            self._row(logs)

    def _row(self, logs: Logs) -> None:
        numbers = [f"{logs[name]:.6g}" if name in logs else "" for name in self._names[2:]]
        with writing(self._path), open(self._path, "a", encoding="utf-8", newline="") as file:
            csv.writer(file).writerow([self._state.step, self._epoch, *numbers])


@contextlib.contextmanager
def writing(path: str) -> Iterator[None]:
    """Turns an error of writing, such as that of a full disk, into an `InputError` that names `path`."""
    try:
        yield
    except (tf.errors.OpError, OSError) as error:
        raise InputError(f"{path} cannot be written: {reason(error)}", path=path) from error
