"""The running mean of the training loss, and the speed in words per second."""

import math
import time

import keras

from elmo_tf.training.divergence import divergence_error
from elmo_tf.training.state import Logs, RunState


class Meter(keras.callbacks.Callback):
    """Replaces a step's loss in the logs by its mean over the last steps, and adds `words_per_second`.

    The first step of a process, of a resumed run too, compiles the model. It adds no speed, and counts in none.

    Args:
        state: the run's state, in which the mean is kept, so that a resumed run carries it on.
        loss_name: the loss's name in the logs.
        words_per_step: tokens of all replicas, in one direction.
        steps: about how many steps a mean reaches back.
    """

    def __init__(self, state: RunState, loss_name: str, words_per_step: int, steps: int = 50) -> None:
        super().__init__()
        self._state, self._loss_name, self._words, self._keep = state, loss_name, words_per_step, 1.0 - 1.0 / steps
        self._seconds = self._started = 0.0
        self._timed_steps = 0

    def on_train_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Starts the clock."""
        self._started = time.perf_counter()

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Adds the means. A loss that is not finite ends the run before a checkpoint can keep it."""
        logs = {} if logs is None else logs
        loss, seconds = logs[self._loss_name], time.perf_counter() - self._started
        if not math.isfinite(loss):
            raise divergence_error(f"the loss of step {batch + 1} is {loss}")
        before = self._state.mean_loss
        self._state.mean_loss = loss if before is None else self._keep * before + (1.0 - self._keep) * loss
        logs[self._loss_name] = self._state.mean_loss
        if self._timed_steps:
            mean = self._keep * self._seconds + (1.0 - self._keep) * seconds
            self._seconds = seconds if self._timed_steps == 1 else mean
            logs["words_per_second"] = self._words / self._seconds
        self._timed_steps += 1
