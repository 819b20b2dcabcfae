"""Checks and converts the input of `ElmoLayer` and `StaticEmbedding`: lists, types, shapes and masks.

A batch is strings `(B, T)`, or character ids `(B, T, C)`, dense or ragged. Padding may be before, between or after the
tokens.
"""

import contextlib
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from elmo_tf.data.characters import N_CHARACTERS


def form_of(max_characters: int | None) -> str:
    """Returns the beginning of an error message, which says what inputs a model reads.

    >>> form_of(50)
    'expected strings (batch, time), or character ids (batch, time, 50)'
    >>> form_of(None)
    'expected strings (batch, time)'
    """
    ids = "" if max_characters is None else f", or character ids (batch, time, {max_characters})"
    return f"expected strings (batch, time){ids}"


def tokens_of(inputs: Any, max_characters: int | None) -> tf.Tensor:
    """Converts a batch to dense tokens: strings `(B, T)`, or int32 character ids `(B, T, C)`.

    Args:
        inputs: a tensor, dense or ragged.
        max_characters: C; None for a model with word input, which reads strings alone.

    Raises:
        ValueError: the model does not read this dtype or shape.

    Example:

    >>> tokens_of(tf.ragged.constant([["The", "cat"], ["sat"]]), 50).numpy().tolist()
    [[b'The', b'cat'], [b'sat', b'']]
    """
    tokens = dense(inputs)
    _check_tokens(tokens, max_characters)
    if tokens.dtype == tf.string:
        return tokens
    return tf.ensure_shape(_as_int32(tokens), [None, None, max_characters])


def _check_tokens(tokens: tf.Tensor, max_characters: int | None) -> None:
    form = form_of(max_characters)
    came = f"{tf.as_dtype(tokens.dtype).name} of shape {tuple(tokens.shape)}"
    if tokens.shape.rank is None:
        raise ValueError(f"inputs: {form}, got a tensor of unknown rank")
    if tokens.dtype == tf.string:
        if tokens.shape.rank != 2:
            raise ValueError(f"inputs: {form}, got {came}; a sentence is a row of tokens")
    elif max_characters is None:
        raise ValueError(f"inputs: {form}, for it looks up whole words, got {came}")
    elif tf.as_dtype(tokens.dtype).is_floating:
        hint = 'a Sequential model has to begin with keras.Input((None,), dtype="string")'
        if tokens.shape.rank == 3:
            hint = f'ids are integers, and a model\'s keras.Input((None, {max_characters}), dtype="int32")'
        raise ValueError(f"inputs: {form}, got {came}; {hint}")
    elif tf.as_dtype(tokens.dtype).is_integer and tf.as_dtype(tokens.dtype).max < N_CHARACTERS:
        raise ValueError(f"inputs: {form}, got {came}, which does not hold ids up to {N_CHARACTERS}")
    elif not tf.as_dtype(tokens.dtype).is_integer or tokens.shape.rank != 3:
        raise ValueError(f"inputs: {form}, got {came}")
    elif tokens.shape[2] not in (None, max_characters):
        raise ValueError(f"inputs: {form}, got {came}; this model reads {max_characters} characters a word")


def dense(tokens: Any) -> tf.Tensor:
    """Converts to a dense tensor; ragged rows are padded at the end, with "" or 0."""
    return tokens.to_tensor() if isinstance(tokens, tf.RaggedTensor) else tf.convert_to_tensor(tokens)


def _as_int32(ids: tf.Tensor) -> tf.Tensor:
    """Casts character ids to int32. A number outside int32 becomes the nearest bound, which is not a valid id; a plain
    cast would wrap it around, perhaps to a valid one."""
    if ids.dtype in (tf.int64, tf.uint32, tf.uint64):
        # through int64, because TensorFlow cannot clip uint32 and uint64
        return tf.saturate_cast(tf.cast(ids, tf.int64), tf.int32)
    return tf.cast(ids, tf.int32)


