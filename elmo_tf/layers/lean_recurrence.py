"""The recurrence of the projected LSTM for frozen weights: it keeps nothing for a backward pass."""

from collections.abc import Sequence

import tensorflow as tf

from elmo_tf.layers.recurrence import Weights, lstm_cell, matmul_steps, plain_recurrence
from elmo_tf.layers.scan import State, scan

_VECTORS_PER_PRODUCT = 512
"""Input vectors, of all rows and a few steps, that one matrix product multiplies: enough for a fast product. At the
original size (4096 cells) their gates take 34 MB."""

_ROWS_FOR_ONE_PRODUCT = 256
"""From this many rows on, one product a step multiplies inputs and outputs together. It is large enough to be fast, and
writes and reads the gates once less: 106 against 88 GFLOP/s for 320 rows of the small model (AMD Milan, 2 cores). For
100 rows it is the slower, 51 against 56. Compiling the gates by XLA as well gave 108 and 57; at 24 rows it was slower
than gates that are not compiled."""


def lean_recurrence(
    inputs: tf.Tensor, weights: Weights, state: State, mask: tf.Tensor | None
) -> tuple[tf.Tensor, State]:
    """Computes the values of `plain_recurrence` in little memory: it holds the gates of a few steps at a time.

    `fused_recurrence` holds the gates and cells of all steps, 2.1 GB a layer for 64 rows of 202 steps at 4096 cells and
    512 outputs. The gradient is TensorFlow's: correct, but slow, and it keeps all that this function saves.

    Arguments and results are those of `plain_recurrence`, which is what many rows go through.
    """
    rows = tf.shape(inputs)[1] if inputs.shape[1] is None else inputs.shape[1]
    has_many = rows >= _ROWS_FOR_ONE_PRODUCT
    if isinstance(has_many, bool):
        return (plain_recurrence if has_many else _in_chunks)(inputs, weights, state, mask)
    outputs, final = tf.cond(
        has_many,
        lambda: plain_recurrence(inputs, weights, state, mask),
        lambda: _in_chunks(inputs, weights, state, mask),
    )
    outputs.set_shape([*inputs.shape[:2], _output_size(weights)])
    return outputs, (final[0], final[1])


def _in_chunks(inputs: tf.Tensor, weights: Weights, state: State, mask: tf.Tensor | None) -> tuple[tf.Tensor, State]:
    """Multiplies the inputs of a few steps at once, and then goes through these steps."""
    size = weights.kernel.shape[0] - _output_size(weights)
    recurrent = weights.kernel[size:]

    def step(carry: State, items: Sequence[tf.Tensor]) -> tuple[State, list[tf.Tensor]]:
        cell, output = carry
        gates = tf.cast(items[0], cell.dtype) + tf.cast(tf.matmul(output, recurrent), cell.dtype)
        new_cell, new_output = lstm_cell(gates, cell, inputs.dtype, weights)
        keep = items[1][:, None]
        masked_output = tf.where(keep, new_output, tf.zeros_like(new_output))
        return (tf.where(keep, new_cell, cell), tf.where(keep, new_output, output)), [masked_output]

    def chunk(carry: State, items: Sequence[tf.Tensor]) -> tuple[State, list[tf.Tensor]]:
        from_inputs = matmul_steps(items[0], weights.kernel[:size]) + weights.bias  # [steps of the chunk, B, 4H]
        return scan(step, carry, [from_inputs, items[1]], [inputs.dtype], may_unroll=False)

    steps, rows = tf.shape(inputs)[0], tf.shape(inputs)[1]
    chunks = tf.maximum(1, -(-steps // tf.maximum(1, _VECTORS_PER_PRODUCT // tf.maximum(1, rows))))
    chunk_steps = tf.maximum(1, -(-steps // chunks))
    padding = [0, chunks * chunk_steps - steps]  # masked steps, which change nothing
    mask = tf.ones([steps, rows], tf.bool) if mask is None else mask
    chunked_inputs = tf.reshape(tf.pad(inputs, [padding, [0, 0], [0, 0]]), tf.stack([chunks, chunk_steps, rows, size]))
    chunked_mask = tf.reshape(tf.pad(mask, [padding, [0, 0]]), tf.stack([chunks, chunk_steps, rows]))
    # one chunk at a time: otherwise TensorFlow computes the products of later chunks early and holds them in memory
    final, (outputs,) = scan(
        chunk, state, [chunked_inputs, chunked_mask], [inputs.dtype], may_unroll=False, parallel_iterations=1
    )
    outputs = tf.reshape(outputs, tf.stack([chunks * chunk_steps, rows, _output_size(weights)]))[:steps]
    outputs.set_shape([*inputs.shape[:2], _output_size(weights)])
    return outputs, (final[0], final[1])


def _output_size(weights: Weights) -> int:
    return weights.bias.shape[0] // 4 if weights.projection is None else weights.projection.shape[1]
