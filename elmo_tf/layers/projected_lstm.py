"""One LSTM layer with projection and clips, which takes its state as an argument and returns it."""

from typing import Any

import keras
import tensorflow as tf

from elmo_tf.layers.fused_recurrence import fused_recurrence
from elmo_tf.layers.initial_values import InitializedLayer
from elmo_tf.layers.lean_recurrence import lean_recurrence
from elmo_tf.layers.packed_recurrence import packed_recurrence
from elmo_tf.layers.recurrence import Weights, plain_recurrence
from elmo_tf.layers.scan import State

IMPLEMENTATIONS = {"plain": plain_recurrence, "fused": fused_recurrence, "lean": lean_recurrence}


@keras.saving.register_keras_serializable(package="elmo_tf")
class ProjectedLSTM(InitializedLayer):
    """The LSTM of TensorFlow 1 with `num_proj`, as bilm-tf uses it; its equations are in `elmo_tf.layers.recurrence`.

    The weights have the layout of bilm-tf's files: gates in the order i, j, f, o; the forget bias of 1 is added at run
    time and is not part of the bias weight.

    Args:
        units: number of cells, H.
        projection_dim: size of the output, D. If it equals `units`, there is no projection and no clip of the output.
        cell_clip: bound of the cell's absolute value, or None.
        proj_clip: bound of the projected output's absolute value, or None.
        implementation: "plain" (the reference), "lean" (keeps nothing for a backward pass) or "fused" (has a backward
            pass of its own; the layer uses "lean" instead while none of its weights is trainable).

    Call arguments:
        inputs: float tensor `(B, T, I)`.
        initial_state: `(cell (B, H), output (B, D))`; zero if left out.
        mask: booleans `(B, T)`; a step with False leaves the state unchanged and outputs zero.
        recurrent_mask: None, or a tensor `(D, 4H)` from `dropout_mask` that the recurrent rows of the kernel are
            multiplied by in all rows and steps.

    Returns:
        `(outputs (B, T, D), (cell, output))`, with the state after the last step. Weights: `kernel` `(I + D, 4H)`,
        `bias` `(4H,)`, `projection` `(H, D)`.

    Example:

    >>> lstm = ProjectedLSTM(units=8, projection_dim=4, cell_clip=3.0, proj_clip=3.0)
    >>> outputs, (cell, output) = lstm(np.ones((2, 5, 3), "float32"))
    >>> outputs.shape, cell.shape, output.shape
    (TensorShape([2, 5, 4]), TensorShape([2, 8]), TensorShape([2, 4]))
    """

    def __init__(
        self,
        units: int,
        projection_dim: int,
        cell_clip: float | None = None,
        proj_clip: float | None = None,
        implementation: str = "fused",
        **kwargs: Any,
    ) -> None:
        super().__init__(
            autocast=False, **kwargs
        )  # or Keras would cast the cell, which stays float32 under a mixed policy
        if projection_dim > units:
            raise ValueError(f"projection_dim: expected at most units, {units}, got {projection_dim}")
        if implementation not in IMPLEMENTATIONS:
            raise ValueError(f"implementation: expected one of {sorted(IMPLEMENTATIONS)}, got {implementation!r}")
        self.supports_masking = True
        self.units, self.projection_dim = units, projection_dim
        self.cell_clip, self.proj_clip, self.implementation = cell_clip, proj_clip, implementation

    def build(self, input_shape: Any) -> None:
        """Creates the weights for inputs of `input_shape[-1]` features: Glorot uniform kernels, zero bias."""
        rows = input_shape[-1] + self.projection_dim
        self.kernel = self.add_weight(name="kernel", shape=(rows, 4 * self.units), initializer="glorot_uniform")
        self.bias = self.add_weight(name="bias", shape=(4 * self.units,), initializer="zeros")
        self.projection = None
        if self.projection_dim < self.units:
            self.projection = self.add_weight(
                name="projection", shape=(self.units, self.projection_dim), initializer="glorot_uniform"
            )
        self.built = True

    def call(
        self,
        inputs: tf.Tensor,
        initial_state: State | None = None,
        mask: tf.Tensor | None = None,
        recurrent_mask: tf.Tensor | None = None,
    ) -> tuple[tf.Tensor, State]:
        """See the class."""
        dtype = self.compute_dtype
        inputs, weights = tf.cast(inputs, dtype), self._cast_weights()
        if recurrent_mask is not None:
            weights = weights._replace(kernel=_drop_recurrent(weights.kernel, recurrent_mask))
        cell, output = self.zero_state(tf.shape(inputs)[0]) if initial_state is None else initial_state
        state = tf.cast(cell, self.variable_dtype), tf.cast(output, dtype)
        time_first = tf.transpose(inputs, [1, 0, 2])
        if mask is not None:  # transposed as floats, because oneDNN logs a warning for other types
            one, zero = tf.ones([], inputs.dtype), tf.zeros([], inputs.dtype)
            mask = tf.transpose(tf.where(tf.cast(mask, tf.bool), one, zero)) > 0.5
        is_trained = any(weight.trainable for weight in self.weights)
        implementation = self.implementation if is_trained or self.implementation == "plain" else "lean"
        outputs, state = IMPLEMENTATIONS[implementation](time_first, weights, state, mask)
        return tf.transpose(outputs, [1, 0, 2]), state

    def read_packed(self, inputs: tf.Tensor, starts: tf.Tensor) -> tf.Tensor:
        """Computes the outputs `(N, D)` of packed rows from zero states, without a backward pass.

        Args:
            inputs: `(N, I)`.
            starts: see `packed_recurrence`.
        """
        inputs = tf.cast(inputs, self.compute_dtype)
        return packed_recurrence(inputs, starts, self._cast_weights(), tf.as_dtype(self.variable_dtype))

    def _cast_weights(self) -> Weights:
        dtype = self.compute_dtype
        return Weights(
            tf.cast(self.kernel, dtype),
            tf.cast(self.bias, dtype),
            None if self.projection is None else tf.cast(self.projection, dtype),
            self.cell_clip,
            self.proj_clip,
        )

    def zero_state(self, batch_size: int | tf.Tensor) -> State:
        """The state at the beginning of a text: `(cell, output)` of zeros, the cell in the type of the weights."""
        cell = tf.zeros([batch_size, self.units], self.variable_dtype)
        return cell, tf.zeros([batch_size, self.projection_dim], self.compute_dtype)

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> None:
        """None: the result is a sequence and a state, which cannot carry one mask."""
        return

    def compute_output_shape(self, input_shape: Any, **_: Any) -> Any:
        """The shapes of the outputs and of the state."""
        rows = input_shape[0]
        return (*input_shape[:-1], self.projection_dim), ((rows, self.units), (rows, self.projection_dim))

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {
            **super().get_config(),
            "units": self.units,
            "projection_dim": self.projection_dim,
            "cell_clip": self.cell_clip,
            "proj_clip": self.proj_clip,
            "implementation": self.implementation,
        }


def _drop_recurrent(kernel: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
    """Multiplies the recurrent rows of a kernel `(I + D, 4H)`, which are the last, by a mask `(D, 4H)`.

    One product over the whole kernel, whose gradient is one product too, is less work than to slice the kernel and to
    join it again. No gradient is computed for the mask.
    """
    rows_of_inputs = kernel.shape[0] - mask.shape[0]
    of_all_rows = tf.pad(tf.cast(mask, kernel.dtype), [[rows_of_inputs, 0], [0, 0]], constant_values=1.0)
    return kernel * tf.stop_gradient(of_all_rows)
