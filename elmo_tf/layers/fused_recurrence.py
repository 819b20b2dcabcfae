"""The recurrence of the projected LSTM with a backward pass of its own: the implementation that training uses."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from elmo_tf.layers.compilation import compile_elementwise
from elmo_tf.layers.custom_gradient import custom_gradient
from elmo_tf.layers.recurrence import Weights, clip, matmul_steps
from elmo_tf.layers.scan import Sequences, State, scan, shift, stack
from elmo_tf.layers.shared_trace import share_trace


def fused_recurrence(
    inputs: tf.Tensor, weights: Weights, state: State, mask: tf.Tensor | None
) -> tuple[tf.Tensor, State]:
    """Computes the values and gradients of `plain_recurrence` in less time and memory.

    These measures save time, by `benchmarks/recurrence.py`:

    - One matrix product before the loop multiplies the inputs of all steps by the kernel, and one after the backward
      loop gives the weight gradients of all steps. Small products are slow on most devices, and TensorFlow's own
      gradient adds up the weight gradients step by step. This saves from half of the time down to a tenth; the wider
      the vector units, the less. A column of ones beside the inputs makes the bias gradient part of the same product.
    - The backward pass transposes the weights in memory once, before its loop.
    - Only gates, cells and outputs of the forward pass are kept for the backward pass.
    - XLA compiles the gates of a step to one kernel where the number of rows is known. The loop as a whole is not
      compiled: on a CPU that is slower, and takes seconds to compile.
    - Each direction is a call of its own, and the two run in parallel; one loop over both is no faster. Layers and
      directions of like shape are traced once for all of them.

    Arguments and results are those of `plain_recurrence`.
    """
    # an absent projection is an empty tensor here, because a custom gradient accepts no None
    has_projection = weights.projection is not None
    projection = weights.projection if has_projection else tf.zeros([0, 0], inputs.dtype)

    @custom_gradient
    def run(
        inputs: tf.Tensor, kernel: tf.Tensor, bias: tf.Tensor, projection: tf.Tensor, cell: tf.Tensor, output: tf.Tensor
    ) -> tuple[tuple[tf.Tensor, ...], Callable[..., tuple[tf.Tensor, ...]]]:
        layer = Weights(kernel, bias, projection if has_projection else None, weights.cell_clip, weights.proj_clip)
        forward = _forward(inputs, layer, (cell, output), mask)
        outputs = stack(forward.outputs)
        masked_outputs = outputs if mask is None else _zero_unless(mask[:, :, None], outputs)

        def gradient(d_outputs: tf.Tensor, d_cell: tf.Tensor, d_output: tf.Tensor) -> tuple[tf.Tensor, ...]:
            return _backward(inputs, layer, (cell, output), mask, forward, d_outputs, (d_cell, d_output))

        return (masked_outputs, forward.cells[-1], forward.outputs[-1]), gradient

    masked_outputs, last_cell, last_output = run(inputs, weights.kernel, weights.bias, projection, *state)
    return masked_outputs, (last_cell, last_output)


class _Activations(NamedTuple):
    """The values of the forward pass that the backward pass needs, one a step."""

    gates: Sequences  # [B, 4H]: i, j, f, o after their activations
    cells: Sequences  # [B, H]
    hidden: Sequences  # [B, H]: o tanh(cell), before the projection
    outputs: Sequences  # [B, D]: at a masked step the output of the step before


@share_trace
def _forward(inputs: tf.Tensor, weights: Weights, state: State, mask: tf.Tensor | None) -> _Activations:
    size = inputs.shape[-1]
    from_inputs = matmul_steps(inputs, weights.kernel[:size])  # [T, B, 4H]
    recurrent, coefficients = weights.kernel[size:], _gate_coefficients(weights.bias.shape[0] // 4, state[0].dtype)

    def step(carry: State, items: Sequence[tf.Tensor]) -> tuple[State, list[tf.Tensor]]:
        cell, output = carry
        gates, new_cell, hidden = compile_elementwise(_gates, cell)(
            items[0], tf.matmul(output, recurrent), weights.bias, coefficients, cell, weights.cell_clip
        )
        new_output = hidden
        if weights.projection is not None:
            new_output = _clip_at_once(tf.matmul(hidden, weights.projection), weights.proj_clip)
        if mask is not None:
            keep = items[1][:, None]
            new_cell, new_output = tf.where(keep, new_cell, cell), tf.where(keep, new_output, output)
        return (new_cell, new_output), [gates, new_cell, hidden, new_output]

    sequences = [from_inputs] if mask is None else [from_inputs, mask]
    _, values = scan(step, state, sequences, [inputs.dtype, state[0].dtype, inputs.dtype, inputs.dtype])
    return _Activations(*values)


def _gate_coefficients(units: int, dtype: tf.DType) -> tuple[tf.Tensor, ...]:
    """Makes the slope, shift and offset, `(4H,)` each, with which one tanh computes all four activations.

    `sigmoid(x) = (1 + tanh(x / 2)) / 2`, so `slope * tanh(slope * x + shift) + offset` is sigmoid for i, f and o and
    tanh for j, in one pass over the memory. The shift of f is half of the forget bias of 1.
    """
    by_gate = [0.5, 1.0, 0.5, 0.5], [0.0, 0.0, 0.5, 0.0], [0.5, 0.0, 0.5, 0.5]
    return tuple(tf.constant(np.repeat(values, units), dtype) for values in by_gate)


def _gates(
    from_input: tf.Tensor,
    from_output: tf.Tensor,
    bias: tf.Tensor,
    coefficients: tuple[tf.Tensor, ...],
    cell: tf.Tensor,
    cell_clip: float | None,
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Computes the activations i, j, f, o `(B, 4H)`, the new cell `(B, H)` and `o tanh(cell)` `(B, H)`."""
    slope, shift, offset = coefficients
    before = tf.cast(from_input, cell.dtype) + tf.cast(from_output, cell.dtype) + tf.cast(bias, cell.dtype)
    gates = slope * tf.tanh(slope * before + shift) + offset
    i, j, f, o = tf.split(gates, 4, 1)
    new_cell = clip(f * cell + i * j, cell_clip)
    return tf.cast(gates, from_input.dtype), new_cell, tf.cast(o * tf.tanh(new_cell), from_input.dtype)


