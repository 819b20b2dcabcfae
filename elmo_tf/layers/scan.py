"""A loop over time steps, unrolled or as a `tf.while_loop`."""

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import tensorflow as tf

_MAX_UNROLLED_STEPS = 32
"""Loops of known length up to this many steps are unrolled: faster to run than a while loop, but slower to trace."""

State = tuple[tf.Tensor, tf.Tensor]
"""The state of an LSTM between two steps: the cell `(B, H)` and the output `(B, D)`."""

Sequences: TypeAlias = "tf.Tensor | list[tf.Tensor]"
"""One value a step: a tensor `(T, ...)`, or a list of T tensors."""


def scan(
    step: Callable[[State, Sequence[tf.Tensor]], tuple[State, list[tf.Tensor]]],
    carry: State,
    sequences: Sequence[Sequences],
    dtypes: Sequence[tf.DType],
    reverse: bool = False,
    may_unroll: bool = True,
    parallel_iterations: int = 10,
) -> tuple[State, list[Sequences]]:
    """Calls `step` for each position of the first axis of the sequences, carrying a state from call to call.

    The loop is unrolled where the number of steps is known and small and `may_unroll` allows it, and a `tf.while_loop`
    otherwise.

    Args:
        step: `(carry, the sequences' values at one step) -> (new carry, outputs of that step)`.
        carry: the carry of the first step.
        sequences: the values that the steps read, `(T, ...)` each.
        dtypes: types of the outputs.
        reverse: whether to go from the last step to the first.
        may_unroll: whether a short loop may be unrolled.
        parallel_iterations: that of `tf.while_loop`.

    Returns:
        The last carry, and each output of all steps: as a list of T where the loop was unrolled, so that nothing is
        copied which need not be (see `stack`), otherwise as a tensor.
    """
    steps = len(sequences[0]) if isinstance(sequences[0], list) else sequences[0].shape[0]
    if not may_unroll or steps is None or not 0 < steps <= _MAX_UNROLLED_STEPS:
        return _while_loop(step, carry, sequences, dtypes, reverse, parallel_iterations)
    unstacked = [sequence if isinstance(sequence, list) else tf.unstack(sequence) for sequence in sequences]
    collected: list[list[tf.Tensor]] = [[] for _ in dtypes]
    for t in reversed(range(steps)) if reverse else range(steps):
        carry, outputs = step(carry, [items[t] for items in unstacked])
        for collection, output in zip(collected, outputs, strict=True):
            collection.append(output)
    return carry, [outputs[::-1] if reverse else outputs for outputs in collected]


def _while_loop(
    step: Callable[..., Any],
    carry: State,
    sequences: Sequence[tf.Tensor],
    dtypes: Sequence[tf.DType],
    reverse: bool,
    parallel_iterations: int,
) -> tuple[State, list[tf.Tensor]]:
    steps = tf.shape(sequences[0])[0]
    arrays = [tf.TensorArray(sequence.dtype, steps).unstack(sequence) for sequence in sequences]
    results = [tf.TensorArray(dtype, steps) for dtype in dtypes]

    def body(count: tf.Tensor, carry: State, results: list[Any]) -> tuple[tf.Tensor, State, list[Any]]:
        t = steps - 1 - count if reverse else count
        carry, outputs = step(carry, [array.read(t) for array in arrays])
        return count + 1, carry, [array.write(t, output) for array, output in zip(results, outputs, strict=True)]

    _, carry, results = tf.while_loop(
        lambda count, *_: count < steps,
        body,
        (0, carry, results),
        parallel_iterations=parallel_iterations,
        maximum_iterations=steps,
    )
    collected = [array.stack() for array in results]
    for values in collected:
        values.set_shape([sequences[0].shape[0], *values.shape[1:]])
    return carry, collected


def stack(values: Sequences) -> tf.Tensor:
    """Stacks a list of steps to one tensor `(T, ...)`; returns a tensor as it is."""
    return tf.stack(values) if isinstance(values, list) else values


def shift(first: tf.Tensor, values: Sequences) -> Sequences:
    """Shifts a sequence by one step: `first`, then all values but the last."""
    return [first, *values[:-1]] if isinstance(values, list) else tf.concat([first[None], values[:-1]], 0)