def is_token(tokens: tf.Tensor, mask: Any = None) -> tf.Tensor:
    """Returns bool `(B, T)`: False for "", for character ids that are all 0, and where the mask is False.

    Args:
        tokens: strings `(B, T)`, or character ids `(B, T, C)`.
        mask: booleans `(B, T)`, a tensor, dense or ragged, or lists; None for all True.

    Raises:
        ValueError: the mask has another shape than the tokens.
    """
    present = tokens != "" if tokens.dtype == tf.string else tf.reduce_any(tokens != 0, -1)
    if mask is None:
        return present
    mask = tf.cast(dense(mask_from_lists(mask)), tf.bool)
    if not present.shape.is_compatible_with(mask.shape):
        raise ValueError(f"mask: expected shape {tuple(present.shape)}, that of the tokens, got {tuple(mask.shape)}")
    return present & mask


_FAILURES = (ValueError, TypeError, tf.errors.InvalidArgumentError, tf.errors.UnimplementedError)


def from_lists(inputs: Any, form: str) -> Any:
    """Converts nested lists and tuples, a single string, or a NumPy array of objects to a tensor.

    Rows of different lengths become a `tf.RaggedTensor`. Any other input is returned unchanged.

    Args:
        inputs: the argument that a layer was called with.
        form: the inputs that the layer reads, for messages: `form_of`.

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
    if not leaves:  # without tokens the type is not known
        return tf.ragged.constant(nested, tf.string, ragged_rank=1)
    _check_leaves(leaves, form)
    with contextlib.suppress(*_FAILURES):  # it fails for ragged rows too, which the next attempt converts
        tensor = tf.convert_to_tensor(nested)
        if tensor.shape.num_elements() != 0:  # if the first row is empty, TensorFlow takes all rows to be empty
            return tensor
    try:
        return (tf.ragged.stack if any(map(tf.is_tensor, leaves)) else tf.ragged.constant)(nested)
    except _FAILURES as error:
        raise ValueError(f"inputs: {form}, got lists that are no such batch: {str(error).splitlines()[0]}") from error


def only_tokens_with_spaces(tokens: Any) -> bool:
    """Whether a batch has tokens, and every one of them holds a space, so that they look like whole sentences.

    Args:
        tokens: an input of a layer. The answer is False for symbolic tensors and for character ids.

    Example:

    >>> only_tokens_with_spaces(tf.constant([["the cat sat", ""], ["a dog", ""]]))
    True
    >>> only_tokens_with_spaces(tf.constant([["New York", "is"]]))
    False
    """
    values = tokens.flat_values if isinstance(tokens, tf.RaggedTensor) else tokens
    # in a function that is being traced, operations are symbolic even on a tensor that has numbers
    if not (tf.executing_eagerly() and hasattr(values, "numpy") and values.dtype == tf.string and values.shape.rank):
        return False
    tokens_alone = tf.boolean_mask(values, values != "")
    has_space = tf.strings.regex_full_match(tokens_alone, r"(?s).*\S +\S.*")
    return tf.size(tokens_alone).numpy() > 0 and bool(tf.reduce_all(has_space))


def mask_from_lists(mask: Any) -> Any:
    """Converts a mask of nested lists or tuples to a `tf.RaggedTensor` of booleans; returns any other mask unchanged.

    Raises:
        ValueError: the values are not booleans, or not nested like rows of tokens.

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


def _check_leaves(leaves: list[Any], form: str) -> None:
    if any(isinstance(leaf, keras.KerasTensor) for leaf in leaves):
        raise ValueError(f"inputs: {form}, got a list of {len(leaves)} symbolic tensors: give one of them alone")
    others = [leaf for leaf in leaves if not isinstance(leaf, (str, bytes))]
    if others and len(others) < len(leaves):
        raise ValueError(f"inputs: {form}, got strings and, among them, {others[0]!r}")
    if any(leaf is None for leaf in others):
        raise ValueError(f"inputs: {form}, got None among the values")
