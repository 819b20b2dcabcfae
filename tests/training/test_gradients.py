"""The sum of repeated rows, the sum of two gradients, and the clip, against NumPy."""

import numpy as np
import pytest
import tensorflow as tf

from elmo_tf.training.gradients import add_gradients, clip_by_global_norm, divide_gradient, sum_repeated_rows


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


def test_the_sum_of_two_sparse_gradients_has_no_repeated_rows():
    found = add_gradients(slices([[1, 10], [2, 20]], [7, 3]), slices([[4, 40], [8, 80]], [3, 5]))
    by_row = dict(zip(found.indices.numpy().tolist(), found.values.numpy().tolist(), strict=True))
    assert by_row == {7: [1, 10], 3: [6, 60], 5: [8, 80]}
    assert add_gradients(tf.constant([1.0]), tf.constant([2.0])).numpy().tolist() == [3.0]


def test_dense_and_sparse_gradients_are_divided():
    divided = divide_gradient(slices([[2.0, 4.0]], [3]), tf.constant(2.0))
    assert (divided.values.numpy().tolist(), divided.indices.numpy().tolist()) == ([[1.0, 2.0]], [3])
    assert divide_gradient(tf.constant([6.0]), tf.constant(2.0)).numpy().tolist() == [3.0]


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
