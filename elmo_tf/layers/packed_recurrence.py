"""The recurrence of the projected LSTM over rows of any length without padding, from zero states, for inference.

The vectors of B rows are packed: first those of step 0 of all rows, then those of step 1 of the rows that have a step
1, and so on, with the longest row first. The rows that still run at a step are then the first ones, and every operation
reads and writes these rows alone.
"""

from typing import NamedTuple

import tensorflow as tf

from elmo_tf.layers.recurrence import Weights, clip

_FEW_VECTORS = 1024
"""Up to so many input vectors are multiplied at once before the loop: at the original size (4096 cells) their gates
take 67 MB. Of more vectors, those of one step are multiplied together with the outputs of the step before, which is a
product that is large enough to be fast."""


class _Prepared(NamedTuple):
    """What is computed before the loop: for few vectors the first, for many the second; the other one is empty.

    Args:
        from_inputs: `(N, 4H)`: the products of all inputs, bias included.
        kernels: for each of i, j, f and o `(I + 1 + D, H)`: the weights of the input, the bias, and the weights of the
            output of the step before.
    """

    from_inputs: tf.Tensor
    kernels: tuple[tf.Tensor, ...]


def packed_recurrence(inputs: tf.Tensor, starts: tf.Tensor, weights: Weights, cell_dtype: tf.DType) -> tf.Tensor:
    """Computes the outputs of `plain_recurrence` for packed rows, and keeps nothing for a backward pass.

    Args:
        inputs: `(N, I)`: the vectors of all rows, packed.
        starts: int32 `(T + 1,)`: where each of the T steps begins in `inputs`, from 0, and at last N. The number of
            rows never grows from step to step. There is at least one step.
        weights: the weights of the layer.
        cell_dtype: the type of the cell.

    Returns:
        The outputs `(N, D)`, packed like the inputs.
    """
    size, units = inputs.shape[-1], weights.bias.shape[0] // 4
    recurrent = weights.kernel[size:]
    output_size = recurrent.shape[0]
    few = tf.shape(inputs)[0] <= _FEW_VECTORS
    prepared = _prepare(inputs, weights, few)
    steps = tf.shape(starts)[0] - 1

    def body(
        step: tf.Tensor, cell: tf.Tensor, output: tf.Tensor, results: tf.TensorArray
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.TensorArray]:
        start, end = starts[step], starts[step + 1]
        cell, output = cell[: end - start], output[: end - start]

        def of_few() -> list[tf.Tensor]:
            return tf.split(prepared.from_inputs[start:end] + tf.matmul(output, recurrent), 4, 1)

        def of_many() -> list[tf.Tensor]:
            both = tf.concat([inputs[start:end], tf.ones_like(output[:, :1]), output], 1)
            return [tf.matmul(both, kernel) for kernel in prepared.kernels]

        cell, output = _cell(tf.cond(few, of_few, of_many), cell, weights)
        return step + 1, cell, output, results.write(step, output)

    cell, output = tf.zeros([starts[1], units], cell_dtype), tf.zeros([starts[1], output_size], inputs.dtype)
    results = tf.TensorArray(inputs.dtype, steps, infer_shape=False, element_shape=[None, output_size])
    # the states have the rows of the first step, and later fewer
    shapes = [tf.TensorShape(shape) for shape in ([], [None, units], [None, output_size], None)]
    *_, results = tf.while_loop(
        lambda step, *_: step < steps,
        body,
        (0, cell, output, results),
        shape_invariants=tuple(shapes),
        parallel_iterations=1,
    )
    outputs = results.concat()
    outputs.set_shape([inputs.shape[0], output_size])
    return outputs


def _prepare(inputs: tf.Tensor, weights: Weights, few: tf.Tensor) -> _Prepared:
    """Multiplies few inputs; lays the weights of many out anew, so that no operation copies a part of a product."""
    size, units = inputs.shape[-1], weights.bias.shape[0] // 4

    def multiply() -> _Prepared:
        from_inputs = tf.matmul(inputs, weights.kernel[:size]) + weights.bias
        return _Prepared(from_inputs, (tf.zeros([0, units], inputs.dtype),) * 4)

    def lay_out() -> _Prepared:
        # waits for the inputs; otherwise the weights of all layers would be copied at once
        with tf.control_dependencies([inputs]):
            kernel = tf.identity(weights.kernel)
        with_bias = [
            tf.concat([part[:size], bias[None], part[size:]], 0)
            for part, bias in zip(tf.split(kernel, 4, 1), tf.split(weights.bias, 4), strict=True)
        ]
        return _Prepared(tf.zeros([0, 4 * units], inputs.dtype), tuple(with_bias))

    return _Prepared(*tf.cond(few, multiply, lay_out))


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
