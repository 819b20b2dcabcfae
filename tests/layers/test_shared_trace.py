import gc
import weakref

import numpy as np
import pytest
import tensorflow as tf

from elmo_tf.layers.custom_gradient import custom_gradient
from elmo_tf.layers.shared_trace import share_trace, trace_once

TRACES = []


@share_trace
def scaled(values, factor):
    TRACES.append(values.shape)
    return factor * values, [values + 1.0]


@pytest.fixture(autouse=True)
def no_traces():
    TRACES.clear()


def calls(function):
    return [op.type for op in function.graph.get_operations()].count("PartitionedCall")


def test_a_graph_traces_calls_of_like_shape_once_and_others_anew():
    @tf.function
    def run(a, b, c):
        return [scaled(a, 2.0)[0], scaled(b, 2.0)[0], scaled(c, 2.0)[0], scaled(a, 3.0)[1][0]]

    a, b, c = tf.constant([1.0, 2.0]), tf.constant([3.0, 4.0]), tf.constant([5.0])
    results = run(a, b, c)
    assert TRACES == [(2,), (1,), (2,)]  # the last is another factor
    assert calls(run.get_concrete_function(a, b, c)) == 4
    for result, expected in zip(results, ([2.0, 4.0], [6.0, 8.0], [10.0], [2.0, 3.0]), strict=True):
        np.testing.assert_array_equal(result, expected)


def test_another_graph_traces_for_itself():
    for _ in range(2):
        tf.function(lambda x: scaled(x, 2.0)[0]).get_concrete_function(tf.TensorSpec([2]))
    assert len(TRACES) == 2


def test_nothing_is_traced_outside_of_a_graph_or_under_xla():
    np.testing.assert_array_equal(scaled(tf.constant([1.0]), 2.0)[0], [2.0])
    graph = tf.function(lambda x: scaled(x, 2.0)[0], jit_compile=True)
    np.testing.assert_array_equal(graph(tf.constant([1.0])), [2.0])
    assert calls(graph.get_concrete_function(tf.constant([1.0]))) == 0
    assert trace_once(np.square) is np.square


def test_what_a_graph_traced_goes_with_the_graph():
    function = tf.function(lambda x: scaled(x, 2.0)[0]).get_concrete_function(tf.TensorSpec([2]))
    graph = weakref.ref(function.graph)
    del function
    gc.collect()
    assert graph() is None


def test_a_function_traced_once_reads_variables_and_has_the_gradients_of_each_call():
    weight, traces = tf.Variable([2.0, 5.0]), []

    @custom_gradient
    def square(values):
        return values**2, lambda upstream: 2.0 * values * upstream

    def compute(values):
        traces.append(values)
        return weight * square(values)

    @tf.function
    def run(a, b):
        once = trace_once(compute, tf.TensorSpec([None]))
        with tf.GradientTape() as tape:
            tape.watch([a, b])
            loss = tf.reduce_sum(once(a)) + 10.0 * tf.reduce_sum(once(b))
        return tape.gradient(loss, [weight, a, b])

    of_weight, of_a, of_b = run(tf.constant([1.0, 2.0]), tf.constant([3.0, 4.0]))
    assert len(traces) == 1
    np.testing.assert_array_equal(of_weight, [1.0 + 90.0, 4.0 + 160.0])
    np.testing.assert_array_equal(of_a, [4.0, 20.0])
    np.testing.assert_array_equal(of_b, [120.0, 400.0])
