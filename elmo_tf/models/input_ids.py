"""Checks the ids that a caller passes to a biLM."""

from typing import Any

import tensorflow as tf

from elmo_tf.data.characters import N_CHARACTERS
from elmo_tf.options import Options


def check_input_ids(inputs: Any, options: Options) -> None:
    """Checks the type and the shape of word ids or character ids, and in eager mode their values too.

    While a graph is traced, only the type and the known part of the shape are checked, so the graph gets no additional
    operations.

    Args:
        inputs: character ids `(B, T, C)`, or word ids `(B, T)` for a model that reads word ids.
        options: the options of the biLM.

    Raises:
        ValueError: the ids are not integers, have the wrong rank, have no steps, or have more characters per word than
            the model allows; or, in eager mode, a value is out of range.

    Example:

    >>> options = Options.from_dict({"lstm": {"dim": 8, "projection_dim": 4}, "n_tokens_vocab": 10})
    >>> check_input_ids([[0, 5, 10]], options)
    Traceback (most recent call last):
    ValueError: inputs: expected word ids from 0 to 9, got 10
    """
    by_characters = options.char_cnn is not None
    what, form = ("character ids", "(B, T, C)") if by_characters else ("word ids", "(B, T)")
    inputs = tf.convert_to_tensor(inputs)
    if not inputs.dtype.is_integer:
        raise ValueError(f"inputs: expected {what}, integers of shape {form}, got {inputs.dtype.name}")
    if inputs.shape.rank is None:
        return
    if inputs.shape.rank != len(form.split(",")):
        raise ValueError(f"inputs: expected {what} of shape {form}, got shape {inputs.shape}")
    if inputs.shape[1] == 0:
        raise ValueError(f"inputs: expected {what} of shape {form} with at least one step, got shape {inputs.shape}")
    if options.char_cnn is not None:
        _check_width(inputs.shape, options.char_cnn.max_characters_per_token)
    if tf.executing_eagerly():
        _check_range(inputs, what, N_CHARACTERS if by_characters else options.n_tokens_vocab or 0)


def _check_width(shape: tf.TensorShape, most: int) -> None:
    if shape[2] is not None and shape[2] > most:
        raise ValueError(
            f"inputs: expected character ids of shape (B, T, C) with at most {most} characters a word, "
            f"max_characters_per_token, got shape {shape}"
        )


def _check_range(inputs: tf.Tensor, what: str, size: int) -> None:
    """Checks that the ids are from 0 to `size - 1`; without this check, a lookup on a GPU silently gives zeros."""
    if 0 in inputs.shape:
        return
    least, most = int(tf.reduce_min(inputs)), int(tf.reduce_max(inputs))
    if least < 0 or most >= size:
        raise ValueError(f"inputs: expected {what} from 0 to {size - 1}, got {least if least < 0 else most}")