@share_trace
def _backward(
    inputs: tf.Tensor,
    weights: Weights,
    state: State,
    mask: tf.Tensor | None,
    forward: _Activations,
    d_outputs: tf.Tensor,
    d_state: State,
) -> tuple[tf.Tensor, ...]:
    """Computes the gradients with respect to inputs, kernel, bias, projection, initial cell and initial output."""
    size = inputs.shape[-1]
    previous_outputs = stack(shift(state[1], forward.outputs))
    # without this dependency TensorFlow may transpose during the forward pass, and hold the results in memory
    with tf.control_dependencies([d_outputs]):
        kernel = _transpose(weights.kernel)  # [4H, I + D]
        transposed = weights._replace(
            kernel=kernel[:, size:],
            projection=None if weights.projection is None else _transpose(weights.projection),
        )
    step = _backward_step(transposed, tf.zeros_like(state[1]))
    sequences = [d_outputs, forward.gates, forward.cells, shift(state[0], forward.cells)]
    if mask is not None:
        sequences.append(mask)
    if _clips_outputs(weights):  # compared for all steps at once, because on a GPU every operation is a launch
        sequences.append(tf.abs(stack(forward.outputs)) < weights.proj_clip)
    (d_cell, d_output), (d_gates, d_projected) = scan(step, d_state, sequences, [inputs.dtype] * 2, reverse=True)

    d_gates = stack(d_gates)
    with_ones = tf.concat([inputs, previous_outputs, tf.ones_like(inputs[:, :, :1])], 2)
    d_weights = _sum_outer_products(with_ones, d_gates)  # rows: kernel, then bias
    d_inputs = matmul_steps(d_gates, kernel[:, :size])
    if weights.projection is None:
        d_projection = tf.zeros([0, 0], inputs.dtype)
    else:
        d_projection = _sum_outer_products(stack(forward.hidden), stack(d_projected))
    return d_inputs, d_weights[:-1], d_weights[-1], d_projection, d_cell, d_output


def _clips_outputs(weights: Weights) -> bool:
    return weights.projection is not None and weights.proj_clip is not None


