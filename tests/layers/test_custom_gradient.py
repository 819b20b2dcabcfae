"""`custom_gradient`: the gradient of the function, in every way that TensorFlow asks for it; and graphs are freed."""

import gc
import weakref

import elmo_cases
import pytest
import tensorflow as tf

from elmo_tf.layers.custom_gradient import custom_gradient


@custom_gradient
def tripled(x):
    """The identity, whose gradient is said to be 3, by which it is recognized."""
    return tf.identity(x), lambda d_y: 3.0 * d_y


def gradient_of(function):
    x = tf.constant(2.0)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = function(x)
    return float(tape.gradient(y, x))


@pytest.mark.parametrize(
    "function",
    [
        tripled,
        tf.function(tripled),
        tf.function(tripled, jit_compile=True),
        tf.function(lambda x: tf.while_loop(lambda i, _: i < 1, lambda i, y: (i + 1, tripled(y)), (0, x))[1]),
        tf.function(lambda x: tf.cond(x > 0.0, lambda: tripled(x), lambda: x)),
        tf.function(lambda x: tf.map_fn(tripled, x[None])[0]),
        tf.recompute_grad(tripled),
    ],
    ids=["eager", "function", "XLA", "while", "cond", "map", "recompute"],
)
def test_the_gradient_is_the_functions_own(function):
    assert gradient_of(function) == 3.0


def test_a_function_that_computes_its_own_gradient_finds_it():
    x = tf.constant(2.0)

    @tf.function
    def gradient():
        return tf.gradients(tripled(x), x)[0]

    assert float(gradient()) == 3.0


def test_a_saved_model_keeps_the_gradient(tmp_path):
    module = tf.Module()
    module.call = tf.function(tripled, input_signature=[tf.TensorSpec([], tf.float32)])
    tf.saved_model.save(module, str(tmp_path))
    del module
    gc.collect()
    assert gradient_of(tf.saved_model.load(str(tmp_path)).call) == 3.0


def test_a_graph_that_nobody_uses_is_freed():
    function = tf.function(tripled, input_signature=[tf.TensorSpec([], tf.float32)])
    graph = weakref.ref(function.get_concrete_function().graph)
    del function
    gc.collect()
    assert graph() is None


def trace_layer() -> weakref.ref:
    """Traces a layer and its gradient; returns a reference to the graph that does not keep it."""
    made = elmo_cases.layer(trainable=True)

    @tf.function(input_signature=[tf.TensorSpec([None, None], tf.string)])
    def gradients(tokens):
        with tf.GradientTape() as tape:
            total = tf.reduce_sum(made(tokens))
        return tape.gradient(total, [weight.value for weight in made.trainable_weights])

    return weakref.ref(gradients.get_concrete_function().graph)


def test_a_traced_layer_leaves_no_graph_behind():
    graph = trace_layer()
    gc.collect()
    assert graph() is None
