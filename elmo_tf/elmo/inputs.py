"""Sentences as they come, and as the biLM reads them: checks, and their distinct words.

What comes is `(B, T)` strings, or `(B, T, C)` character ids, dense or ragged, with padding before, between or behind
the tokens. What the biLM reads is each row's tokens moved to the left, between `<S>` and `</S>`, so that a sentence is
the same wherever its padding stands.
"""

import contextlib
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from elmo_tf.data.characters import BEGIN_WORD, N_CHARACTERS, encode_words
from elmo_tf.layers.compilation import in_xla


class Sentences(NamedTuple):
    """A batch as the biLM reads it."""

    words: tf.Tensor
    """Strings `(U,)`, or character ids `(U, C)` as in training, 0 to 260. The first two are `<S>` and `</S>`."""
    index: tf.Tensor
    """int32 `(B, S)`: which word stands where; tokens from 1 on, `</S>` behind the last."""
    lengths: tf.Tensor
    """int32 `(B,)`: with both boundaries, so at least 2."""


def form_of(max_characters: int | None) -> str:
    """What a model reads, for messages.

    >>> form_of(50)
    'expected strings (batch, time), or character ids (batch, time, 50)'
    >>> form_of(None)
    'expected strings (batch, time)'
    """
    ids = "" if max_characters is None else f", or character ids (batch, time, {max_characters})"
    return f"expected strings (batch, time){ids}"


def tokens_of(inputs: Any, max_characters: int | None) -> tf.Tensor:
    """The tokens of a batch, dense: strings `(B, T)`, or int32 character ids `(B, T, C)`.

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
    """Ragged rows padded behind, with "" or 0; what is dense as it is."""
    return tokens.to_tensor() if isinstance(tokens, tf.RaggedTensor) else tf.convert_to_tensor(tokens)


def _as_int32(ids: tf.Tensor) -> tf.Tensor:
    """Character ids as int32. What int32 does not hold goes to its nearest bound, which is no id; a cast alone would
    wrap it around into one."""
    if ids.dtype in (tf.int64, tf.uint32, tf.uint64):
        # by way of int64: TensorFlow clips no uint32 or uint64
        return tf.saturate_cast(tf.cast(ids, tf.int64), tf.int32)
    return tf.cast(ids, tf.int32)


def is_token(tokens: tf.Tensor, mask: Any = None) -> tf.Tensor:
    """bool `(B, T)`: False for "", for character ids that are all 0, and where the mask is False.

    The mask may be lists, and ragged; a `ValueError` where its shape is not that of the tokens.
    """
    present = tokens != "" if tokens.dtype == tf.string else tf.reduce_any(tokens != 0, -1)
    if mask is None:
        return present
    given = tf.cast(dense(mask_from_lists(mask)), tf.bool)
    if not present.shape.is_compatible_with(given.shape):
        raise ValueError(f"mask: expected shape {tuple(present.shape)}, that of the tokens, got {tuple(given.shape)}")
    return present & given


def sentences_of(tokens: tf.Tensor, present: tf.Tensor) -> Sentences:
    """The batch as the biLM reads it, each distinct word once.

    Args:
        tokens: strings `(B, T)`, or int32 character ids `(B, T, C)` in the form of prediction: 1 to 261, padding 0.
        present: `is_token` of them.

    Under XLA, which knows no sizes that depend on values, every place is a word of its own.
    """
    counts = tf.reduce_sum(tf.cast(present, tf.int32), 1)
    if tokens.dtype != tf.string and in_xla():
        words, index = _every_token(tokens, present)
    else:
        words, index = _distinct_tokens(tokens, present, counts)
    index = tf.pad(index, [[0, 0], [1, 1]])  # <S> is word 0
    steps = tf.range(tf.shape(index)[1])
    return Sentences(words, tf.where(steps == counts[:, None] + 1, 1, index), counts + 2)


def _distinct_tokens(tokens: tf.Tensor, present: tf.Tensor, counts: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    flat = tf.boolean_mask(tokens, present)
    if tokens.dtype == tf.string:
        words, number = tf.unique(tf.concat([["<S>", "</S>"], flat], 0))
    else:
        flat = tf.concat([_boundaries(tokens.shape[2]), _checked_ids(flat) - 1], 0)
        words, number = tf.raw_ops.UniqueV2(x=flat, axis=[0])
        words.set_shape([None, tokens.shape[2]])
    rows = tf.RaggedTensor.from_row_lengths(number[2:], counts, validate=False)
    return words, rows.to_tensor(0, shape=[None, None])


def _every_token(tokens: tf.Tensor, present: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    shape = tf.shape(tokens)
    flat = tf.reshape(tokens, [-1, tokens.shape[2]])
    words = tf.concat([_boundaries(tokens.shape[2]), tf.maximum(flat - 1, 0)], 0)
    to_the_left = tf.argsort(tf.cast(~present, tf.int32), axis=1, stable=True)  # [B, T]
    return words, 2 + tf.range(shape[0])[:, None] * shape[1] + to_the_left


def _boundaries(max_characters: int) -> tf.Tensor:
    return tf.constant(encode_words(["<S>", "</S>"], max_characters))


def _checked_ids(flat: tf.Tensor) -> tf.Tensor:
    """The rows of tokens `(N, C)`; fails where they are no character ids in the form of prediction.

    Eagerly that is a `ValueError`, in a graph an `InvalidArgumentError`, with the first token that is wrong.
    """
    is_right = tf.reduce_all((flat >= 1) & (flat <= N_CHARACTERS), 1) & (flat[:, 0] == BEGIN_WORD + 1)
    message = (
        f"inputs: expected character ids of prediction, a token's row of 1 to {N_CHARACTERS} that begins with "
        f"{BEGIN_WORD + 1}, and rows of 0 for padding; got the row"
    )
    are_right = tf.reduce_all(is_right)
    if tf.executing_eagerly():
        if not are_right:
            raise ValueError(f"{message} {tf.boolean_mask(flat, ~is_right)[0].numpy().tolist()}")
        return flat
    wrong = tf.boolean_mask(flat, ~is_right)[:1]
    with tf.control_dependencies([tf.debugging.Assert(are_right, [message, wrong], summarize=50)]):
        return tf.identity(flat)


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
