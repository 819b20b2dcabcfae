"""Adagrad, the sum of repeated rows and the clip, against NumPy."""

import numpy as np
import pytest
import tensorflow as tf

from elmo_tf.training.optimizer import SparseAdagrad, clip_by_global_norm, sum_repeated_rows


def slices(rows, indices, words=10):
    rows = np.array(rows, np.float32)
    return tf.IndexedSlices(tf.constant(rows), tf.constant(indices), tf.constant([words, rows.shape[1]]))


def test_repeated_rows_are_summed_and_the_others_kept():
    found = sum_repeated_rows(slices([[1, 10], [2, 20], [4, 40], [8, 80]], [7, 3, 7, 7]))
    by_row = dict(zip(found.indices.numpy().tolist(), found.values.numpy().tolist(), strict=True))
    assert by_row == {7: [13, 130], 3: [2, 20]}


def test_a_dense_gradient_is_left_alone():
    gradient = tf.constant([1.0, 2.0])
    assert sum_repeated_rows(gradient) is gradient


@pytest.mark.parametrize("steps", [1, 3])
def test_dense_and_sparse_updates_are_adagrad_without_epsilon(steps):
    random = np.random.default_rng(0)
    table, vector = random.normal(size=(10, 3)), random.normal(size=4)
    variables = {"table": tf.Variable(table, dtype=tf.float32), "vector": tf.Variable(vector, dtype=tf.float32)}
    optimizer = SparseAdagrad(variables, learning_rate=0.3)
    sums = {"table": np.ones((10, 3)), "vector": np.ones(4)}
    for _ in range(steps):
        rows, dense = random.normal(size=(4, 3)), random.normal(size=4)
        indices = [2, 5, 2, 9]
        optimizer.apply([sum_repeated_rows(slices(rows, indices)), tf.constant(dense, tf.float32)])
        full = np.zeros((10, 3))
        np.add.at(full, indices, rows)
        for name, gradient, weights in (("table", full, table), ("vector", dense, vector)):
            sums[name] += gradient**2
            weights -= 0.3 * gradient / np.sqrt(sums[name])
    np.testing.assert_allclose(variables["table"].numpy(), table, atol=1e-6)
    np.testing.assert_allclose(variables["vector"].numpy(), vector, atol=1e-6)
    np.testing.assert_allclose(optimizer.accumulators["table"].numpy(), sums["table"], atol=1e-5)


def test_the_norm_is_that_of_all_gradients_together_and_the_clip_keeps_their_direction():
    gradients = [slices([[3.0, 0.0]], [1]), tf.constant([[4.0]])]
    clipped, norm = clip_by_global_norm(gradients, 1.0)
    assert float(norm) == pytest.approx(5.0)
    np.testing.assert_allclose(clipped[0].values, [[0.6, 0.0]], rtol=1e-6)
    np.testing.assert_allclose(clipped[1], [[0.8]], rtol=1e-6)


def test_a_gradient_within_the_bound_is_not_changed():
    (clipped,), norm = clip_by_global_norm([tf.constant([0.3, 0.4])], 10.0)
    assert float(norm) == pytest.approx(0.5)
    np.testing.assert_array_equal(clipped, np.float32([0.3, 0.4]))
