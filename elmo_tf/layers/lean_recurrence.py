"""The recurrence of the projected LSTM where nothing is kept for a backward pass: for weights that are not trained."""

from collections.abc import Sequence

import tensorflow as tf

from elmo_tf.layers.recurrence import Weights, next_state, product
from elmo_tf.layers.scan import State, scan

_VECTORS_TOGETHER = 512
"""Inputs, of all rows and some steps, that are multiplied at once: enough for a fast product, and 34 MB of gates at the
original size."""


def lean(inputs: tf.Tensor, weights: Weights, state: State, mask: tf.Tensor | None) -> tuple[tf.Tensor, State]:
    """The values of `fused` in a fraction of its memory: outputs and the gates of a few steps, never of all.

    64 rows of 202 steps at 4096/512 make 2.1 GB of gates and cells a layer there. The gradient is TensorFlow's, and
    needs what was not kept; it is right, and slow.

    Arguments and results as for `recurrence.plain`.
    """
    size = weights.kernel.shape[0] - _width(weights)
    recurrent = weights.kernel[size:]

    def step(carry: State, items: Sequence[tf.Tensor]) -> tuple[State, list[tf.Tensor]]:
        cell, output = carry
        gates = tf.cast(items[0], cell.dtype) + tf.cast(tf.matmul(output, recurrent), cell.dtype)
        new_cell, new_output = next_state(gates, cell, inputs.dtype, weights)
        keep = items[1][:, None]
        shown = tf.where(keep, new_output, tf.zeros_like(new_output))
        return (tf.where(keep, new_cell, cell), tf.where(keep, new_output, output)), [shown]

    def part(carry: State, items: Sequence[tf.Tensor]) -> tuple[State, list[tf.Tensor]]:
        from_inputs = product(items[0], weights.kernel[:size]) + weights.bias  # [K, B, 4H]
        return scan(step, carry, [from_inputs, items[1]], [inputs.dtype], unrolled=False)

    steps, rows = tf.shape(inputs)[0], tf.shape(inputs)[1]
    parts = tf.maximum(1, -(-steps // tf.maximum(1, _VECTORS_TOGETHER // tf.maximum(1, rows))))
    together = tf.maximum(1, -(-steps // parts))
    behind = [0, parts * together - steps]  # steps that are masked, and so change nothing
    mask = tf.ones([steps, rows], tf.bool) if mask is None else mask
    stacked = tf.reshape(tf.pad(inputs, [behind, [0, 0], [0, 0]]), tf.stack([parts, together, rows, size]))
    shown = tf.reshape(tf.pad(mask, [behind, [0, 0]]), tf.stack([parts, together, rows]))
    # one part at a time: the products of the next ones would run ahead, and wait in memory
    final, (outputs,) = scan(part, state, [stacked, shown], [inputs.dtype], unrolled=False, ahead=1)
    outputs = tf.reshape(outputs, tf.stack([parts * together, rows, _width(weights)]))[:steps]
    outputs.set_shape([*inputs.shape[:2], _width(weights)])
    return outputs, (final[0], final[1])


def _width(weights: Weights) -> int:
    """Size of the output."""
    return weights.bias.shape[0] // 4 if weights.projection is None else weights.projection.shape[1]
