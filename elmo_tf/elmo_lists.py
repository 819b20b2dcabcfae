"""Batches that come as Python lists, which Keras takes for arguments that are no tensors, to tensors."""

import contextlib
from typing import Any

import keras
import numpy as np
import tensorflow as tf

_FAILURES = (ValueError, TypeError, tf.errors.InvalidArgumentError, tf.errors.UnimplementedError)


def from_lists(inputs: Any, form: str) -> Any:
    """Nested lists and tuples, a text alone and NumPy's arrays of objects as tensors; all else as it is.

    Rows of unlike length are a `tf.RaggedTensor`, as of `tf.ragged.constant`.

    Args:
        inputs: what a layer was called with.
        form: what the layer reads, for messages: "expected ...".

    Raises:
        ValueError: the values do not form one tensor.

    Example:

    >>> form = "expected strings (batch, time)"
    >>> from_lists([["The", "cat"], ["sat", ""]], form).shape, from_lists([[], ["sat"]], form).shape
    (TensorShape([2, 2]), TensorShape([2, None]))
    """
    if isinstance(inputs, np.ndarray) and inputs.dtype == object and inputs.size:
        nested = inputs.tolist()
    elif isinstance(inputs, (list, tuple, str, bytes)):
        nested = inputs
    else:
        return inputs
    leaves = keras.tree.flatten(nested)
    if not leaves:  # no token tells the type
        return tf.ragged.constant(nested, tf.string, ragged_rank=1)
    _check(leaves, form)
    with contextlib.suppress(*_FAILURES):  # not rectangular, or no tensor at all, which the next attempt tells
        tensor = tf.convert_to_tensor(nested)
        if tensor.shape.num_elements() != 0:  # TensorFlow takes an empty first row for the shape of them all
            return tensor
    try:
        return (tf.ragged.stack if any(map(tf.is_tensor, leaves)) else tf.ragged.constant)(nested)
    except _FAILURES as error:
        raise ValueError(f"inputs: {form}, got lists that are no such batch: {str(error).splitlines()[0]}") from error


def mask_from_lists(mask: Any) -> Any:
    """A mask of nested lists or tuples as a `tf.RaggedTensor` of booleans, for its rows may be of unlike length.

    All else stays as it is.

    Raises:
        ValueError: the values are no booleans, or not nested as rows are.

    Example:

    >>> mask_from_lists([[True, False], [True]]).shape
    TensorShape([2, None])
    """
    if not isinstance(mask, (list, tuple)):
        return mask
    try:
        if any(map(tf.is_tensor, keras.tree.flatten(mask))):
            return tf.cast(tf.ragged.stack(mask), tf.bool)
        return tf.cast(tf.ragged.constant(mask, ragged_rank=1), tf.bool)
    except _FAILURES as error:
        what = str(error).splitlines()[0]
        raise ValueError(f"mask: expected booleans (batch, time), which the lists do not form: {what}") from error


def _check(leaves: list[Any], form: str) -> None:
    if any(isinstance(leaf, keras.KerasTensor) for leaf in leaves):
        raise ValueError(f"inputs: {form}, got a list of {len(leaves)} symbolic tensors: give one of them alone")
    others = [leaf for leaf in leaves if not isinstance(leaf, (str, bytes))]
    if others and len(others) < len(leaves):
        raise ValueError(f"inputs: {form}, got strings and, among them, {others[0]!r}")
    if any(leaf is None for leaf in others):
        raise ValueError(f"inputs: {form}, got None among the values")
