"""Adagrad against NumPy."""

import numpy as np
import pytest
import tensorflow as tf

from elmo_tf.training.gradients import sum_repeated_rows
from elmo_tf.training.optimizer import SparseAdagrad


def slices(rows, indices, words=10):
    rows = np.array(rows, np.float32)
    return tf.IndexedSlices(tf.constant(rows), tf.constant(indices), tf.constant([words, rows.shape[1]]))


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
