"""Functions that a graph calls several times, but that are traced only once."""

import functools
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from elmo_tf.layers.compilation import in_xla

_KEPT = "elmo_tf_shared_traces"
"""The collection of a graph that keeps the functions traced for it, as long as the graph itself is kept."""


def share_trace(function: Callable[..., Any]) -> Callable[..., Any]:
    """Decorates a function so that a graph which calls it several times has its operations once.

    Most of the time before a first training step goes into making operations, one after the other, in Python. Layers of
    like shape have the same operations, so one trace serves them all. The graph holds a call for each layer, and
    TensorFlow replaces the calls by the operations when the graph runs for the first time, so a step takes as long as
    before. A call with other shapes, types, devices or Python values is traced anew. Outside of a graph, and where XLA
    compiles the graph, the function is called as it is.

    Args:
        function: a function of a module, not a closure. It takes tensors and other hashable values in any nesting of
            tuples, and returns tensors in any nesting. It reads no variables.

    Example:

    >>> @share_trace
    ... def double(values):
    ...     return 2.0 * values
    >>> graph = tf.function(lambda x: double(double(x))).get_concrete_function(tf.TensorSpec([3])).graph
    >>> [operation.type for operation in graph.get_operations()]
    ['Placeholder', 'PartitionedCall', 'PartitionedCall', 'Identity']
    """

    @functools.wraps(function)
    def call(*args: Any) -> Any:
        return (_traced_in_graph(function) if _makes_graph() else function)(*args)

    return call


def trace_once(function: Callable[..., Any], *signature: tf.TensorSpec) -> Callable[..., Any]:
    """Returns a function that is traced once for `signature`, in a graph which calls it several times from one place.

    Args:
        function: takes and returns tensors. It may be a method or a closure, and may read variables: the trace is of
            the result alone, and goes with it.
        signature: the shapes and types of the arguments of all calls.
    """
    if not _makes_graph():
        return function
    traced: Callable[..., Any] = tf.function(function, input_signature=signature, autograph=False)
    return traced


def _makes_graph() -> bool:
    """Whether a graph is being traced in which TensorFlow, and not XLA, computes."""
    return not (tf.executing_eagerly() or in_xla())


def _traced_in_graph(function: Callable[..., Any]) -> Callable[..., Any]:
    """The traced function of the graph that is being made."""
    collection = tf.compat.v1.get_default_graph().get_collection_ref(_KEPT)
    if not collection:
        collection.append({})
    kept: dict[Callable[..., Any], Callable[..., Any]] = collection[0]
    if function not in kept:
        kept[function] = tf.function(function, autograph=False)
    return kept[function]
