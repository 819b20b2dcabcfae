"""`Turns`: the stages of the training step, which take turns on the same words, and the measurements of each."""

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass

import tensorflow as tf

from benchmarks import counting, harness
from benchmarks.stages import Staged
from elmo_tf.options import Options
from elmo_tf.training.prefetch import PrefetchedStream
from elmo_tf.training.step_input import unflatten_step

_WARM_UP = 3
"""The number of first steps of each stage, which are not measured."""

_LAST = 50
"""The number of last steps whose mean loss is shown."""


@dataclass(frozen=True)
class StageSteps:
    """The measurements of one stage.

    Args:
        name: the stage's name.
        seconds: the seconds of each step, the wait for its input included.
        loss: the mean loss of the last steps.
    """

    name: str
    seconds: list[float]
    loss: float

    @property
    def median(self) -> float:
        """The median of the seconds."""
        return statistics.median(self.seconds)


def warm_up(stages: Sequence[Staged], stream: PrefetchedStream) -> None:
    """Takes a few steps of every stage that are not measured."""
    for _ in range(_WARM_UP):
        tensors, _ = next(stream)
        for stage in stages:
            stage(tensors)


class Turns:
    """Stages that take turns, step by step, on the same words.

    Args:
        stages: the stages that are compared.
        product: the matrix product, which is measured before every turn.
        options: the model's options, by which multiplications are counted.
    """

    def __init__(self, stages: Sequence[Staged], product: harness.MatrixProduct, options: Options) -> None:
        self._stages, self._product, self._options = stages, product, options
        self._seconds: list[list[float]] = [[] for _ in stages]
        self.multiplications: list[int] = []
        self.distinct: list[int] = []

    def take(self, stream: PrefetchedStream) -> None:
        """Takes one step of every stage."""
        self._product.measure()
        started = time.perf_counter()
        tensors, _ = next(stream)
        waited = time.perf_counter() - started
        for stage, seconds in zip(self._stages, self._seconds, strict=True):
            seconds.append(waited + stage(tensors))
        self._count(tensors)

    def _count(self, tensors: Sequence[tf.Tensor]) -> None:
        words = [window.words for window in unflatten_step([tensor.numpy() for tensor in tensors]).windows]
        rows = self._options.training.batch_size
        self.multiplications.append(sum(counting.of_window(self._options, part, rows).total for part in words))
        self.distinct.append(sum(map(len, words)))

    def steps(self) -> list[StageSteps]:
        """The measurements of each stage."""
        return [
            StageSteps(stage.stage.name, seconds, statistics.mean(stage.trainer.losses[-_LAST:]))
            for stage, seconds in zip(self._stages, self._seconds, strict=True)
        ]
