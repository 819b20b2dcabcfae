"""Adagrad as TensorFlow 1 has it, for gradients that may touch a few rows of a large table."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

import tensorflow as tf

Gradient: TypeAlias = "tf.Tensor | tf.IndexedSlices"


class SparseAdagrad(tf.Module):
    """`accumulator += g ** 2; variable -= learning_rate * g / sqrt(accumulator)` (Duchi et al. 2011), no epsilon.

    A row that has no gradient costs nothing: a step over a softmax of 800,000 words costs what one over 10,000 does.
    Repeated rows must have been summed (`sum_repeated_rows`), for the square of a sum is not the sum of squares.

    Args:
        variables: by name; make the optimizer in the scope of the strategy that they were made in.
        learning_rate: step size.
        initial_accumulator: bilm-tf's is 1.

    Example:

    >>> variable = tf.Variable([1.0, 2.0])
    >>> optimizer = SparseAdagrad({"x": variable}, learning_rate=1.0, initial_accumulator=0.0)
    >>> optimizer.apply([tf.constant([3.0, -4.0])])
    >>> variable.numpy()
    array([0., 3.], dtype=float32)
    """

    def __init__(
        self, variables: Mapping[str, tf.Variable], learning_rate: float, initial_accumulator: float = 1.0
    ) -> None:
        super().__init__(name="adagrad")
        self.learning_rate = learning_rate
        self.variables_by_name = dict(variables)
        self.accumulators = {
            name: tf.Variable(
                tf.fill(variable.shape, tf.constant(initial_accumulator, variable.dtype)),
                trainable=False,
                name=f"{name}/Adagrad".replace("/", "_"),
            )
            for name, variable in variables.items()
        }

    def apply(self, gradients: Sequence[Gradient]) -> None:
        """Updates the variables by their gradients, in the order of the names.

        In a replica's context it updates that replica's copies: all replicas must bring the same gradients.
        """
        pairs = zip(self.variables_by_name.items(), gradients, strict=True)
        for (name, variable), gradient in pairs:
            self._apply_one(variable, self.accumulators[name], gradient)

    def _apply_one(self, variable: tf.Variable, accumulator: tf.Variable, gradient: Gradient) -> None:
        rate, epsilon = tf.constant(self.learning_rate, variable.dtype), tf.constant(0.0, variable.dtype)
        if isinstance(gradient, tf.IndexedSlices):
            tf.raw_ops.ResourceSparseApplyAdagradV2(
                var=variable.handle,
                accum=accumulator.handle,
                lr=rate,
                epsilon=epsilon,
                grad=gradient.values,
                indices=gradient.indices,
            )
        else:
            tf.raw_ops.ResourceApplyAdagradV2(
                var=variable.handle, accum=accumulator.handle, lr=rate, epsilon=epsilon, grad=gradient
            )


def sum_repeated_rows(gradient: Gradient) -> Gradient:
    """Sums the repeated rows of a sparse gradient; a dense one is returned as it is.

    >>> rows = tf.IndexedSlices(tf.constant([[1.0], [2.0], [4.0]]), tf.constant([5, 3, 5]), tf.constant([9, 1]))
    >>> sum_repeated_rows(rows).values.numpy().ravel(), sum_repeated_rows(rows).indices.numpy()
    (array([5., 2.], dtype=float32), array([5, 3], dtype=int32))
    """
    if not isinstance(gradient, tf.IndexedSlices):
        return gradient
    indices, positions = tf.unique(gradient.indices)
    values = tf.math.unsorted_segment_sum(gradient.values, positions, tf.shape(indices)[0])
    return tf.IndexedSlices(values, indices, gradient.dense_shape)


def add_gradients(left: Gradient, right: Gradient) -> Gradient:
    """The sum of two gradients of one variable; without repeated rows where they are sparse."""
    if not isinstance(left, tf.IndexedSlices):
        return left + right
    values, indices = tf.concat([left.values, right.values], 0), tf.concat([left.indices, right.indices], 0)
    return sum_repeated_rows(tf.IndexedSlices(values, indices, left.dense_shape))


def clip_by_global_norm(gradients: Sequence[Gradient], bound: float) -> tuple[list[Gradient], tf.Tensor]:
    """Scales all gradients by `bound / max(norm, bound)`, with norm that of all of them together (Pascanu et al. 2013).

    Args:
        gradients: dense, or sparse without repeated rows.
        bound: largest norm to let pass.

    Returns:
        The scaled gradients, and the norm before.

    Example:

    >>> clipped, norm = clip_by_global_norm([tf.constant([3.0, 4.0])], 1.0)
    >>> clipped[0].numpy().round(3), float(norm)
    (array([0.6, 0.8], dtype=float32), 5.0)
    """
    values = [gradient.values if isinstance(gradient, tf.IndexedSlices) else gradient for gradient in gradients]
    norm = tf.sqrt(2.0 * tf.add_n([tf.nn.l2_loss(value) for value in values]))
    scale = bound / tf.maximum(norm, bound)
    scaled = [
        tf.IndexedSlices(value * scale, gradient.indices, gradient.dense_shape)
        if isinstance(gradient, tf.IndexedSlices)
        else value * scale
        for gradient, value in zip(gradients, values, strict=True)
    ]
    return scaled, norm


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
