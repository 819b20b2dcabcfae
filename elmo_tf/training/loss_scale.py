"""The loss scale of float16 training, which keeps small gradients from vanishing (Micikevicius et al. 2018)."""

from typing import Any, NamedTuple

import tensorflow as tf

FIRST, LARGEST = 2.0**15, 2.0**24
STEADY = 2000
"""Steps without overflow after which the factor is doubled (Micikevicius et al. 2018, section 3.2)."""


class LossScale(NamedTuple):
    """The factor that the loss is multiplied by and the gradient divided by: a power of two, so neither rounds.

    Args:
        factor: a float32 scalar; 1 where the precision needs no loss scale.
        steady: an int32 scalar: the number of steps since the factor last changed; -1 where it never changes.

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
        """The loss scale of a run's first step: only float16 needs a factor other than 1."""
        return cls.of(FIRST, 0) if compute_dtype == "float16" else cls.of(1.0, -1)

    @classmethod
    def of(cls, factor: float, steady: int) -> "LossScale":
        """The loss scale of these two numbers, such as `to_list` gave."""
        return cls(tf.constant(factor, tf.float32), tf.constant(steady, tf.int32))

    @classmethod
    def signature(cls) -> "LossScale":
        """The shapes and types of both scalars, for a `tf.function`."""
        return cls(tf.TensorSpec([], tf.float32), tf.TensorSpec([], tf.int32))

    def to_list(self) -> list[float]:
        """The two numbers, which `of` turns into a loss scale again."""
        return [float(self.factor), int(self.steady)]

    @property
    def ever_changes(self) -> bool:
        """Whether the precision needs a loss scale, and so the factor may change."""
        return int(self.steady) >= 0

    def after(self, finite: tf.Tensor) -> "LossScale":
        """The loss scale of the next step: half after an overflow, twice after many steps without one.

        Args:
            finite: whether the gradients of this step were all finite.
        """
        steady = tf.where(finite, self.steady + 1, 0)
        due = steady >= STEADY
        grown = tf.where(due, tf.minimum(2.0 * self.factor, LARGEST), self.factor)
        factor = tf.where(finite, grown, tf.maximum(self.factor / 2.0, 1.0))
        scales = self.steady >= 0
        return LossScale(tf.where(scales, factor, 1.0), tf.where(scales, tf.where(due, 0, steady), -1))
