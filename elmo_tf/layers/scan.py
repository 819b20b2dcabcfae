"""A loop over time steps: written out, or a `tf.while_loop`."""

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import tensorflow as tf

_LONGEST_UNROLLED = 32
"""Steps up to which a loop of known length is written out: faster to run, slower to trace, than a while loop."""

State = tuple[tf.Tensor, tf.Tensor]
"""What one step hands to the next: of an LSTM the cell `(B, H)` and the output `(B, D)`."""

Sequences: TypeAlias = "tf.Tensor | list[tf.Tensor]"
"""A value a step: a tensor `(T, ...)`, or a list of T tensors."""


def scan(
    step: Callable[[State, Sequence[tf.Tensor]], tuple[State, list[tf.Tensor]]],
    carry: State,
    sequences: Sequence[Sequences],
    dtypes: Sequence[tf.DType],
    reverse: bool = False,
    unrolled: bool = True,
    ahead: int = 10,
) -> tuple[State, list[Sequences]]:
    """Runs `step(carry, items of one step) -> (carry, outputs of `dtypes`)` along the first axis of the sequences.

    Written out where the number of steps is known and small, and `unrolled` allows it, a `tf.while_loop` elsewhere. The
    collected outputs are lists where it is written out, so that none is copied without need (`stacked`), and tensors
    elsewhere.

    Args:
        step: one step.
        carry: what the first step is given.
        sequences: what the steps read.
        dtypes: of the outputs.
        reverse: whether the last step goes first.
        unrolled: whether a short loop may be written out.
        ahead: steps that TensorFlow may begin at once, where what they read allows it.
    """
    steps = len(sequences[0]) if isinstance(sequences[0], list) else sequences[0].shape[0]
    if not unrolled or steps is None or not 0 < steps <= _LONGEST_UNROLLED:
        return _looped(step, carry, sequences, dtypes, reverse, ahead)
    unstacked = [sequence if isinstance(sequence, list) else tf.unstack(sequence) for sequence in sequences]
    collected: list[list[tf.Tensor]] = [[] for _ in dtypes]
    for t in reversed(range(steps)) if reverse else range(steps):
        carry, outputs = step(carry, [items[t] for items in unstacked])
        for collection, output in zip(collected, outputs, strict=True):
            collection.append(output)
    return carry, [outputs[::-1] if reverse else outputs for outputs in collected]


def _looped(
    step: Callable[..., Any],
    carry: State,
    sequences: Sequence[tf.Tensor],
    dtypes: Sequence[tf.DType],
    reverse: bool,
    ahead: int,
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
        parallel_iterations=ahead,
        maximum_iterations=steps,
    )
    collected = [array.stack() for array in results]
    for values in collected:
        values.set_shape([sequences[0].shape[0], *values.shape[1:]])
    return carry, collected


def stacked(values: Sequences) -> tf.Tensor:
    """As one tensor."""
    return tf.stack(values) if isinstance(values, list) else values


def shifted(first: tf.Tensor, values: Sequences) -> Sequences:
    """`first`, then all values but the last."""
    return [first, *values[:-1]] if isinstance(values, list) else tf.concat([first[None], values[:-1]], 0)
