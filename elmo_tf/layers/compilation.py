"""Small functions compiled by XLA, where that compiles once."""

import contextlib
import contextvars
import functools
from collections.abc import Callable, Iterator
from typing import Any

import tensorflow as tf
from tensorflow.python.ops import control_flow_util  # there is no public name for what `in_xla` asks

_DISABLED: contextvars.ContextVar[bool] = contextvars.ContextVar("elmo_tf_disable_compilation", default=False)


def compile_elementwise(function: Callable[..., Any], *like: tf.Tensor) -> Callable[..., Any]:
    """`function` as one XLA kernel instead of a dozen operations that each pass over the memory; or as it is.

    XLA compiles for every shape anew, so only in a graph and where the shapes are known. A module's function, for the
    compiled ones are kept for ever.

    Args:
        function: takes and gives tensors, and numbers and None as constants.
        like: the tensors whose shapes decide.

    Example:

    >>> def double(values):
    ...     return 2.0 * values
    >>> compile_elementwise(double, tf.ones(3)) is double  # not in a graph
    True
    """
    if _DISABLED.get() or tf.executing_eagerly() or not all(tensor.shape.is_fully_defined() for tensor in like):
        return function
    return _compile(function)


@contextlib.contextmanager
def disable_compilation() -> Iterator[None]:
    """What is traced in this block is left uncompiled, for a server that may have no XLA."""
    token = _DISABLED.set(True)
    try:
        yield
    finally:
        _DISABLED.reset(token)


def in_xla() -> bool:
    """Whether what is traced here is compiled by XLA, as with `jit_compile=True`, which knows no shapes that depend on
    values."""
    return not tf.executing_eagerly() and control_flow_util.GraphOrParentsInXlaContext(tf.compat.v1.get_default_graph())


@functools.cache
def _compile(function: Callable[..., Any]) -> Callable[..., Any]:
    kept: Callable[..., Any] = tf.function(function, jit_compile=True, autograph=False)
    return kept
