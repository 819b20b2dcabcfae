"""`tf.custom_gradient` for functions that are traced again and again: a graph is freed when nobody uses it any more."""

import functools
import weakref
from collections.abc import Callable
from typing import Any

import tensorflow as tf
from tensorflow.python.framework import ops

_KEPT = "elmo_tf_gradients"
"""The collection of a graph that keeps its gradient functions, as long as the graph itself is kept."""


def custom_gradient(function: Callable[..., Any]) -> Callable[..., Any]:
    """Decorates a function that returns its result and the function of its gradient, as `tf.custom_gradient` does.

    In a graph, TensorFlow registers each such gradient under a name of its own and never removes it. The gradient holds
    tensors of the graph, so the graph would stay in memory until the process ends: 6 MB for each trace of a small
    `ElmoLayer`. Here the graph keeps the gradient, and the registry has a weak reference to it.

    Args:
        function: takes tensors and returns `(result, gradient)`; see the documentation of `tf.custom_gradient`.

    Example:

    >>> @custom_gradient
    ... def cube(x):
    ...     return x**3, lambda d_y: d_y * 3.0 * x**2
    >>> with tf.GradientTape() as tape:
    ...     x = tf.constant(2.0)
    ...     tape.watch(x)
    ...     y = cube(x)
    >>> float(tape.gradient(y, x))
    12.0
    """
    with_gradient = tf.custom_gradient(function)

    @functools.wraps(function)
    def run(*args: Any) -> Any:
        result = with_gradient(*args)
        first = tf.nest.flatten(result)[0]
        if tf.is_symbolic_tensor(first):
            _hand_gradient_to_graph(first.op)
        return result

    return run


def _hand_gradient_to_graph(operation: tf.Operation) -> None:
    """Lets the graph of an operation keep the operation's gradient, in place of TensorFlow's registry."""
    entry = ops.gradient_registry._registry[operation.get_attr("_gradient_op_type").decode()]
    gradient = entry["type"]
    operation.graph.add_to_collection(_KEPT, gradient)
    reference = weakref.ref(gradient)

    def look_up(*args: Any) -> Any:
        there = reference()
        if there is None:
            raise RuntimeError("the graph of this gradient is no longer in memory: trace its function again")
        return there(*args)

    entry["type"] = look_up
