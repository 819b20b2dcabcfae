"""Keras callbacks that tell of a training run: on the terminal, in a CSV file, to TensorBoard."""

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
from elmo_tf.training.callbacks import Logs


class Progress(keras.callbacks.Callback):
    """Epoch, share done, time left, words a second, the loss by its right name.

    Keras's progress bar on a terminal, a line now and then in a file.

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
        from_step: steps taken before; rows that a killed run wrote after its last checkpoint are taken out. None for a
            new run, whose file begins anew.
        from_epoch: the epoch that the last of them was of, from 1 on.
    """

    def __init__(
        self, path: str, every_steps: int, names: Sequence[str], from_step: int | None = None, from_epoch: int = 0
    ) -> None:
        super().__init__()
        self._path, self._every_steps, self._names = path, every_steps, ["step", "epoch", *names]
        self._epoch, self._step, self._goes_on = from_epoch, from_step or 0, from_step is not None

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Begins the file, or goes on where the last checkpoint was."""
        kept: list[dict[str, str]] = []
        validated = bool(logs and "val_perplexity" in logs)
        if self._goes_on and os.path.exists(self._path):
            with open(self._path, encoding="utf-8", errors="replace", newline="") as file:
                reader = csv.DictReader(file)
                kept = [row for row in reader if self._is_kept(row, validated)]
                self._names += [name for name in reader.fieldnames or () if name not in self._names]
        with atomic_write(self._path) as temporary, open(temporary, "w", encoding="utf-8", newline="") as file:
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
        raise InputError(f"{path} cannot be written: {reason(error)}", path=path) from error
