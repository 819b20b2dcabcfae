"""The stack: skip connections, states of every layer, and where dropout falls."""

import numpy as np
import oracle
import pytest
import tensorflow as tf
from layer_harness import check_layer, randomise_weights

from elmo_tf.layers import LstmStack
from elmo_tf.layers.lstm_stack import dropout_mask

RANDOM = np.random.default_rng(0)
INPUTS = RANDOM.normal(size=(3, 5, 4)).astype("float32")
MASK = np.array([[1, 1, 1, 1, 1], [0, 1, 0, 1, 1], [0, 0, 0, 0, 0]], bool)
SEED = np.array([3, 4], "int32")


def made(n_layers=3, units=6, skip=True, clips=(0.3, 0.2), dtype="float64", **arguments):
    layer = LstmStack(n_layers, units, 4, *clips, use_skip_connections=skip, dtype=dtype, **arguments)
    layer.build((None, None, 4))
    return randomise_weights(layer)


def states(n_layers, units=6, dtype="float64"):
    random = np.random.default_rng(1)
    return [
        (random.normal(size=(3, units)).astype(dtype), random.normal(size=(3, 4)).astype(dtype))
        for _ in range(n_layers)
    ]


def by_oracle(layer, inputs, state=None, mask=None, scales=None):
    config = layer.get_config()
    weights = {}
    for k, cell in enumerate(layer.layers):
        prefix = f"RNN_0/RNN/MultiRNNCell/Cell{k}/LSTMCell/"
        weights |= {prefix + "W_0": cell.kernel.numpy(), prefix + "B": cell.bias.numpy()}
        if cell.projection is not None:
            weights[prefix + "W_P_0"] = cell.projection.numpy()
    names = ("n_layers", "cell_clip", "proj_clip", "use_skip_connections")
    options = {"lstm": {name: config[name] for name in names}}
    return oracle.lstm_stack(weights, options, 0, inputs, state, mask, scales)


def is_equal(came, expected, tolerance=1e-12):
    for one, other in zip(tf.nest.flatten(came), tf.nest.flatten(expected), strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=tolerance)


@pytest.mark.parametrize(
    ("config", "arguments", "n_weights"),
    [
        ({"n_layers": 2, "units": 6, "projection_dim": 4, "use_skip_connections": True}, {}, 6),
        ({"n_layers": 1, "units": 4, "projection_dim": 4, "implementation": "plain"}, {"mask": MASK}, 2),
        (
            {"n_layers": 2, "units": 6, "projection_dim": 4, "cell_clip": 3.0, "proj_clip": 3.0},
            {"initial_state": states(2, dtype="float32"), "mask": MASK},
            6,
        ),
    ],
)
def test_it_keeps_what_keras_asks_of_a_layer(config, arguments, n_weights, tmp_path):
    check_layer(LstmStack, config, INPUTS, arguments, n_weights=n_weights, tmp_path=tmp_path)


@pytest.mark.parametrize("n_layers", [1, 2, 3])
@pytest.mark.parametrize("skip", [True, False])
@pytest.mark.parametrize("units", [4, 6])
@pytest.mark.parametrize("mask", [None, MASK])
def test_values_are_those_of_the_oracle(n_layers, skip, units, mask):
    layer, inputs = made(n_layers, units, skip), INPUTS.astype("float64")
    is_equal(layer(inputs, mask=mask), by_oracle(layer, inputs, mask=mask))
    state = states(n_layers, units)
    is_equal(layer(inputs, initial_state=state, mask=mask), by_oracle(layer, inputs, state, mask))


def test_the_residual_goes_to_the_output_and_not_to_the_state():
    with_skip, without = made(skip=True), made(skip=False)
    without.set_weights(with_skip.get_weights())
    inputs = INPUTS.astype("float64")
    outputs, final = with_skip(inputs)
    for k, below in ((1, outputs[0]), (2, outputs[1])):
        alone, (_, last) = with_skip.layers[k](below)
        np.testing.assert_allclose(outputs[k], alone + below, atol=1e-13)
        np.testing.assert_allclose(final[k][1], last, atol=1e-13)
        np.testing.assert_allclose(final[k][1], (outputs[k] - below)[:, -1], atol=1e-13)
    np.testing.assert_array_equal(outputs[0], without(inputs)[0][0])


def test_dropout_falls_on_every_layers_input_and_so_on_the_skip_path():
    layer, inputs = made(), INPUTS.astype("float64")
    scales = [dropout_mask(inputs.shape, 0.4, SEED, k, tf.float64) for k in range(3)]
    is_equal(layer(inputs, dropout_masks=scales), by_oracle(layer, inputs, scales=[mask.numpy() for mask in scales]))
    assert len({mask.numpy().tobytes() for mask in scales}) == 3


def test_the_zero_state_is_that_of_the_layers():
    zero = made(2).zero_state(5)
    assert [[tuple(part.shape) for part in state] for state in zero] == [[(5, 6), (5, 4)]] * 2
    assert not any(np.any(part) for part in tf.nest.flatten(zero))


def test_a_state_of_too_few_layers_is_refused():
    with pytest.raises(ValueError, match="shorter"):
        made(3)(INPUTS.astype("float64"), initial_state=states(2))


SHAPE = (200, 500)


def test_a_dropout_mask_is_a_function_of_seed_and_number():
    first = dropout_mask(SHAPE, 0.3, SEED, 1)
    np.testing.assert_array_equal(dropout_mask(SHAPE, 0.3, SEED, 1), first)
    np.testing.assert_array_equal(tf.function(dropout_mask)(SHAPE, 0.3, tf.constant(SEED), 1), first)
    for seed, number in ((SEED, 0), (SEED, 2), (SEED + 1, 1), (SEED[::-1], 1)):
        same = np.mean((dropout_mask(SHAPE, 0.3, seed, number) == 0) == (first == 0))
        assert abs(same - (0.3**2 + 0.7**2)) < 0.01  # as of masks that know nothing of each other


@pytest.mark.parametrize("dtype", ["float64", "bfloat16"])
@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_a_dropout_mask_has_its_share_of_zeros_and_scales_the_rest(rate, dtype):
    mask = tf.cast(dropout_mask(SHAPE, rate, SEED, 0, dtype), tf.float64).numpy()
    zero = mask == 0
    assert abs(zero.mean() - rate) < 4 * (rate * (1 - rate) / zero.size) ** 0.5
    np.testing.assert_allclose(mask[~zero], 1 / (1 - rate), rtol=1e-2 if dtype == "bfloat16" else 2**-16 / (1 - rate))


def test_a_dropout_mask_of_an_odd_number_of_values_is_whole():
    mask = dropout_mask((3, 5, 7), 0.5, SEED, 0)
    assert mask.shape == (3, 5, 7)
    assert {0.0, 2.0} == set(mask.numpy().ravel())
