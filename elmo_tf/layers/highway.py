"""The highway layer of the token encoder (Srivastava et al. 2015), in bilm-tf's orientation."""

from typing import Any

import keras
import tensorflow as tf

from elmo_tf.layers.initial_values import InitializedLayer


@keras.saving.register_keras_serializable(package="elmo_tf")
class Highway(InitializedLayer):
    """`y = g * relu(x W_transform + b_transform) + (1 - g) * x` with `g = sigmoid(x W_carry + b_carry)`.

    An open gate lets the transformed input through, although its weights are called "carry". The names are those of
    bilm-tf (its `training.py`, `highway`). The gate starts nearly closed, with `b_carry = -2`.

    Call arguments:
        inputs: float tensor `(..., I)`.

    Output shape: that of the input. Weights: `W_carry`, `W_transform` `(I, I)`, `b_carry`, `b_transform` `(I,)`.

    Example:

    >>> Highway()(np.ones((2, 3, 8), "float32")).shape
    TensorShape([2, 3, 8])
    """

    def build(self, input_shape: Any) -> None:
        """Creates the weights for inputs of `input_shape[-1]` features."""
        size = input_shape[-1]
        normal = keras.initializers.RandomNormal(stddev=(1.0 / size) ** 0.5)
        self.w_carry = self.add_weight(name="W_carry", shape=(size, size), initializer=normal.clone())
        self.b_carry = self.add_weight(name="b_carry", shape=(size,), initializer=keras.initializers.Constant(-2.0))
        self.w_transform = self.add_weight(name="W_transform", shape=(size, size), initializer=normal.clone())
        self.b_transform = self.add_weight(name="b_transform", shape=(size,), initializer="zeros")
        self.built = True

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """See the class."""
        gate = tf.sigmoid(_multiply(inputs, self.w_carry) + self.b_carry)
        transformed = tf.nn.relu(_multiply(inputs, self.w_transform) + self.b_transform)
        return gate * transformed + (1.0 - gate) * inputs

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The input's shape."""
        return input_shape


def _multiply(inputs: tf.Tensor, matrix: Any) -> tf.Tensor:
    """Multiplies `(..., I)` by a matrix; for two dimensions without the many small operations of `tf.tensordot`."""
    return tf.matmul(inputs, matrix) if inputs.shape.rank == 2 else tf.tensordot(inputs, matrix, 1)
