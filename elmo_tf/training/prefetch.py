"""The training's input, computed while the step before is taken."""

import collections
import contextlib
import weakref
from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from elmo_tf.data.steps import Step
from elmo_tf.data.training_stream import Position, TrainingStream
from elmo_tf.errors import InputError
from elmo_tf.training.step_input import flatten_step, signature


class PrefetchedStream:
    """A stream that is computed ahead in the background by `tf.data`, each step with the position that belongs to it.

    The computing ends with it, or with the process.

    Args:
        stream: the stream.
        ahead: how many steps are kept ready.

    `first` is the step that comes first, for its shapes.
    """

    def __init__(self, stream: TrainingStream, ahead: int = 4) -> None:
        self._source = _Source(stream)
        self.first = self._source.first
        self._elements = iter(self._source.dataset(ahead))
        weakref.finalize(self, _end, self._source, self._elements)

    def __iter__(self) -> "PrefetchedStream":
        return self

    def __next__(self) -> tuple[tuple[Any, ...], Position]:
        """The step's tensors in the order of `flatten_step`, and the position after it."""
        element = next(self._elements, None)
        if element is None:
            raise self._source.error or StopIteration
        return element, self._source.positions.popleft()


class _Source:
    """What `tf.data` calls in a thread of its own; it does not know who takes the steps, and so keeps nobody alive."""

    def __init__(self, stream: TrainingStream) -> None:
        self.positions: collections.deque[Position] = collections.deque()
        self.error: InputError | None = None
        self.is_wanted = True
        self._steps = iter(stream)
        self._following: tuple[Step, Position] | None = next(self._steps)
        self.first = self._following[0]

    def dataset(self, ahead: int) -> Any:
        """The steps, each as a tuple of tensors."""
        steps = tf.data.Dataset.from_generator(self._generate, output_signature=signature(flatten_step(self.first)))
        return steps.prefetch(ahead)

    def _generate(self) -> Iterator[tuple[np.ndarray, ...]]:
        while self._following is not None and self.is_wanted:
            step, position = self._following
            self.positions.append(position)
            yield tuple(flatten_step(step))
            self._following = self._next() if self.is_wanted else None

    def _next(self) -> tuple[Step, Position] | None:
        try:
            return next(self._steps)
        except InputError as error:  # tf.data would bury it in an error of its own
            self.error = error
            return None


def _end(source: _Source, elements: Iterator[Any]) -> None:
    """Ends the computing, and takes what there still is of it, which ends `tf.data`'s thread.

    TensorFlow (2.21) waits for that thread when an iterator goes, and where Python goes first the thread waits for
    Python: a program that has done its work hangs at its end for ever, or aborts.
    """
    source.is_wanted = False
    # the garbage collector may come here while a function is traced, where the elements would be operations without end
    with tf.init_scope(), contextlib.suppress(tf.errors.OpError):
        for _ in elements:
            pass
