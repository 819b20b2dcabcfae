"""Prefetching: the input of a training step is computed while the steps before it are taken."""

import collections
import contextlib
import weakref
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from elmo_tf.data.steps import Step
from elmo_tf.data.stream_position import Position
from elmo_tf.errors import InputError
from elmo_tf.training.devices import still_keep_freed_memory
from elmo_tf.training.step_input import flatten_step, signature


class PrefetchedStream:
    """A training stream that `tf.data` computes ahead in a background thread.

    Each step comes with the position of the stream after it. The thread ends when this object is deleted, or with the
    process. The attribute `first` is the first step, for its shapes.

    Args:
        stream: the stream.
        ahead: the number of steps that are kept ready.
    """

    def __init__(self, stream: Iterable[tuple[Step, Position]], ahead: int = 4) -> None:
        self._source = _Source(stream)
        self.first = self._source.first
        self._elements = iter(self._source.dataset(ahead))
        still_keep_freed_memory()
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
    """The generator that `tf.data` calls in its thread.

    It holds no reference to the `PrefetchedStream`, which can so be deleted while the thread is running.
    """

    def __init__(self, stream: Iterable[tuple[Step, Position]]) -> None:
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
        except InputError as error:  # tf.data would wrap it in an error of its own
            self.error = error
            return None


def _end(source: _Source, elements: Iterator[Any]) -> None:
    """Stops the generator and takes the steps that are ready, after which the thread of `tf.data` ends.

    TensorFlow (2.21) waits for that thread when an iterator is deleted, and the thread waits for Python's lock. Without
    this a program that has done its work could hang at its end for ever, or abort.
    """
    source.is_wanted = False
    # The garbage collector may call this while a function is traced. Without `init_scope` the loop would then add
    # operations to the graph without end.
    with tf.init_scope(), contextlib.suppress(tf.errors.OpError):
        for _ in elements:
            pass
