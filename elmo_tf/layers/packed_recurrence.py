"""The recurrence of the projected LSTM over rows of any length without padding, from zero states, for inference.

The vectors of B rows are packed: first those of step 0 of all rows, then those of step 1 of the rows that have a step
1, and so on, with the longest row first. The rows that still run at a step are then the first ones, and every operation
reads and writes these rows alone.
"""

from typing import NamedTuple

import tensorflow as tf

from elmo_tf.layers.recurrence import Weights, clip

_VECTORS_OF_ONE_PRODUCT = 1024
"""Up to so many input vectors are multiplied at once before the loop: at the original size (4096 cells) their gates
take 67 MB. Of more vectors, those of one step are multiplied together with the outputs of the step before, which is a
product that is large enough to be fast."""


class _Gates(NamedTuple):
    """The weights of one gate: a matrix for `[input, 1]`, one for the previous output, and both together."""

    of_input: tf.Tensor
    of_output: tf.Tensor
    of_both: tf.Tensor


def packed_recurrence(inputs: tf.Tensor, starts: tf.Tensor, weights: Weights, cell_dtype: tf.DType) -> tf.Tensor:
    """Computes the outputs of `plain_recurrence` for packed rows, and keeps nothing for a backward pass.

    Each gate is a product of its own, so that no operation copies a part of a larger matrix. The bias is the row of the
    kernel that belongs to a column of ones beside the inputs.

    Args:
        inputs: `(N, I)`: the vectors of all rows, packed.
        starts: int32 `(T + 1,)`: where each of the T steps begins in `inputs`, from 0, and at last N. The number of
            rows never grows from step to step. There is at least one step.
        weights: the weights of the layer.
        cell_dtype: the type of the cell.

    Returns:
        The outputs `(N, D)`, packed like the inputs.
    """
    size = inputs.shape[-1]
    gates = _split_gates(weights, size)
    inputs = tf.concat([inputs, tf.ones_like(inputs[:, :1])], 1)
    few = tf.shape(inputs)[0] <= _VECTORS_OF_ONE_PRODUCT
    from_inputs = _multiply_few(inputs, gates, few)
    units, output_size = weights.bias.shape[0] // 4, weights.kernel.shape[0] - size
    steps = tf.shape(starts)[0] - 1
    results = tf.TensorArray(inputs.dtype, steps, infer_shape=False, element_shape=[None, output_size])

    def body(
        step: tf.Tensor, cell: tf.Tensor, output: tf.Tensor, results: tf.TensorArray
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.TensorArray]:
        start, end = starts[step], starts[step + 1]
        cell, output = cell[: end - start], output[: end - start]

        def of_few() -> list[tf.Tensor]:
            pairs = zip(from_inputs, gates, strict=True)
            return [given[start:end] + tf.matmul(output, gate.of_output) for given, gate in pairs]

        def of_many() -> list[tf.Tensor]:
            both = tf.concat([inputs[start:end], output], 1)
            return [tf.matmul(both, gate.of_both) for gate in gates]

        cell, output = _cell(tf.cond(few, of_few, of_many), cell, weights)
        return step + 1, cell, output, results.write(step, output)

    # the states have the sizes of the first step, and later of fewer rows
    cell = tf.zeros([starts[1], units], cell_dtype)
    output = tf.zeros([starts[1], output_size], inputs.dtype)
    scalar, rows = tf.TensorShape([]), tf.TensorShape([None, units])
    *_, results = tf.while_loop(
        lambda step, *_: step < steps,
        body,
        (0, cell, output, results),
        shape_invariants=(scalar, rows, tf.TensorShape([None, output_size]), tf.TensorShape(None)),
        parallel_iterations=1,
    )
    outputs = results.concat()
    outputs.set_shape([inputs.shape[0], output_size])
    return outputs


def _split_gates(weights: Weights, size: int) -> list[_Gates]:
    """The weights of i, j, f and o."""
    found = []
    for kernel, bias in zip(tf.split(weights.kernel, 4, 1), tf.split(weights.bias, 4), strict=True):
        of_input, of_output = tf.concat([kernel[:size], bias[None]], 0), kernel[size:]
        found.append(_Gates(of_input, of_output, tf.concat([of_input, of_output], 0)))
    return found


def _multiply_few(inputs: tf.Tensor, gates: list[_Gates], few: tf.Tensor) -> list[tf.Tensor]:
    """The products of all inputs with the weights of each gate, `(N, H)`; without rows if there are many inputs."""

    def multiply() -> list[tf.Tensor]:
        return [tf.matmul(inputs, gate.of_input) for gate in gates]

    def leave() -> list[tf.Tensor]:
        return [tf.zeros([0, gate.of_input.shape[1]], inputs.dtype) for gate in gates]

    found: list[tf.Tensor] = tf.cond(few, multiply, leave)
    return found


def _cell(gates: list[tf.Tensor], cell: tf.Tensor, weights: Weights) -> tuple[tf.Tensor, tf.Tensor]:
    """The new cell and the new output, from the gates before their activations."""
    dtype = gates[0].dtype
    i, j, f, o = (tf.cast(gate, cell.dtype) for gate in gates)
    cell = _clip_once(tf.sigmoid(f + 1.0) * cell + tf.sigmoid(i) * tf.tanh(j), weights.cell_clip)
    output = tf.cast(tf.sigmoid(o) * tf.tanh(cell), dtype)
    if weights.projection is not None:
        output = clip(tf.matmul(output, weights.projection), weights.proj_clip)
    return cell, output


def _clip_once(values: tf.Tensor, bound: float | None) -> tf.Tensor:
    """Clips as `clip` does, in one pass over the memory instead of two."""
    if bound is None:
        return values
    limits = tf.constant([-bound, bound], values.dtype)
    return tf.raw_ops.ClipByValue(t=values, clip_value_min=limits[0], clip_value_max=limits[1])
