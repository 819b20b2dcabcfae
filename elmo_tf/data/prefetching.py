"""The training's input, computed while the step before is taken."""

import collections
from collections.abc import Iterator
from typing import Any

import numpy as np

from elmo_tf.data.lm_stream import Position, TrainingStream
from elmo_tf.data.steps import Step, flat, signature
from elmo_tf.errors import InputError


class Prefetched:
    """A stream that is computed ahead in the background by `tf.data`, each step with the position that belongs to it.

    Args:
        stream: the stream.
        ahead: how many steps are kept ready.

    `first` is the step that comes first, for its shapes.
    """

    def __init__(self, stream: TrainingStream, ahead: int = 4) -> None:
        self._positions: collections.deque[Position] = collections.deque()
        self._error: InputError | None = None
        steps = iter(stream)
        following = next(steps)
        self.first = following[0]
        self._elements = iter(self._dataset(following, steps, ahead))

    def _dataset(self, first: tuple[Step, Position], steps: Iterator[tuple[Step, Position]], ahead: int) -> Any:
        import tensorflow as tf

        def generate() -> Iterator[tuple[np.ndarray, ...]]:
            following: tuple[Step, Position] | None = first
            while following is not None:
                step, position = following
                self._positions.append(position)
                yield tuple(flat(step))
                following = self._next(steps)

        return tf.data.Dataset.from_generator(generate, output_signature=signature(flat(first[0]))).prefetch(ahead)

    def _next(self, steps: Iterator[tuple[Step, Position]]) -> tuple[Step, Position] | None:
        try:
            return next(steps)
        except InputError as error:  # tf.data would bury it in an error of its own
            self._error = error
            return None

    def __iter__(self) -> "Prefetched":
        return self

    def __next__(self) -> tuple[tuple[Any, ...], Position]:
        """The step's tensors in the order of `flat`, and the position after it."""
        element = next(self._elements, None)
        if element is None:
            raise self._error or StopIteration
        return element, self._positions.popleft()
