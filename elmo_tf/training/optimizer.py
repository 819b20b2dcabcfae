"""What optimizers share, and Adagrad as in TensorFlow 1; a sparse gradient updates only the rows that it touches."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import tensorflow as tf

from elmo_tf.training.gradients import Gradient

Rate: TypeAlias = float | Callable[[tf.Tensor | int], tf.Tensor]
"""A learning rate: a number, or a function of the number of the step."""


class Optimizer(tf.Module):
    """Updates weights by their gradients.

    A row of a table without a gradient costs nothing: a step with a softmax of 800,000 words takes as long as one with
    10,000. Repeated rows of a sparse gradient must be summed before (`gradients.sum_repeated_rows`).

    Args:
        variables: the weights by name. The optimizer must be made in the scope of the strategy that they were made in.
        learning_rate: the step size, a number or a function of the step.
        can_be_reduced: whether the learning rate can be reduced during the run, by `reduce_rate`.
    """

    def __init__(self, variables: Mapping[str, tf.Variable], learning_rate: Rate, can_be_reduced: bool = False) -> None:
        super().__init__()
        self.learning_rate = learning_rate
        self.variables_by_name = dict(variables)
        self._factor = tf.Variable(1.0, trainable=False) if can_be_reduced else None

    def apply(self, gradients: Sequence[Gradient], step: tf.Tensor | int = 0) -> None:
        """Updates the variables by their gradients, which are given in the order of the variables.

        In a replica's context it updates that replica's copies, so all replicas must be given the same gradients.

        Args:
            gradients: the gradients, dense or sparse.
            step: the number of the step, which a schedule of the learning rate is a function of.
        """
        rate = self.learning_rate(step) if callable(self.learning_rate) else self.learning_rate
        if self._factor is not None:
            rate = rate * tf.raw_ops.ReadVariableOp(resource=self._factor.handle, dtype=tf.float32)
        self._begin_step()
        for name, gradient in zip(self.variables_by_name, gradients, strict=True):
            self._apply_one(name, gradient, rate)

    def reduce_rate(self, factor: float) -> None:
        """Makes the learning rate of all later steps `factor` times the one that was given."""
        if self._factor is None:
            raise ValueError("expected an optimizer that was made with can_be_reduced=True")
        self._factor.assign(factor)

    def slots(self) -> dict[str, Any]:
        """What a checkpoint keeps of the optimizer: under one name, its variables by the names of the weights."""
        raise NotImplementedError

    def _begin_step(self) -> None:
        """Does what a step needs once for all variables."""

    def _apply_one(self, name: str, gradient: Gradient, rate: float | tf.Tensor) -> None:
        """Updates one variable."""
        raise NotImplementedError


class SparseAdagrad(Optimizer):
    """`accumulator += g ** 2; variable -= learning_rate * g / sqrt(accumulator)` (Duchi et al. 2011), no epsilon.

    Repeated rows of a sparse gradient must be summed before, because Adagrad squares the gradient, and the square of a
    sum is not the sum of the squares.

    Args:
        variables: the weights by name. The optimizer must be made in the scope of the strategy that they were made in.
        learning_rate: the step size, a number or a function of the step.
        initial_accumulator: the value that all accumulators start from; 1 in bilm-tf.
        can_be_reduced: whether the learning rate can be reduced during the run.

    Example:

    >>> variable = tf.Variable([1.0, 2.0])
    >>> optimizer = SparseAdagrad({"x": variable}, learning_rate=1.0, initial_accumulator=0.0)
    >>> optimizer.apply([tf.constant([3.0, -4.0])])
    >>> variable.numpy()
    array([0., 3.], dtype=float32)
    """

    def __init__(
        self,
        variables: Mapping[str, tf.Variable],
        learning_rate: Rate,
        initial_accumulator: float = 1.0,
        can_be_reduced: bool = False,
    ) -> None:
        super().__init__(variables, learning_rate, can_be_reduced)
        self.accumulators = {
            name: tf.Variable(
                tf.fill(variable.shape, tf.constant(initial_accumulator, variable.dtype)),
                trainable=False,
                name=f"{name}/Adagrad".replace("/", "_"),
            )
            for name, variable in variables.items()
        }

    def slots(self) -> dict[str, Any]:
        """The accumulators, under the name `adagrad`."""
        return {"adagrad": self.accumulators}

    def _apply_one(self, name: str, gradient: Gradient, rate: float | tf.Tensor) -> None:
        variable, accumulator = self.variables_by_name[name], self.accumulators[name]
        rate, epsilon = tf.convert_to_tensor(rate, variable.dtype), tf.constant(0.0, variable.dtype)
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
