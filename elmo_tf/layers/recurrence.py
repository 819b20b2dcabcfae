"""The reference recurrence of the projected LSTM. `fused_recurrence` and `lean_recurrence` compute the same values.

At step t, with input x_t `(B, I)`, cell c `(B, H)` and output h `(B, D)`:

    i, j, f, o = split([x_t, h_{t-1}] kernel + bias)            kernel (I + D, 4H), bias (4H,)
    c_t = clip(sigmoid(f + 1) * c_{t-1} + sigmoid(i) * tanh(j), cell_clip)
    h_t = clip((sigmoid(o) * tanh(c_t)) projection, proj_clip)  projection (H, D)

A layer without a projection has no second clip either. This is TensorFlow 1's LSTMCell, which bilm-tf uses (Sak et al.
2014, without peepholes). Where the mask is False, the step leaves the state unchanged and its output is zero. The clips
are `tf.clip_by_value`, whose gradient is zero for a value that was clipped. Inputs, weights and outputs may have half
precision; the gates and the cell then keep the cell's own type, float32.
"""

from collections.abc import Sequence
from typing import NamedTuple

import tensorflow as tf

from elmo_tf.layers.scan import State, scan, stack


class Weights(NamedTuple):
    """The weights of one layer, and the bounds of its clips; None for an absent projection or clip."""

    kernel: tf.Tensor
    bias: tf.Tensor
    projection: tf.Tensor | None
    cell_clip: float | None
    proj_clip: float | None


def plain_recurrence(
    inputs: tf.Tensor, weights: Weights, state: State, mask: tf.Tensor | None
) -> tuple[tf.Tensor, State]:
    """Computes the outputs step by step, as the equations read, with TensorFlow's gradients: the reference.

    Args:
        inputs: `(T, B, I)`, time first.
        weights: the weights of the layer.
        state: cell and output before the first step.
        mask: None, or booleans `(T, B)`.

    Returns:
        The outputs `(T, B, D)` and the state after the last step.
    """

    def step(carry: State, items: Sequence[tf.Tensor]) -> tuple[State, list[tf.Tensor]]:
        cell, output = carry
        gates = tf.matmul(tf.concat([items[0], output], 1), weights.kernel) + weights.bias
        new_cell, new_output = lstm_cell(tf.cast(gates, cell.dtype), cell, inputs.dtype, weights)
        if mask is None:
            return (new_cell, new_output), [new_output]
        keep = items[1][:, None]
        masked_output = tf.where(keep, new_output, tf.zeros_like(new_output))
        return (tf.where(keep, new_cell, cell), tf.where(keep, new_output, output)), [masked_output]

    sequences = [inputs] if mask is None else [inputs, mask]
    final, (outputs,) = scan(step, state, sequences, [inputs.dtype])
    return stack(outputs), (final[0], final[1])


def lstm_cell(gates: tf.Tensor, cell: tf.Tensor, dtype: tf.DType, weights: Weights) -> State:
    """Computes the new cell and the new output of one step.

    Args:
        gates: i, j, f, o before their activations, `(B, 4H)`.
        cell: the previous cell, `(B, H)`.
        dtype: type of the new output.
        weights: the weights of the layer.

    Returns:
        The new cell `(B, H)` and the new output `(B, D)`.
    """
    i, j, f, o = tf.split(gates, 4, 1)
    new_cell = clip(tf.sigmoid(f + 1.0) * cell + tf.sigmoid(i) * tf.tanh(j), weights.cell_clip)
    output = tf.cast(tf.sigmoid(o) * tf.tanh(new_cell), dtype)
    if weights.projection is not None:
        output = clip(tf.matmul(output, weights.projection), weights.proj_clip)
    return new_cell, output


def clip(values: tf.Tensor, bound: float | None) -> tf.Tensor:
    """Clips values to `[-bound, bound]`; returns them unchanged if `bound` is None."""
    return values if bound is None else tf.clip_by_value(values, -bound, bound)


def matmul_steps(values: tf.Tensor, matrix: tf.Tensor) -> tf.Tensor:
    """Multiplies all steps `(T, B, I)` by a matrix `(I, O)` in a single matrix product."""
    shape = tf.shape(values)
    flat = tf.matmul(tf.reshape(values, [-1, values.shape[-1]]), matrix)
    result = tf.reshape(flat, tf.concat([shape[:2], [tf.shape(flat)[1]]], 0))
    result.set_shape([*values.shape[:2], matrix.shape[1]])
    return result
