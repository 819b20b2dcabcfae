"""Gradients before the optimizer applies them: repeated rows summed, parts added, the global norm clipped."""

from collections.abc import Sequence
from typing import TypeAlias

import tensorflow as tf

from elmo_tf.layers.host import on_host

Gradient: TypeAlias = "tf.Tensor | tf.IndexedSlices"
"""A dense gradient, or a sparse one: the rows of a large table that a step touched, and their indices."""


def sum_repeated_rows(gradient: Gradient) -> Gradient:
    """Sums the repeated rows of a sparse gradient; a dense one is returned as it is.

    >>> rows = tf.IndexedSlices(tf.constant([[1.0], [2.0], [4.0]]), tf.constant([5, 3, 5]), tf.constant([9, 1]))
    >>> sum_repeated_rows(rows).values.numpy().ravel(), sum_repeated_rows(rows).indices.numpy()
    (array([5., 2.], dtype=float32), array([5, 3], dtype=int32))
    """
    if not isinstance(gradient, tf.IndexedSlices):
        return gradient
    with on_host():  # the indices follow from the input; a GPU would have to tell how many different ones it found
        indices, positions = tf.unique(gradient.indices)
    values = tf.math.unsorted_segment_sum(gradient.values, positions, tf.shape(indices)[0])
    return tf.IndexedSlices(values, indices, gradient.dense_shape)


def add_gradients(left: Gradient, right: Gradient) -> Gradient:
    """Adds two gradients of one variable. The sum of sparse gradients has no repeated rows."""
    if not isinstance(left, tf.IndexedSlices):
        return left + right
    values, indices = tf.concat([left.values, right.values], 0), tf.concat([left.indices, right.indices], 0)
    return sum_repeated_rows(tf.IndexedSlices(values, indices, left.dense_shape))


def divide_gradient(gradient: Gradient, divisor: tf.Tensor) -> Gradient:
    """Divides a gradient by a scalar, such as the loss scale that the loss was multiplied by."""
    if isinstance(gradient, tf.IndexedSlices):
        return tf.IndexedSlices(gradient.values / divisor, gradient.indices, gradient.dense_shape)
    return gradient / divisor


def clip_by_global_norm(gradients: Sequence[Gradient], bound: float) -> tuple[list[Gradient], tf.Tensor]:
    """Scales all gradients by `bound / max(norm, bound)`, where norm is that of all gradients together.

    This is the clipping of Pascanu et al. 2013. A training step calls it once, after the gradients of all replicas
    have been summed.

    Args:
        gradients: dense gradients, and sparse ones without repeated rows.
        bound: the largest norm that is left as it is.

    Returns:
        The scaled gradients, and the norm before scaling.

    Example:

    >>> clipped, norm = clip_by_global_norm([tf.constant([3.0, 4.0])], 1.0)
    >>> clipped[0].numpy().round(3), float(norm)
    (array([0.6, 0.8], dtype=float32), 5.0)
    """
    values = [gradient.values if isinstance(gradient, tf.IndexedSlices) else gradient for gradient in gradients]
    norm = tf.sqrt(2.0 * tf.add_n([tf.nn.l2_loss(value) for value in values]))
    scale = bound / tf.maximum(norm, bound)
    scaled = [
        tf.IndexedSlices(value * scale, gradient.indices, gradient.dense_shape)
        if isinstance(gradient, tf.IndexedSlices)
        else value * scale
        for gradient, value in zip(gradients, values, strict=True)
    ]
    return scaled, norm
