"""The log of a training run for TensorBoard, as a Keras callback: curves of its numbers, histograms of its weights."""

import math
import time
from collections.abc import Mapping

import keras
import numpy as np
import tensorflow as tf
from tensorboard.plugins.histogram import metadata

from elmo_tf.training.logs import writing
from elmo_tf.training.state import Logs, RunState

BUCKETS = 30
"""The buckets of a histogram, as many as TensorBoard makes by itself."""

_NUMBERS_AT_ONCE = 1 << 20
"""The numbers of a weight that are counted at a time, so that a large table needs no memory of its size."""


class TensorBoardLog(keras.callbacks.Callback):
    """Writes the numbers of the logs as TensorBoard scalars by step, and histograms of the weights.

    A run that goes on at a checkpoint tells TensorBoard to forget the points that a killed process wrote behind it, and
    a new run to forget all points, so that no step has two.

    Args:
        state: the run's state, of which the step is logged.
        folder: the folder of the event files.
        every_steps: steps between two writes. Validations are always written.
        weights: the weights by name, of which histograms are written.
        histogram_steps: steps between two histograms; 0 for none. The weights must not change meanwhile: no step may be
            in flight behind such a step.
    """

    def __init__(
        self,
        state: RunState,
        folder: str,
        every_steps: int,
        weights: Mapping[str, tf.Variable] | None = None,
        histogram_steps: int = 0,
    ) -> None:
        super().__init__()
        self._state, self._folder, self._every_steps = state, folder, every_steps
        self._weights, self._histogram_steps = dict(weights or {}), histogram_steps
        with writing(folder):
            # trackable, for only such a writer shows its resource, which takes an event that is no summary
            self._writer = tf.summary.create_file_writer(folder, experimental_trackable=True)

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Drops points of an earlier process, and writes the first ones.

        These are a validation before the first step, or one that is made up for after a resume, and the histograms of
        the first weights.
        """
        keeps_step = self._state.is_resumed and not (logs and "val_perplexity" in logs)
        self._forget_from(self._state.step + 1 if keeps_step else self._state.step)
        self._write(logs or {})
        if not keeps_step:
            self._write_histograms()

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Writes the numbers and the histograms of a step where they are due."""
        if logs and (self._state.step % self._every_steps == 0 or "val_perplexity" in logs):
            self._write(logs)
        self._write_histograms()

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Writes a validation at the end of the epoch."""
        self._write({name: value for name, value in (logs or {}).items() if name.startswith("val_")})

    def on_train_end(self, logs: Logs | None = None) -> None:
        """Closes the event file."""
        with writing(self._folder):
            self._writer.close()

    def _forget_from(self, step: int) -> None:
        """Writes the event at which TensorBoard forgets the points of this step and of later ones.

        TensorBoard takes it for a restart only where an earlier event file begins with one too, so each file has one.
        """
        start = tf.compat.v1.SessionLog(status=tf.compat.v1.SessionLog.START)
        event = tf.compat.v1.Event(step=step, wall_time=time.time(), session_log=start)
        with writing(self._folder):
            tf.raw_ops.ImportEvent(writer=self._writer.resource_handle, event=event.SerializeToString())

    def _write(self, logs: Logs) -> None:
        with writing(self._folder), self._writer.as_default():
            for name, value in logs.items():
                group = "validation/" + name.removeprefix("val_") if name.startswith("val_") else "training/" + name
                tf.summary.scalar(group, value, step=self._state.step)
            self._writer.flush()

    def _write_histograms(self) -> None:
        """Writes the histograms of the weights after this step, if they are due."""
        if not self._histogram_steps or self._state.step % self._histogram_steps:
            return
        about = metadata.create_summary_metadata(display_name=None, description=None)
        with writing(self._folder), self._writer.as_default():
            for name, weight in self._weights.items():
                buckets = count_in_buckets(weight)
                if buckets is not None:
                    tf.summary.write(f"weights/{name}", buckets, self._state.step, about)
            self._writer.flush()


def count_in_buckets(weight: tf.Variable) -> np.ndarray | None:
    """Counts the numbers of a weight in `BUCKETS` buckets of equal width from the smallest to the largest.

    Unlike `tf.summary.histogram`, it makes no float64 and one-hot copies of the whole weight.

    Returns:
        float64 `(BUCKETS, 3)`: the left end, the right end and the count of each bucket, as TensorBoard expects them.
        None if a number is not finite.

    Example:

    >>> buckets = count_in_buckets(tf.Variable([[0.0, 1.0], [30.0, 30.0]]))
    >>> buckets[[0, 1, 29]].tolist()
    [[0.0, 1.0, 1.0], [1.0, 2.0, 1.0], [29.0, 30.0, 2.0]]
    """
    flat = tf.reshape(tf.convert_to_tensor(weight), [-1])
    if not math.isfinite(float(tf.reduce_sum(flat))):  # the largest and smallest may hide a NaN
        return None
    low, high = float(tf.reduce_min(flat)), float(tf.reduce_max(flat))
    counts = np.zeros(BUCKETS, np.int64)
    if low == high:  # TensorBoard's form for numbers that are all the same
        counts[-1] = flat.shape[0]
    else:
        for start in range(0, flat.shape[0], _NUMBERS_AT_ONCE):
            part = flat[start : start + _NUMBERS_AT_ONCE].numpy().astype(np.float64)
            counts += np.histogram(part, BUCKETS, (low, high))[0]
    edges = np.linspace(low, high, BUCKETS + 1)
    return np.stack([edges[:-1], edges[1:], counts.astype(np.float64)], 1)
