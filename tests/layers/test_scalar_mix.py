"""The mix against NumPy: shares, both layer norms, masks, the penalty, and what it says of itself."""

import numpy as np
import oracle
import pytest
import tensorflow as tf
from layer_harness import check_layer, randomise_weights

from elmo_tf.layers import ScalarMix

RANDOM = np.random.default_rng(0)
LAYERS = RANDOM.normal(size=(3, 4, 5, 6)).astype("float32") * 2 + 1
MASK = np.array([[1, 1, 1, 1, 1], [0, 1, 0, 1, 0], [0, 0, 0, 0, 0]], bool)


def made(dtype="float64", **arguments):
    layer = ScalarMix(4, dtype=dtype, **arguments)
    layer.build()
    return randomise_weights(layer)


@pytest.mark.parametrize("mask", [None, MASK])
@pytest.mark.parametrize("layer_norm", [None, "bilm-tf", "token"])
def test_values_are_those_of_the_oracle(layer_norm, mask):
    layer = made(layer_norm=layer_norm)
    layers = LAYERS.astype("float64")
    came = layer(layers, mask=mask)
    expected = oracle.scalar_mix(layer.w.numpy(), float(layer.gamma.numpy()), layers, mask, layer_norm)
    np.testing.assert_allclose(came, expected, rtol=0, atol=1e-12)


def test_what_is_masked_has_no_part_in_bilm_tfs_norm():
    layer, other = made(layer_norm="bilm-tf"), LAYERS.astype("float64")
    first = layer(other, mask=MASK).numpy()
    other = np.where(MASK[:, None, :, None], other, 1e6)
    np.testing.assert_array_equal(layer(other, mask=MASK).numpy()[MASK], first[MASK])


@pytest.mark.parametrize("layer_norm", ["bilm-tf", "token"])
def test_a_norm_of_nothing_is_finite(layer_norm):
    for layers in (np.zeros((1, 4, 0, 6)), np.zeros((0, 4, 5, 6)), np.zeros((1, 4, 2, 6))):
        assert np.isfinite(made(layer_norm=layer_norm)(layers, mask=np.zeros(layers.shape[::2], bool))).all()


def test_it_starts_as_the_average():
    np.testing.assert_allclose(ScalarMix(4)(LAYERS), LAYERS.mean(1), atol=1e-6)


def test_first_values_are_those_given():
    layer = ScalarMix(4, scalar_mix_init=[0.0, -1e9, -1e9, 1.0])
    share = 1 / (1 + np.e)
    np.testing.assert_allclose(layer(LAYERS), share * LAYERS[:, 0] + (1 - share) * LAYERS[:, 3], atol=1e-5)
    np.testing.assert_allclose(layer.numbers.shares, [share, 0, 0, 1 - share], atol=1e-6)


def test_the_penalty_is_on_w_alone():
    layer = made("float32", l2=0.3)
    layer(LAYERS)
    assert float(sum(layer.losses)) == pytest.approx(0.3 * np.sum(np.square(layer.w.numpy())), rel=1e-6)
    assert not made("float32").losses


def test_shares_stay_in_float32_under_half_precision():
    layer = ScalarMix(4, scalar_mix_init=[0.0, 0.001, 0.0, 0.0], dtype="mixed_float16")
    assert layer(LAYERS).dtype == tf.float16
    assert layer.numbers.shares[1] > layer.numbers.shares[0]
    assert layer.numbers.gamma == 1.0


@pytest.mark.parametrize("layer_norm", [None, "bilm-tf", "token"])
def test_gradients_are_those_of_finite_differences(layer_norm):
    layer = made(layer_norm=layer_norm)
    layers = tf.constant(LAYERS, tf.float64)

    def function(w, gamma, layers):
        layer.w.assign(w)
        layer.gamma.assign(gamma)
        with tf.GradientTape() as tape:
            tape.watch(layers)
            loss = tf.reduce_sum(tf.sin(layer(layers, mask=MASK)))
        return loss, tape.gradient(loss, [layer.w.value, layer.gamma.value, layers])

    at = [tf.constant(layer.w), tf.constant(layer.gamma), layers]
    _, gradients = function(*at)
    for number, gradient in enumerate(gradients):
        direction = RANDOM.normal(size=gradient.shape)
        above, below = list(at), list(at)
        above[number], below[number] = at[number] + 1e-5 * direction, at[number] - 1e-5 * direction
        numeric = (function(*above)[0] - function(*below)[0]) / 2e-5
        assert float(numeric) == pytest.approx(float(tf.reduce_sum(gradient * direction)), rel=1e-6)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"scalar_mix_init": [1.0]}, "scalar_mix_init: expected 4 numbers, one a layer, got 1"),
        ({"layer_norm": "batch"}, "layer_norm: expected one of"),
        ({"l2": -1.0}, "l2: expected a number from 0, got -1.0"),
    ],
)
def test_wrong_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        ScalarMix(4, **arguments)


def test_another_number_of_layers_is_refused():
    with pytest.raises(ValueError, match="expected \\(rows, 3 layers, steps, size\\)"):
        ScalarMix(3)(LAYERS)


@pytest.mark.parametrize("config", [{}, {"scalar_mix_init": [0.0, 1.0, 2.0, 3.0], "l2": 0.1, "layer_norm": "bilm-tf"}])
def test_it_keeps_what_keras_asks_of_a_layer(config, tmp_path):
    check_layer(ScalarMix, {"n_layers": 4, **config}, LAYERS, {"mask": MASK}, n_weights=2, tmp_path=tmp_path)
