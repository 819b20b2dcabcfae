"""A training step's input as a flat list of arrays, as `tf.data` and `tf.function` take it, and back."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from elmo_tf.data.steps import Step
from elmo_tf.data.windows import Window


def flatten_step(step: Step) -> list[np.ndarray]:
    """Lists the arrays of a step in order: negatives, tries, then of each part words, inputs, targets, begins."""
    return [step.negatives, step.tries, *(array for window in step.windows for array in window)]


def unflatten_step(arrays: Sequence[Any]) -> Step:
    """Reverses `flatten_step`, of arrays or of what replaces them, such as tensors or shapes."""
    negatives, tries, *rest = arrays
    size = len(Window._fields)
    windows = tuple(Window(*rest[start : start + size]) for start in range(0, len(rest), size))
    return Step(windows, negatives, tries)


def signature(arrays: Sequence[Any]) -> tuple[tf.TensorSpec, ...]:
    """The types and shapes of the arrays of `flatten_step`, which are the same for every step.

    The number of distinct words and, with character input, the length of the longest word are left open.
    """
    shapes: Any = unflatten_step([list(array.shape) for array in arrays])
    windows = tuple(window._replace(words=[None] * len(window.words)) for window in shapes.windows)
    shapes = shapes._replace(windows=windows)
    return tuple(tf.TensorSpec(shape, array.dtype) for shape, array in zip(flatten_step(shapes), arrays, strict=True))
