"""Batches that come as Python lists, which Keras takes for arguments that are no tensors, to tensors."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf

_FAILURES = (ValueError, TypeError, tf.errors.InvalidArgumentError)
_EXPECTED = "inputs: expected strings (batch, time), or character ids (batch, time, characters)"


def from_lists(inputs: Any) -> Any:
    """Nested lists and tuples, a text alone and NumPy's arrays of objects as tensors; all else as it is.

    Rows of unlike length are a `tf.RaggedTensor`, as of `tf.ragged.constant`.

    Raises:
        ValueError: the values are none that go into one tensor.

    Example:

    >>> from_lists([["The", "cat"], ["sat", ""]]).shape, from_lists([["The", "cat"], ["sat"]]).shape
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
    _check(leaves)
    try:
        return tf.convert_to_tensor(nested)
    except _FAILURES:  # not rectangular, or no tensor at all, which the next attempt tells
        ragged = tf.ragged.stack if any(map(tf.is_tensor, leaves)) else tf.ragged.constant
    try:
        return ragged(nested)
    except _FAILURES as error:
        raise ValueError(f"{_EXPECTED}, got lists that are no such batch: {str(error).splitlines()[0]}") from error


def _check(leaves: list[Any]) -> None:
    if any(isinstance(leaf, keras.KerasTensor) for leaf in leaves):
        raise ValueError(f"{_EXPECTED}, got a list of {len(leaves)} symbolic tensors: give one of them alone")
    others = [leaf for leaf in leaves if not isinstance(leaf, (str, bytes))]
    if others and len(others) < len(leaves):
        raise ValueError(f"{_EXPECTED}, got strings and, among them, {others[0]!r}")
    if any(leaf is None for leaf in others):
        raise ValueError(f"{_EXPECTED}, got None among the values")
