"""The recurrence of the projected LSTM as its equations read: what `fused` and `lean` compute in their own ways.

For step t with input x_t `(B, I)`, cell c `(B, H)` and output h `(B, D)`:

    i, j, f, o = split([x_t, h_{t-1}] kernel + bias)            kernel (I + D, 4H), bias (4H,)
    c_t = clip(sigmoid(f + 1) * c_{t-1} + sigmoid(i) * tanh(j), cell_clip)
    h_t = clip((sigmoid(o) * tanh(c_t)) projection, proj_clip)  projection (H, D), or none: then no second clip either

TensorFlow 1's LSTMCell, which bilm-tf uses (Sak et al. 2014 without peepholes). Where the mask is False the state
passes unchanged and the output is zero. Clips are `tf.clip_by_value`, whose gradient is zero where they bite. (An
optional argument stands for None throughout.) Inputs, weights and outputs may be of half precision: then the gates are
computed, and the cell is kept, in the cell's own type, float32.
"""

from collections.abc import Sequence
from typing import NamedTuple

import tensorflow as tf

from elmo_tf.layers.scan import State, scan, stacked


class Weights(NamedTuple):
    """The weights of one layer, and the bounds of its clips."""

    kernel: tf.Tensor
    bias: tf.Tensor
    projection: tf.Tensor | None
    cell_clip: float | None
    proj_clip: float | None


def plain(inputs: tf.Tensor, weights: Weights, state: State, mask: tf.Tensor | None) -> tuple[tf.Tensor, State]:
    """The reference: one step after the other, gradients by TensorFlow.

    Args:
        inputs: `(T, B, I)`, time first.
        weights: the layer's.
        state: cell and output before the first step.
        mask: None, or booleans `(T, B)`.

    Returns:
        Outputs `(T, B, D)` and the state after the last step.
    """

    def step(carry: State, items: Sequence[tf.Tensor]) -> tuple[State, list[tf.Tensor]]:
        cell, output = carry
        gates = tf.matmul(tf.concat([items[0], output], 1), weights.kernel) + weights.bias
        new_cell, new_output = next_state(tf.cast(gates, cell.dtype), cell, inputs.dtype, weights)
        if mask is None:
            return (new_cell, new_output), [new_output]
        keep = items[1][:, None]
        shown = tf.where(keep, new_output, tf.zeros_like(new_output))
        return (tf.where(keep, new_cell, cell), tf.where(keep, new_output, output)), [shown]

    sequences = [inputs] if mask is None else [inputs, mask]
    final, (outputs,) = scan(step, state, sequences, [inputs.dtype])
    return stacked(outputs), (final[0], final[1])


def next_state(gates: tf.Tensor, cell: tf.Tensor, dtype: tf.DType, weights: Weights) -> State:
    """The new cell `(B, H)` and the new output `(B, D)`, of type `dtype`, from the gates before their activations
    `(B, 4H)`, as the equations read."""
    i, j, f, o = tf.split(gates, 4, 1)
    new_cell = clipped(tf.sigmoid(f + 1.0) * cell + tf.sigmoid(i) * tf.tanh(j), weights.cell_clip)
    output = tf.cast(tf.sigmoid(o) * tf.tanh(new_cell), dtype)
    if weights.projection is not None:
        output = clipped(tf.matmul(output, weights.projection), weights.proj_clip)
    return new_cell, output


def clipped(values: tf.Tensor, bound: float | None) -> tf.Tensor:
    """Values within `[-bound, bound]`; as they are where there is no bound."""
    return values if bound is None else tf.clip_by_value(values, -bound, bound)


def product(values: tf.Tensor, matrix: tf.Tensor) -> tf.Tensor:
    """`(T, B, I)` times `(I, O)` as one product."""
    shape = tf.shape(values)
    flat = tf.matmul(tf.reshape(values, [-1, values.shape[-1]]), matrix)
    result = tf.reshape(flat, tf.concat([shape[:2], [tf.shape(flat)[1]]], 0))
    result.set_shape([*values.shape[:2], matrix.shape[1]])
    return result
