"""The recurrence of the projected LSTM with its own backward pass: what trains."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from elmo_tf.layers.compilation import compile_elementwise
from elmo_tf.layers.recurrence import Weights, clipped, product
from elmo_tf.layers.scan import Sequences, State, scan, shifted, stacked


def fused(inputs: tf.Tensor, weights: Weights, state: State, mask: tf.Tensor | None) -> tuple[tf.Tensor, State]:
    """The values and gradients of `recurrence.plain`, sooner, and with less kept.

    What pays, measured by `benchmarks/recurrence.py`:

    - The products with the inputs of all steps are one product before the loop, the weight gradients of all steps one
      product after the loop of the backward pass: small products are slow on most devices, and TensorFlow's own
      gradient adds up the weight gradients of every step. (The wider the vector units, the less this saves: from half
      of the time down to a tenth.) A column of ones beside the inputs brings the bias along.
    - The backward pass multiplies by weights that it lays out transposed, once for all steps.
    - Of the forward pass only gates, cells and outputs are kept.
    - The gates of a step are one function compiled by XLA where the number of rows is known; the loop is not:
      compiled as a whole it is slower on a CPU, and takes seconds to compile.
    - The directions are separate calls, which run beside one another; one loop over both is no faster.

    Arguments and results as for `recurrence.plain`.
    """
    # the absent projection is an empty tensor, for a custom gradient takes no None
    has_projection = weights.projection is not None
    projection = weights.projection if has_projection else tf.zeros([0, 0], inputs.dtype)

    @tf.custom_gradient
    def run(
        inputs: tf.Tensor, kernel: tf.Tensor, bias: tf.Tensor, projection: tf.Tensor, cell: tf.Tensor, output: tf.Tensor
    ) -> tuple[tuple[tf.Tensor, ...], Callable[..., tuple[tf.Tensor, ...]]]:
        layer = Weights(kernel, bias, projection if has_projection else None, weights.cell_clip, weights.proj_clip)
        kept = _forward(inputs, layer, (cell, output), mask)
        outputs = stacked(kept.outputs)
        shown = outputs if mask is None else _where(mask[:, :, None], outputs)

        def gradient(d_shown: tf.Tensor, d_cell: tf.Tensor, d_output: tf.Tensor) -> tuple[tf.Tensor, ...]:
            return _backward(inputs, layer, (cell, output), mask, kept, d_shown, (d_cell, d_output))

        return (shown, kept.cells[-1], kept.outputs[-1]), gradient

    shown, last_cell, last_output = run(inputs, weights.kernel, weights.bias, projection, *state)
    return shown, (last_cell, last_output)


class _Kept(NamedTuple):
    """What the backward pass needs of the forward pass; i, j, f, o after their activations."""

    gates: Sequences  # T of [B, 4H]
    cells: Sequences  # T of [B, H]
    hidden: Sequences  # T of [B, H]: o tanh(cell), what is projected
    outputs: Sequences  # T of [B, D]


def _forward(inputs: tf.Tensor, weights: Weights, state: State, mask: tf.Tensor | None) -> _Kept:
    size = inputs.shape[-1]
    from_inputs = product(inputs, weights.kernel[:size])  # [T, B, 4H]
    recurrent, lines = weights.kernel[size:], _lines(weights.bias.shape[0] // 4, state[0].dtype)

    def step(carry: State, items: Sequence[tf.Tensor]) -> tuple[State, list[tf.Tensor]]:
        cell, output = carry
        gates, new_cell, hidden = compile_elementwise(_gates, cell)(
            items[0], tf.matmul(output, recurrent), weights.bias, lines, cell, weights.cell_clip
        )
        new_output = hidden
        if weights.projection is not None:
            new_output = clipped(tf.matmul(hidden, weights.projection), weights.proj_clip)
        if mask is not None:
            keep = items[1][:, None]
            new_cell, new_output = tf.where(keep, new_cell, cell), tf.where(keep, new_output, output)
        return (new_cell, new_output), [gates, new_cell, hidden, new_output]

    sequences = [from_inputs] if mask is None else [from_inputs, mask]
    _, kept = scan(step, state, sequences, [inputs.dtype, state[0].dtype, inputs.dtype, inputs.dtype])
    return _Kept(*kept)


def _lines(units: int, dtype: tf.DType) -> tuple[tf.Tensor, ...]:
    """By gate i, j, f, o the lines before and after the tanh, `(4H,)` each: slope, shift, offset.

    `sigmoid(x) = (1 + tanh(x / 2)) / 2` makes all four one tanh, in one pass over the memory. The shift is half of the
    1 that is added to f.
    """
    by_gate = [0.5, 1.0, 0.5, 0.5], [0.0, 0.0, 0.5, 0.0], [0.5, 0.0, 0.5, 0.5]
    return tuple(tf.constant(np.repeat(values, units), dtype) for values in by_gate)


def _gates(
    from_input: tf.Tensor,
    from_output: tf.Tensor,
    bias: tf.Tensor,
    lines: tuple[tf.Tensor, ...],
    cell: tf.Tensor,
    cell_clip: float | None,
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """i, j, f, o `(B, 4H)`, the new cell and `o tanh(cell)`, both `(B, H)`."""
    slope, shift, offset = lines
    before = tf.cast(from_input, cell.dtype) + tf.cast(from_output, cell.dtype) + tf.cast(bias, cell.dtype)
    gates = slope * tf.tanh(slope * before + shift) + offset
    i, j, f, o = tf.split(gates, 4, 1)
    new_cell = clipped(f * cell + i * j, cell_clip)
    return tf.cast(gates, from_input.dtype), new_cell, tf.cast(o * tf.tanh(new_cell), from_input.dtype)


def _backward(
    inputs: tf.Tensor,
    weights: Weights,
    state: State,
    mask: tf.Tensor | None,
    kept: _Kept,
    d_shown: tf.Tensor,
    d_state: State,
) -> tuple[tf.Tensor, ...]:
    """Gradients by inputs, kernel, bias, projection, first cell and first output."""
    size = inputs.shape[-1]
    previous_outputs = stacked(shifted(state[1], kept.outputs))
    with tf.control_dependencies([d_shown]):  # not before the forward pass, to wait in memory
        from_gates = _turned(weights.kernel)  # [4H, I + D]
        turned = weights._replace(
            kernel=from_gates[:, size:],
            projection=None if weights.projection is None else _turned(weights.projection),
        )
    step = _backward_step(turned)
    sequences = [d_shown, kept.gates, kept.cells, shifted(state[0], kept.cells), kept.outputs]
    if mask is not None:
        sequences.append(mask)
    (d_cell, d_output), (d_gates, d_projected) = scan(step, d_state, sequences, [inputs.dtype] * 2, reverse=True)

    d_gates = stacked(d_gates)
    read = tf.concat([inputs, previous_outputs, tf.ones_like(inputs[:, :, :1])], 2)
    d_weights = _outer(read, d_gates)  # rows: kernel, then bias
    d_inputs = product(d_gates, from_gates[:, :size])
    if weights.projection is None:
        d_projection = tf.zeros([0, 0], inputs.dtype)
    else:
        d_projection = _outer(stacked(kept.hidden), stacked(d_projected))
    return d_inputs, d_weights[:-1], d_weights[-1], d_projection, d_cell, d_output


def _backward_step(turned: Weights) -> Callable[..., Any]:
    """One step of the backward pass; carries the gradients by cell and output of the step before.

    Args:
        turned: the layer's weights, transposed: `kernel` those of the outputs alone `(4H, D)`, `projection` `(D, H)`.
    """

    def step(carry: State, items: Sequence[tf.Tensor]) -> tuple[State, list[tf.Tensor]]:
        d_shown, gates, cell, previous_cell, output = items[:5]
        d_cell, d_output = carry
        keep = items[5][:, None] if len(items) > 5 else None
        d_projected = d_output + d_shown if keep is None else _where(keep, d_output + d_shown)
        d_new_cell = d_cell if keep is None else _where(keep, d_cell)
        d_hidden = d_projected
        if turned.projection is not None:
            d_projected = _within(d_projected, output, turned.proj_clip)
            d_hidden = tf.matmul(d_projected, turned.projection)
        d_gates, d_previous = compile_elementwise(_gates_gradient, cell)(
            d_new_cell, d_hidden, gates, cell, previous_cell, turned.cell_clip
        )
        before = d_previous, tf.matmul(d_gates, turned.kernel)
        if keep is not None:  # what a masked step let pass
            before = tf.where(keep, before[0], d_cell), tf.where(keep, before[1], d_output)
        return before, [d_gates, d_projected]

    return step


def _gates_gradient(
    d_cell: tf.Tensor,
    d_hidden: tf.Tensor,
    gates: tf.Tensor,
    cell: tf.Tensor,
    previous_cell: tf.Tensor,
    cell_clip: float | None,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Gradients by the gates before their activations `(B, 4H)`, and by the previous cell `(B, H)`."""
    i, j, f, o = tf.split(tf.cast(gates, cell.dtype), 4, 1)
    d_hidden = tf.cast(d_hidden, cell.dtype)
    tanh_cell = tf.tanh(cell)
    d_cell = _within(d_cell + d_hidden * o * (1.0 - tanh_cell * tanh_cell), cell, cell_clip)
    d_gates = [
        d_cell * j * i * (1.0 - i),
        d_cell * i * (1.0 - j * j),
        d_cell * previous_cell * f * (1.0 - f),
        d_hidden * tanh_cell * o * (1.0 - o),
    ]
    return tf.cast(tf.concat(d_gates, 1), gates.dtype), d_cell * f


def _within(gradient: tf.Tensor, clipped: tf.Tensor, bound: float | None) -> tf.Tensor:
    """The gradient where the clip did not bite."""
    return gradient if bound is None else _where(tf.abs(clipped) < bound, gradient)


def _where(keep: tf.Tensor, values: tf.Tensor) -> tf.Tensor:
    return tf.where(keep, values, tf.zeros_like(values))


def _turned(matrix: tf.Tensor) -> tf.Tensor:
    """The transpose, laid out anew: a batch's rows times a transposed view take half as long again, all steps' rows a
    tenth.

    By way of a third axis, for TensorFlow makes the transpose of a matrix a mere flag of the product.
    """
    rows, columns = matrix.shape
    return tf.reshape(tf.transpose(tf.reshape(matrix, [1, rows, columns]), [2, 1, 0]), [columns, rows])


def _outer(left: tf.Tensor, right: tf.Tensor) -> tf.Tensor:
    """Sum over steps and rows of the outer products: `(T, B, I)`, `(T, B, O)` -> `(I, O)`, as one product."""
    return tf.matmul(tf.reshape(left, [-1, left.shape[-1]]), tf.reshape(right, [-1, right.shape[-1]]), transpose_a=True)
