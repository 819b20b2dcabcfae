"""Adam and AdamW against NumPy in float64, and their sparse updates against their dense ones."""

import numpy as np
import pytest
import tensorflow as tf

from elmo_tf.training.adam import SparseAdam
from elmo_tf.training.schedule import Schedule

WORDS = 8


def adam(weights, gradients, rates, beta_1, beta_2, epsilon, decay=0.0):
    """Kingma and Ba 2015, algorithm 1 in the form at the end of section 2, and Loshchilov and Hutter's weight decay."""
    weights = np.array(weights, np.float64)
    first, second = np.zeros_like(weights), np.zeros_like(weights)
    for n, (gradient, rate) in enumerate(zip(gradients, rates, strict=True), 1):
        first = beta_1 * first + (1 - beta_1) * gradient
        second = beta_2 * second + (1 - beta_2) * gradient**2
        corrected = rate * np.sqrt(1 - beta_2**n) / (1 - beta_1**n)
        weights = weights - rate * decay * weights - corrected * first / (np.sqrt(second) + epsilon)
    return weights


def slices(values, indices):
    return tf.IndexedSlices(tf.constant(values, tf.float32), tf.constant(indices), tf.constant([WORDS, 3]))


@pytest.mark.parametrize("betas", [(0.9, 0.999), (0.0, 0.99)])
@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_dense_updates_are_those_of_the_paper_and_vectors_do_not_decay(betas, decay):
    random = np.random.default_rng(0)
    kernel, bias = random.normal(size=(4, 3)), random.normal(size=3)
    gradients = random.normal(size=(5, 4, 3)), random.normal(size=(5, 3))
    variables = {"kernel": tf.Variable(kernel, dtype=tf.float32), "bias": tf.Variable(bias, dtype=tf.float32)}
    rate = Schedule(0.05, "linear", warmup_steps=2, decay_steps=8)
    optimizer = SparseAdam(variables, rate, *betas, epsilon=1e-3, weight_decay=decay)
    for step, pair in enumerate(zip(*gradients, strict=True)):
        optimizer.apply([tf.constant(part, tf.float32) for part in pair], tf.constant(step))
    rates = [float(rate(step)) for step in range(5)]
    expected = adam(kernel, gradients[0], rates, *betas, 1e-3, decay)
    np.testing.assert_allclose(variables["kernel"], expected, rtol=0, atol=2e-6)
    np.testing.assert_allclose(variables["bias"], adam(bias, gradients[1], rates, *betas, 1e-3), rtol=0, atol=2e-6)


@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_a_row_goes_as_in_a_dense_run_of_those_steps_alone_that_touch_it(decay):
    random = np.random.default_rng(1)
    table = random.normal(size=(WORDS, 3))
    touched = [[0, 2, 5], [2], [5, 2], [2, 7], [0, 2]]
    gradients = [random.normal(size=(len(rows), 3)) for rows in touched]
    variable = tf.Variable(table, dtype=tf.float32)
    optimizer = SparseAdam({"softmax/W": variable}, 0.05, weight_decay=decay)
    apply = tf.function(lambda gradient: optimizer.apply([gradient]), reduce_retracing=True)
    for rows, values in zip(touched, gradients, strict=True):
        apply(slices(values, rows))
    for row in range(WORDS):
        own = [values[rows.index(row)] for rows, values in zip(touched, gradients, strict=True) if row in rows]
        expected = adam(table[row], own, [0.05] * len(own), 0.9, 0.999, 1e-8, decay)
        np.testing.assert_allclose(variable[row], expected, rtol=0, atol=2e-6)
    np.testing.assert_array_equal(optimizer.counts["softmax/W"], [2, 0, 5, 0, 0, 2, 0, 1])


def test_a_table_whose_every_row_is_touched_goes_as_a_dense_weight():
    """TensorFlow's op for dense weights rounds `1 - beta_2` to float32, which changes an update by a millionth part of
    it, or ten."""
    random = np.random.default_rng(2)
    first = random.normal(size=(WORDS, 3))
    names = {"embedding": "sparse", "softmax/W": "dense, by row", "kernel": "dense"}
    variables = {name: tf.Variable(first, dtype=tf.float32) for name in names}
    optimizer = SparseAdam(variables, 0.1)
    for _ in range(4):
        gradient = random.normal(size=(WORDS, 3))
        dense, order = tf.constant(gradient, tf.float32), random.permutation(WORDS)
        optimizer.apply([slices(gradient[order], order), dense, dense])
    np.testing.assert_array_equal(variables["embedding"], variables["softmax/W"])
    np.testing.assert_allclose(variables["embedding"], variables["kernel"], rtol=0, atol=1e-5)


def test_no_tensor_of_a_sparse_update_has_the_size_of_the_table():
    optimizer = SparseAdam({"softmax/W": tf.Variable(tf.zeros([1000, 4]))}, 0.1, weight_decay=0.1)
    graph = tf.function(
        lambda values, rows: optimizer.apply([tf.IndexedSlices(values, rows, tf.constant([1000, 4]))])
    ).get_concrete_function(tf.TensorSpec([5, 4]), tf.TensorSpec([5], tf.int32))
    shapes = [output.shape.as_list() for op in graph.graph.get_operations() for output in op.outputs]
    assert [5, 4] in shapes
    assert not [shape for shape in shapes if shape and 1000 in shape]


def test_a_reduced_rate_is_that_of_all_later_steps():
    variable = tf.Variable([0.0])
    optimizer = SparseAdam({"bias": variable}, 0.5, can_be_reduced=True)
    apply = tf.function(lambda: optimizer.apply([tf.constant([2.0])]))
    apply()
    optimizer.reduce_rate(0.5)
    apply()
    np.testing.assert_allclose(variable, [-0.75], rtol=0, atol=1e-5)
    with pytest.raises(ValueError, match="can_be_reduced"):
        SparseAdam({"bias": variable}, 0.5).reduce_rate(0.5)


def test_a_sparse_gradient_of_a_weight_without_rows_for_words_is_refused():
    with pytest.raises(ValueError, match="kernel: expected a dense gradient"):
        SparseAdam({"kernel": tf.Variable(tf.zeros([WORDS, 3]))}, 0.1).apply([slices([[1.0] * 3], [0])])
