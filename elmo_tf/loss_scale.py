"""The factor that keeps the small gradients of float16 from vanishing."""

from typing import Any, NamedTuple

import tensorflow as tf

FIRST, LARGEST = 2.0**15, 2.0**24
STEADY = 2000
"""Steps without overflow after which the factor is doubled (Micikevicius et al. 2018, section 3.2)."""


class LossScale(NamedTuple):
    """What the objective is multiplied by, and the gradient divided by: a power of two, so nothing is rounded by it.

    Args:
        factor: float32, a scalar; 1 where nothing needs scaling.
        steady: int32, a scalar: steps since it last changed; -1 where it never does.

    Example:

    >>> scale = LossScale.first("float16")
    >>> float(scale.factor), float(scale.after(tf.constant(False)).factor)
    (32768.0, 16384.0)
    >>> float(LossScale.first("float32").after(tf.constant(False)).factor)
    1.0
    """

    factor: Any
    steady: Any

    @classmethod
    def first(cls, compute_dtype: str) -> "LossScale":
        """The one to start with."""
        return cls.of(FIRST, 0) if compute_dtype == "float16" else cls.of(1.0, -1)

    @classmethod
    def of(cls, factor: float, steady: int) -> "LossScale":
        """From numbers."""
        return cls(tf.constant(factor, tf.float32), tf.constant(steady, tf.int32))

    @classmethod
    def signature(cls) -> "LossScale":
        """Shapes and types."""
        return cls(tf.TensorSpec([], tf.float32), tf.TensorSpec([], tf.int32))

    def to_list(self) -> list[float]:
        """The numbers that `of` takes."""
        return [float(self.factor), int(self.steady)]

    def after(self, finite: tf.Tensor) -> "LossScale":
        """The next one: half after an overflow, twice after many steps without one.

        Args:
            finite: whether the gradients of the step were.
        """
        steady = tf.where(finite, self.steady + 1, 0)
        due = steady >= STEADY
        grown = tf.where(due, tf.minimum(2.0 * self.factor, LARGEST), self.factor)
        factor = tf.where(finite, grown, tf.maximum(self.factor / 2.0, 1.0))
        scales = self.steady >= 0
        return LossScale(tf.where(scales, factor, 1.0), tf.where(scales, tf.where(due, 0, steady), -1))
