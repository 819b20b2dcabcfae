"""The penalty on activations: its two terms against NumPy, and its gradient."""

import numpy as np
import oracle
import pytest
import tensorflow as tf

from elmo_tf.layers.activation_penalty import activation_penalty

RANDOM = np.random.default_rng(0)
OUTPUTS = RANDOM.normal(size=(3, 5, 4))
DROPPED = OUTPUTS * (RANDOM.random(OUTPUTS.shape) < 0.6) / 0.6
BOTH = (2.0, 1.5)


@pytest.mark.parametrize("factors", [(2.0, 0.0), (0.0, 1.5), BOTH, (0.0, 0.0)])
def test_the_terms_are_those_of_the_oracle(factors):
    came = activation_penalty(tf.constant(DROPPED), tf.constant(OUTPUTS), *factors)
    assert came.dtype == tf.float64
    assert float(came) == pytest.approx(oracle.activation_penalty(DROPPED, OUTPUTS, *factors), abs=1e-13)
    assert (float(came) > 0) == any(factors)


def test_the_gradient_is_that_of_the_formula():
    dropped, outputs = tf.constant(DROPPED), tf.constant(OUTPUTS)
    with tf.GradientTape() as tape:
        tape.watch([dropped, outputs])
        penalty = activation_penalty(dropped, outputs, *BOTH)
    of_dropped, of_outputs = tape.gradient(penalty, [dropped, outputs])
    np.testing.assert_allclose(of_dropped, 2 * 2.0 * DROPPED / DROPPED.size, rtol=0, atol=1e-14)
    jumps = np.diff(OUTPUTS, axis=1)
    expected = np.zeros(OUTPUTS.shape)
    expected[:, 1:] += jumps
    expected[:, :-1] -= jumps
    np.testing.assert_allclose(of_outputs, 2 * 1.5 * expected / jumps.size, rtol=0, atol=1e-14)


def test_one_step_has_no_successive_outputs_and_a_gradient_of_zero():
    outputs = tf.constant(OUTPUTS[:, :1])
    with tf.GradientTape() as tape:
        tape.watch(outputs)
        penalty = activation_penalty(outputs, outputs, 0.0, 1.5)
    assert float(penalty) == 0
    np.testing.assert_array_equal(tape.gradient(penalty, outputs), np.zeros(outputs.shape))
