"""The loop over time steps: written out and as a while loop, forwards and backwards."""

import numpy as np
import pytest
import tensorflow as tf

from elmo_tf.layers.scan import scan, shift, stack


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("steps", [3, 32, 33])
def test_scan_runs_along_the_first_axis_and_keeps_the_places(steps, reverse):
    numbers = tf.range(1.0, steps + 1)[:, None]

    def step(carry, items):
        total = carry[0] + items[0]
        return (total, carry[1]), [total]

    final, (sums,) = scan(step, (tf.zeros([1]), tf.zeros([1])), [numbers], [tf.float32], reverse)
    assert isinstance(sums, list) == (steps <= 32)  # written out, nothing is copied
    plain = np.arange(1, steps + 1)
    expected = plain[::-1].cumsum()[::-1] if reverse else plain.cumsum()
    np.testing.assert_array_equal(tf.convert_to_tensor(sums)[:, 0], expected)
    assert final[0][0] == plain.sum()


def test_steps_that_may_not_begin_early_wait_for_the_step_before():
    @tf.function
    def run(numbers):
        def step(carry, items):
            return ((carry[0] + items[0], carry[1]), [carry[0]])

        return scan(
            step, (tf.zeros([1]), tf.zeros([1])), [numbers], [tf.float32], may_unroll=False, parallel_iterations=1
        )

    graph = run.get_concrete_function(tf.TensorSpec([None, 1])).graph
    (loop,) = [operation for operation in graph.get_operations() if operation.type in ("While", "StatelessWhile")]
    assert loop.get_attr("parallel_iterations") == 1
    np.testing.assert_array_equal(run(tf.ones([4, 1]))[1][0][:, 0], [0, 1, 2, 3])


def test_lists_and_tensors_are_stacked_and_shifted_alike():
    values = tf.reshape(tf.range(6.0), [3, 2])
    np.testing.assert_array_equal(stack(tf.unstack(values)), stack(values))
    first = tf.constant([8.0, 9.0])
    np.testing.assert_array_equal(stack(shift(first, tf.unstack(values))), shift(first, values))
    np.testing.assert_array_equal(shift(first, values), [[8, 9], [0, 1], [2, 3]])