def _backward_step(transposed: Weights, zeros: tf.Tensor) -> Callable[..., Any]:
    """Makes the function of one backward step, which carries the gradients of the state from a step to the one before.

    Args:
        transposed: the transposed weights: `kernel` has the recurrent part alone `(4H, D)`, `projection` is `(D, H)`.
        zeros: the gradient of outputs that were all clipped, `(B, D)`.
    """
    clips = _clips_outputs(transposed)

    def step(carry: State, items: Sequence[tf.Tensor]) -> tuple[State, list[tf.Tensor]]:
        d_outputs, gates, cell, previous_cell, *rest = items
        is_inside = rest.pop() if clips else None
        keep = rest[0][:, None] if rest else None
        d_cell, d_output = carry
        d_projected = d_output + d_outputs if keep is None else _zero_unless(keep, d_output + d_outputs)
        d_new_cell = d_cell if keep is None else _zero_unless(keep, d_cell)
        d_hidden = d_projected
        if transposed.projection is not None:
            d_projected = d_projected if is_inside is None else tf.where(is_inside, d_projected, zeros)
            d_hidden = tf.matmul(d_projected, transposed.projection)
        d_gates, d_previous = compile_elementwise(_gates_gradient, cell)(
            d_new_cell, d_hidden, gates, cell, previous_cell, transposed.cell_clip
        )
        d_state = d_previous, tf.matmul(d_gates, transposed.kernel)
        if keep is not None:  # a masked step left the state unchanged, so its gradient passes unchanged too
            d_state = tf.where(keep, d_state[0], d_cell), tf.where(keep, d_state[1], d_output)
        return d_state, [d_gates, d_projected]

    return step


def _gates_gradient(
    d_cell: tf.Tensor,
    d_hidden: tf.Tensor,
    gates: tf.Tensor,
    cell: tf.Tensor,
    previous_cell: tf.Tensor,
    cell_clip: float | None,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Computes the gradients of the gates before their activations `(B, 4H)` and of the previous cell `(B, H)`."""
    i, j, f, o = tf.split(tf.cast(gates, cell.dtype), 4, 1)
    d_hidden = tf.cast(d_hidden, cell.dtype)
    tanh_cell = tf.tanh(cell)
    d_cell = _clip_gradient(d_cell + d_hidden * o * (1.0 - tanh_cell * tanh_cell), cell, cell_clip)
    d_gates = [
        d_cell * j * i * (1.0 - i),
        d_cell * i * (1.0 - j * j),
        d_cell * previous_cell * f * (1.0 - f),
        d_hidden * tanh_cell * o * (1.0 - o),
    ]
    return tf.cast(tf.concat(d_gates, 1), gates.dtype), d_cell * f


def _clip_at_once(values: tf.Tensor, bound: float | None) -> tf.Tensor:
    """Computes `clip` by one operation instead of two."""
    if bound is None:
        return values
    low, high = (tf.constant(value, values.dtype) for value in (-bound, bound))
    return tf.raw_ops.ClipByValue(t=values, clip_value_min=low, clip_value_max=high)


def _clip_gradient(gradient: tf.Tensor, result: tf.Tensor, bound: float | None) -> tf.Tensor:
    """Computes the gradient of `clip` from its result: zero where the result is at the bound."""
    return gradient if bound is None else _zero_unless(tf.abs(result) < bound, gradient)


def _zero_unless(keep: tf.Tensor, values: tf.Tensor) -> tf.Tensor:
    """Sets values to zero where `keep` is False."""
    return tf.where(keep, values, tf.zeros_like(values))


def _transpose(matrix: tf.Tensor) -> tf.Tensor:
    """Transposes a matrix in memory.

    Multiplying by a transposed view instead takes half as long again for the rows of one step, a tenth for the rows of
    all steps. The third axis is needed because TensorFlow turns the transpose of a matrix into a flag of the product.
    """
    rows, columns = matrix.shape
    return tf.reshape(tf.transpose(tf.reshape(matrix, [1, rows, columns]), [2, 1, 0]), [columns, rows])


def _sum_outer_products(left: tf.Tensor, right: tf.Tensor) -> tf.Tensor:
    """Sums the outer products of all steps and rows, `(T, B, I)` and `(T, B, O)` -> `(I, O)`, as one matrix product."""
    return tf.matmul(tf.reshape(left, [-1, left.shape[-1]]), tf.reshape(right, [-1, right.shape[-1]]), transpose_a=True)
