"""The highway layer: bilm-tf's orientation of gate and carry."""

import keras
import numpy as np
import oracle
import pytest
from layer_harness import check_layer, randomise_weights

from elmo_tf.layers import Highway


def made(size, dtype="float64"):
    layer = Highway(dtype=dtype)
    layer.build((None, size))
    return randomise_weights(layer)


def values_of(layer):
    return {
        "W_carry": layer.w_carry.numpy(),
        "b_carry": layer.b_carry.numpy(),
        "W_transform": layer.w_transform.numpy(),
        "b_transform": layer.b_transform.numpy(),
    }


@pytest.mark.parametrize("shape", [(3, 6), (2, 3, 6)])
def test_it_keeps_what_keras_asks_of_a_layer(shape, tmp_path):
    inputs = np.random.default_rng(0).normal(size=shape).astype("float32")
    check_layer(Highway, {}, inputs, n_weights=4, tmp_path=tmp_path)


@pytest.mark.parametrize("shape", [(7,), (3, 7), (2, 3, 7)])
def test_values_are_the_equation(shape):
    layer = made(7)
    inputs = np.random.default_rng(1).normal(size=shape) * 2
    np.testing.assert_allclose(layer(inputs), oracle.highway(values_of(layer), "", inputs), rtol=0, atol=1e-14)


@pytest.mark.parametrize(("carry", "expected"), [(50.0, "transformed"), (-50.0, "inputs")])
def test_a_high_carry_opens_the_gate_for_the_transformed_input(carry, expected):
    layer = made(3)
    layer.w_carry.assign(np.zeros((3, 3)))
    layer.b_carry.assign(np.full(3, carry))
    inputs = np.random.default_rng(2).normal(size=(4, 3))
    transformed = np.maximum(inputs @ layer.w_transform.numpy() + layer.b_transform.numpy(), 0)
    np.testing.assert_allclose(layer(inputs), {"transformed": transformed, "inputs": inputs}[expected], atol=1e-12)


def test_initial_values():
    keras.utils.set_random_seed(3)
    size = 120
    layer = Highway()
    layer.build((None, size))
    np.testing.assert_array_equal(layer.b_carry, np.full(size, -2.0, "float32"))
    np.testing.assert_array_equal(layer.b_transform, np.zeros(size, "float32"))
    for weight in (layer.w_carry, layer.w_transform):
        deviations = weight.numpy().ravel() / (1 / size) ** 0.5
        assert abs(deviations.std() - 1) < 0.03
        assert abs(deviations.mean()) < 0.04
        assert 3 < np.abs(deviations).max() < 7  # a normal distribution, neither cut at 2 nor uniform
    assert not np.allclose(layer.w_carry, layer.w_transform)
