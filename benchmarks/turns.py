"""Stages of the step that take turns on the same words, and what that shows of each."""

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
"""Steps before the clock counts."""

_LAST = 50
"""Steps at the end whose mean loss is shown."""


@dataclass(frozen=True)
class StageSteps:
    """The steps of one stage.

    Args:
        name: the stage's.
        seconds: of each step, the wait for its input included.
        loss: the mean of the last steps.
    """

    name: str
    seconds: list[float]
    loss: float

    @property
    def median(self) -> float:
        """Of the seconds."""
        return statistics.median(self.seconds)


def warm_up(stages: Sequence[Staged], stream: PrefetchedStream) -> None:
    """A few steps of every stage that do not count."""
    for _ in range(_WARM_UP):
        tensors, _ = next(stream)
        for stage in stages:
            stage(tensors)


class Turns:
    """Stages that take turns, step by step, on the same words.

    Args:
        stages: what is compared.
        product: measured before every turn.
        options: the model's, by which multiplications are counted.
    """

    def __init__(self, stages: Sequence[Staged], product: harness.MatrixProduct, options: Options) -> None:
        self._stages, self._product, self._options = stages, product, options
        self._seconds: list[list[float]] = [[] for _ in stages]
        self.multiplications: list[int] = []
        self.distinct: list[int] = []

    def take(self, stream: PrefetchedStream) -> None:
        """One step of every stage."""
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
        """By stage."""
        return [
            StageSteps(stage.stage.name, seconds, statistics.mean(stage.trainer.losses[-_LAST:]))
            for stage, seconds in zip(self._stages, self._seconds, strict=True)
        ]
