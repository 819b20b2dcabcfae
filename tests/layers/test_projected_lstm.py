"""The LSTM layer around the recurrence: weights, states, shapes, arguments."""

import keras
import numpy as np
import oracle
import pytest
import tensorflow as tf
from layer_harness import check_layer, randomise_weights

from elmo_tf.layers import ProjectedLSTM
from elmo_tf.layers.projected_lstm import IMPLEMENTATIONS

RANDOM = np.random.default_rng(0)
INPUTS = RANDOM.normal(size=(3, 5, 4)).astype("float32")
STATE = RANDOM.normal(size=(3, 6)).astype("float32"), RANDOM.normal(size=(3, 2)).astype("float32")
MASK = np.array([[1, 1, 1, 1, 1], [0, 1, 0, 1, 1], [0, 0, 0, 0, 0]], bool)


def made(units=6, projection_dim=2, size=4, dtype="float64", **arguments):
    layer = ProjectedLSTM(units, projection_dim, dtype=dtype, **arguments)
    layer.build((None, None, size))
    return randomise_weights(layer)


@pytest.mark.parametrize("implementation", ["fused", "plain", "lean"])
@pytest.mark.parametrize(
    ("config", "arguments", "n_weights"),
    [
        ({"units": 6, "projection_dim": 2, "cell_clip": 3.0, "proj_clip": 3.0}, {}, 3),
        ({"units": 2, "projection_dim": 2}, {"mask": MASK}, 2),
        ({"units": 6, "projection_dim": 2}, {"initial_state": STATE, "mask": MASK}, 3),
    ],
)
def test_it_keeps_what_keras_asks_of_a_layer(implementation, config, arguments, n_weights, tmp_path):
    config = {**config, "implementation": implementation}
    check_layer(ProjectedLSTM, config, INPUTS, arguments, n_weights=n_weights, tmp_path=tmp_path)


@pytest.mark.parametrize("implementation", ["fused", "plain", "lean"])
@pytest.mark.parametrize("projection_dim", [2, 6])
@pytest.mark.parametrize("clips", [(None, None), (0.2, 0.1)])
@pytest.mark.parametrize("mask", [None, MASK])
def test_values_are_those_of_the_oracle(implementation, projection_dim, clips, mask):
    layer = made(projection_dim=projection_dim, cell_clip=clips[0], proj_clip=clips[1], implementation=implementation)
    inputs = INPUTS.astype("float64") * 3
    state = RANDOM.normal(size=(3, 6)), RANDOM.normal(size=(3, projection_dim))
    projection = None if layer.projection is None else layer.projection.numpy()
    for initial in (None, state):
        outputs, final = layer(inputs, initial_state=initial, mask=mask)
        expected, expected_final = oracle.lstm(
            inputs, layer.kernel.numpy(), layer.bias.numpy(), projection, *clips, initial, mask
        )
        np.testing.assert_allclose(outputs, expected, rtol=0, atol=1e-12)
        for one, other in zip(final, expected_final, strict=True):
            np.testing.assert_allclose(one, other, rtol=0, atol=1e-12)


@pytest.mark.parametrize("implementation", ["fused", "plain", "lean"])
@pytest.mark.parametrize("projection_dim", [2, 6])
def test_a_recurrent_mask_multiplies_the_kernels_rows_of_the_output_and_no_others(implementation, projection_dim):
    layer, inputs = made(projection_dim=projection_dim, implementation=implementation), INPUTS.astype("float64")
    dropped = np.where(RANDOM.random((projection_dim, 24)) < 0.5, 0.0, 2.0)
    kernel = np.concatenate([layer.kernel[:4], layer.kernel[4:] * dropped])
    projection = None if layer.projection is None else layer.projection.numpy()
    with tf.GradientTape() as tape:
        outputs, final = layer(inputs, mask=MASK, recurrent_mask=dropped)
    expected, expected_final = oracle.lstm(inputs, kernel, layer.bias.numpy(), projection, mask=MASK)
    for one, other in zip((outputs, *final), (expected, *expected_final), strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-12)
    gradient = tape.gradient(outputs, layer.kernel).numpy()
    np.testing.assert_array_equal(gradient[4:] == 0, dropped == 0)
    assert np.all(gradient[:4])


def test_without_a_projection_the_second_clip_has_no_effect():
    layer = made(projection_dim=6, proj_clip=0.01)
    outputs, _ = layer(INPUTS.astype("float64"))
    assert np.abs(outputs).max() > 0.1


def test_no_state_is_the_zero_state():
    layer = made()
    zero = layer.zero_state(3)
    assert [tuple(part.shape) for part in zero] == [(3, 6), (3, 2)]
    assert [part.dtype for part in zero] == [tf.float64, tf.float64]
    assert not np.any(zero[0])
    assert not np.any(zero[1])
    inputs = INPUTS.astype("float64")
    np.testing.assert_array_equal(layer(inputs)[0], layer(inputs, initial_state=zero)[0])


def test_the_mask_of_an_embedding_below_is_used_and_none_is_handed_on():
    ids = keras.Input([None], dtype="int32")
    embedding, lstm = keras.layers.Embedding(9, 4, mask_zero=True), ProjectedLSTM(6, 2)
    outputs, state = lstm(embedding(ids))
    model = keras.Model(ids, [outputs, *state])
    padded, cell, _ = model(np.array([[3, 4, 0, 0]], "int32"))
    short, short_cell, _ = model(np.array([[3, 4]], "int32"))
    np.testing.assert_allclose(padded[:, :2], short, atol=1e-6)
    assert not np.any(padded[:, 2:])
    np.testing.assert_allclose(cell, short_cell, atol=1e-6)
    assert getattr(padded, "_keras_mask", None) is None


def test_a_mask_of_numbers_means_the_same_as_one_of_booleans():
    layer = made()
    inputs = INPUTS.astype("float64")
    np.testing.assert_array_equal(layer(inputs, mask=MASK.astype("int32"))[0], layer(inputs, mask=MASK)[0])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((4, 5), "projection_dim: expected at most units, 4, got 5"),
        ((4, 2, None, None, "fast"), "implementation.*'fast'"),
    ],
)
def test_arguments_out_of_range_are_refused(arguments, words):
    with pytest.raises(ValueError, match=words):
        ProjectedLSTM(*arguments)


def test_initial_values():
    keras.utils.set_random_seed(1)
    layer = ProjectedLSTM(50, 20)
    layer.build((None, None, 30))
    assert tuple(layer.kernel.shape) == (50, 200)
    assert not np.any(layer.bias)
    for weight, fans in ((layer.kernel, 50 + 200), (layer.projection, 50 + 20)):
        share = np.abs(weight.numpy()) / (6 / fans) ** 0.5  # Glorot uniform
        assert 0.98 < share.max() < 1
        assert abs(share.mean() - 0.5) < 0.03
        assert abs(np.mean(weight.numpy() > 0) - 0.5) < 0.05


@pytest.mark.parametrize(("trainable", "expected"), [(True, "fused"), (False, "lean")])
def test_a_frozen_layer_keeps_nothing_for_a_backward_pass(trainable, expected, monkeypatch):
    called = []
    for name, function in list(IMPLEMENTATIONS.items()):

        def noted(*arguments, name=name, function=function):
            called.append(name)
            return function(*arguments)

        monkeypatch.setitem(IMPLEMENTATIONS, name, noted)
    layer = made()
    layer.trainable = trainable
    layer(INPUTS)
    assert called == [expected]
