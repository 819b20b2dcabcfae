"""The LSTM layers of one direction, with skip connections and dropout."""

import math
from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from elmo_tf.layers.host import on_host
from elmo_tf.layers.projected_lstm import ProjectedLSTM
from elmo_tf.layers.scan import State


@keras.saving.register_keras_serializable(package="elmo_tf")
class LstmStack(keras.layers.Layer):
    """A stack of LSTM layers that returns the outputs of every layer.

    With `use_skip_connections` every layer but the first adds its input to its output; the recurrent state stays
    without it. Dropout applies to the input of every layer and so to the skip connection too (bilm-tf's `training.py`:
    DropoutWrapper around ResidualWrapper).

    Args:
        n_layers: number of layers, L.
        units: cells of each layer, H.
        projection_dim: output size of each layer and size of the input, D.
        cell_clip: bound of the cells, or None.
        proj_clip: bound of the projected outputs, or None.
        use_skip_connections: whether every layer but the first adds its input to its output.
        implementation: that of `ProjectedLSTM`.

    Call arguments:
        inputs: float tensor `(B, T, D)`.
        initial_state: L pairs `(cell (B, H), output (B, D))`; zero if left out.
        mask: booleans `(B, T)`.
        dropout_masks: None, or L tensors from `dropout_mask`, one to multiply each layer's input by, `(B, T, D)`, or
            `(B, 1, D)` to drop the same values in all steps of a row; None in the place of one that drops nothing.
        weight_masks: None, or L tensors `(D, 4H)` from `dropout_mask`, one to multiply the recurrent rows of each
            layer's kernel by (DropConnect; Merity et al. 2018).

    Returns:
        `(list of L outputs (B, T, D), tuple of L states)`.

    Example:

    >>> stack = LstmStack(n_layers=2, units=8, projection_dim=4, use_skip_connections=True)
    >>> outputs, states = stack(np.ones((2, 5, 4), "float32"))
    >>> len(outputs), outputs[1].shape, len(states)
    (2, TensorShape([2, 5, 4]), 2)
    """

    def __init__(
        self,
        n_layers: int,
        units: int,
        projection_dim: int,
        cell_clip: float | None = None,
        proj_clip: float | None = None,
        use_skip_connections: bool = False,
        implementation: str = "fused",
        **kwargs: Any,
    ) -> None:
        super().__init__(
            autocast=False, **kwargs
        )  # or Keras would cast the cells, which stay float32 under a mixed policy
        self.use_skip_connections = use_skip_connections
        self.supports_masking = True
        self._settings = {
            "n_layers": n_layers,
            "units": units,
            "projection_dim": projection_dim,
            "cell_clip": cell_clip,
            "proj_clip": proj_clip,
            "use_skip_connections": use_skip_connections,
            "implementation": implementation,
        }
        self.layers = [
            ProjectedLSTM(
                units, projection_dim, cell_clip, proj_clip, implementation, name=f"Cell{i}", dtype=self.dtype_policy
            )
            for i in range(n_layers)
        ]

    def build(self, input_shape: Any) -> None:
        """Builds the layers."""
        for layer in self.layers:
            layer.build(input_shape)
        self.built = True

    def call(
        self,
        inputs: tf.Tensor,
        initial_state: Sequence[State] | None = None,
        mask: tf.Tensor | None = None,
        dropout_masks: Sequence[tf.Tensor | None] | None = None,
        weight_masks: Sequence[tf.Tensor] | None = None,
    ) -> tuple[list[tf.Tensor], tuple[State, ...]]:
        """See the class."""
        states = [None] * len(self.layers) if initial_state is None else list(initial_state)
        outputs: list[tf.Tensor] = []
        final_states: list[State] = []
        below = tf.cast(inputs, self.compute_dtype)
        for number, (layer, state) in enumerate(zip(self.layers, states, strict=True)):
            if dropout_masks is not None and dropout_masks[number] is not None:
                below = below * dropout_masks[number]
            recurrent_mask = None if weight_masks is None else weight_masks[number]
            output, final = layer(below, initial_state=state, mask=mask, recurrent_mask=recurrent_mask)
            if self.use_skip_connections and number > 0:
                output = output + below
            outputs.append(output)
            final_states.append(final)
            below = output
        return outputs, tuple(final_states)

    def read_packed(self, inputs: tf.Tensor, starts: tf.Tensor) -> list[tf.Tensor]:
        """Computes the L outputs `(N, D)` of packed rows from zero states, without a backward pass.

        Args:
            inputs: `(N, D)`.
            starts: see `elmo_tf.layers.packed_recurrence`.
        """
        outputs: list[tf.Tensor] = []
        below = tf.cast(inputs, self.compute_dtype)
        for number, layer in enumerate(self.layers):
            output = layer.read_packed(below, starts)
            below = output + below if self.use_skip_connections and number > 0 else output
            outputs.append(below)
        return outputs

    def zero_state(self, batch_size: int | tf.Tensor) -> tuple[State, ...]:
        """The state at the beginning of a text: zeros."""
        return tuple(layer.zero_state(batch_size) for layer in self.layers)

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> None:
        """None: the result is sequences and states, which cannot carry one mask."""
        return

    def compute_output_shape(self, input_shape: Any, **_: Any) -> Any:
        """The shapes of the outputs and of the states."""
        sequences, states = zip(*(layer.compute_output_shape(input_shape) for layer in self.layers), strict=True)
        return list(sequences), tuple(states)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), **self._settings}


def dropout_mask(shape: Sequence[int], rate: float, seed: tf.Tensor, number: int, dtype: Any = tf.float32) -> tf.Tensor:
    """Draws a dropout mask, a function of `(seed, number)` alone: 0 for a dropped value, else `1 / (1 - rate)`.

    So a run that was killed and resumed draws the same masks as an unbroken run. Call this outside of the functions
    that XLA compiles: XLA draws other numbers from the same seed, and slowly.

    Args:
        shape: shape of the mask.
        rate: fraction of values to drop, rounded to a multiple of `2 ** -16`.
        seed: two integers.
        number: distinguishes the masks of one seed.
        dtype: type of the mask.
    """
    with on_host():
        own_seed = tf.random.experimental.stateless_fold_in(seed, number)
    size = math.prod(shape)
    # each random integer gives two values, in half the time of one random float a value
    bits = tf.random.stateless_uniform([-(-size // 2)], own_seed, minval=None, maxval=None, dtype=tf.int32)
    values = tf.reshape(tf.bitcast(bits, tf.int16), [-1])[:size]
    dropped = min(round(rate * 2**16), 2**16 - 1)
    stays = tf.cast(values >= tf.constant(dropped - 2**15, tf.int16), dtype)
    return tf.reshape(stays / tf.constant(1.0 - dropped / 2**16, dtype), shape)
