"""The input of a training step, and the order in which its arrays travel: the one place that knows it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from elmo_tf.data.windows import Window

if TYPE_CHECKING:
    import tensorflow as tf


class Step(NamedTuple):
    """The input of one training step.

    Args:
        windows: one a part.
        negatives: word ids int32 `(directions, n)`, the same for all parts; `(directions, 0)` without sampling.
        tries: how many draws each sample took, float32 `(directions,)`.
    """

    windows: tuple[Window, ...]
    negatives: np.ndarray
    tries: np.ndarray


def flat(step: Step) -> list[np.ndarray]:
    """The arrays of a step in a fixed order: negatives, tries, then of each part words, inputs, targets, begins."""
    return [step.negatives, step.tries, *(array for window in step.windows for array in window)]


def unflattened(arrays: Sequence[Any]) -> Step:
    """The step whose `flat` these arrays are, or tensors, or whatever stands for them."""
    negatives, tries, *rest = arrays
    size = len(Window._fields)
    windows = tuple(Window(*rest[start : start + size]) for start in range(0, len(rest), size))
    return Step(windows, negatives, tries)


def signature(arrays: Sequence[Any]) -> "tuple[tf.TensorSpec, ...]":
    """Type and shape of the arrays or tensors of `flat`, as every step has them: the sizes of the words are left open,
    their number and, with characters, the length of the longest."""
    import tensorflow as tf

    shapes: Any = unflattened([list(array.shape) for array in arrays])
    windows = tuple(window._replace(words=[None] * len(window.words)) for window in shapes.windows)
    shapes = shapes._replace(windows=windows)
    return tuple(tf.TensorSpec(shape, array.dtype) for shape, array in zip(flat(shapes), arrays, strict=True))
