"""Adagrad as in TensorFlow 1; a sparse gradient updates only the rows of a table that it touches."""

from collections.abc import Mapping, Sequence

import tensorflow as tf

from elmo_tf.training.gradients import Gradient


class SparseAdagrad(tf.Module):
    """`accumulator += g ** 2; variable -= learning_rate * g / sqrt(accumulator)` (Duchi et al. 2011), no epsilon.

    A row without a gradient costs nothing: a step with a softmax of 800,000 words takes as long as one with 10,000.
    Repeated rows of a sparse gradient must be summed before (`gradients.sum_repeated_rows`), because Adagrad squares
    the gradient, and the square of a sum is not the sum of the squares.

    Args:
        variables: the weights by name. The optimizer must be made in the scope of the strategy that they were made in.
        learning_rate: the step size.
        initial_accumulator: the value that all accumulators start from; 1 in bilm-tf.

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
        """Updates the variables by their gradients, which are given in the order of the variables.

        In a replica's context it updates that replica's copies, so all replicas must be given the same gradients.
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
