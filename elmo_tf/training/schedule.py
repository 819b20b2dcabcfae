"""The learning rate as a function of the step: a warm-up, and then constant, linear or cosine."""

import math
from dataclasses import dataclass

import tensorflow as tf

from elmo_tf.training_options import TrainingOptions


@dataclass(frozen=True)
class Schedule:
    """The learning rate of each step.

    In the first `warmup_steps` steps it rises linearly, and the last of them has the peak (Goyal et al. 2017). It then
    stays there, or falls to 0 at `decay_steps`: in a line, or as half a cosine (Loshchilov and Hutter 2017). The rate
    depends on the step alone, so a resumed run has the rates of the unbroken one.

    Args:
        peak: the highest learning rate.
        kind: "constant", "linear" or "cosine".
        warmup_steps: steps of the warm-up.
        decay_steps: the number of the step at which the rate would be 0, counted from the beginning of the run.

    Example:

    >>> schedule = Schedule(peak=1.0, kind="linear", warmup_steps=2, decay_steps=6)
    >>> [float(schedule(step)) for step in range(6)]
    [0.5, 1.0, 1.0, 0.75, 0.5, 0.25]
    """

    peak: float
    kind: str = "constant"
    warmup_steps: int = 0
    decay_steps: int = 0

    def __call__(self, step: tf.Tensor | int) -> tf.Tensor:
        """The learning rate of the step with this number, a float32 scalar; the first step has the number 0."""
        now = tf.cast(step, tf.float32)
        factor = tf.constant(1.0)
        if self.kind != "constant":
            length = max(self.decay_steps - self.warmup_steps, 1)
            passed = tf.clip_by_value((now - self.warmup_steps) / length, 0.0, 1.0)
            factor = 1.0 - passed if self.kind == "linear" else 0.5 * (1.0 + tf.cos(math.pi * passed))
        if self.warmup_steps:
            factor = tf.minimum(factor, (now + 1.0) / self.warmup_steps)
        return self.peak * factor


def learning_rate(training: TrainingOptions, total_steps: int | None) -> float | Schedule:
    """The learning rate of a run: a number where it is the same in all steps, or else a schedule.

    Args:
        training: the training options.
        total_steps: the steps of the run; None where it has no end, as in a benchmark, and the rate then stays at its
            peak if `decay_steps` is not given.
    """
    end = training.decay_steps or total_steps
    kind = training.schedule if end else "constant"
    if kind == "constant" and not training.warmup_steps:
        return training.learning_rate
    return Schedule(training.learning_rate, kind, training.warmup_steps, end or 0)
