"""Compiles small functions by XLA, where they have to be compiled only once."""

import contextlib
import contextvars
import functools
from collections.abc import Callable, Iterator
from typing import Any

import tensorflow as tf
from tensorflow.python.ops import control_flow_util  # `in_xla` needs it; there is no public name

_DISABLED: contextvars.ContextVar[bool] = contextvars.ContextVar("elmo_tf_disable_compilation", default=False)


def compile_elementwise(function: Callable[..., Any], *like: tf.Tensor) -> Callable[..., Any]:
    """Compiles an elementwise function to one XLA kernel, or returns it unchanged.

    The kernel replaces a dozen operations that each pass over the memory. XLA compiles again for every new shape, so
    this compiles only in a graph, and only where all shapes are known.

    Args:
        function: a function of a module, not a closure, because compiled functions are cached for ever. It takes and
            returns tensors; numbers and None among its arguments are constants.
        like: the tensors whose shapes must be known.

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
    """Makes `compile_elementwise` return functions unchanged in this block, for a server that may have no XLA."""
    token = _DISABLED.set(True)
    try:
        yield
    finally:
        _DISABLED.reset(token)


def in_xla() -> bool:
    """Whether the graph that is being traced will be compiled by XLA, as with `jit_compile=True`.

    XLA accepts no shapes that depend on values.
    """
    return not tf.executing_eagerly() and control_flow_util.GraphOrParentsInXlaContext(tf.compat.v1.get_default_graph())


@functools.cache
def _compile(function: Callable[..., Any]) -> Callable[..., Any]:
    kept: Callable[..., Any] = tf.function(function, jit_compile=True, autograph=False)
    return kept
