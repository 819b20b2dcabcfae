"""The places of tokens and of their vectors, and the Keras mask."""

import elmo_cases
import keras
import numpy as np
import pytest
import tensorflow as tf
from elmo_cases import SENTENCES, padded
from layer_harness import check_layer
from model_cases import CHARACTERS, changed

from elmo_tf.elmo.token_mask import TokenMask, places_of

TOKENS = padded(SENTENCES)


@pytest.mark.parametrize("present", ["111", "110", "011", "101", "010", "001", "000", ""])
def test_a_token_has_the_step_of_its_number_and_boundaries_stand_around(present):
    row = np.array([[letter == "1" for letter in present]], bool).reshape(1, len(present))
    plain = places_of(tf.constant(row), keep_boundaries=False)
    np.testing.assert_array_equal(plain.is_shown, row)
    count = row.sum()
    assert plain.index.numpy()[row].tolist() == [1 + number for number in range(count)]

    bounded = places_of(tf.constant(row), keep_boundaries=True)
    is_shown = bounded.is_shown.numpy()[0]
    assert is_shown.shape == (len(present) + 2,)
    assert bounded.index.numpy()[0][is_shown].tolist() == list(range(count + 2))  # <S>, the tokens, </S>
    tokens = np.flatnonzero(row)
    around = {0, 1} if count == 0 else {tokens[0], *(tokens + 1), tokens[-1] + 2}
    assert set(np.flatnonzero(is_shown)) == around


def test_the_mask_layer_alone():
    tokens = np.array([["", "a", "b"], ["", "", ""]], dtype=object)
    np.testing.assert_array_equal(TokenMask()(tokens), tokens != "")
    np.testing.assert_array_equal(TokenMask()(tokens, mask=np.array([[1, 1, 0]] * 2, bool)), [[0, 1, 0], [0, 0, 0]])
    inputs = keras.Input((None,), dtype="string")
    model = keras.Model(inputs, TokenMask.from_config(TokenMask(keep_boundaries=True).get_config())(inputs))
    np.testing.assert_array_equal(model(tf.constant(tokens)), [[0, 1, 1, 1, 1], [1, 1, 0, 0, 0]])


@pytest.mark.parametrize("keep_boundaries", [False, True])
def test_the_mask_layer_keeps_what_keras_asks_of_a_layer(keep_boundaries, tmp_path):
    mask = np.array([[1, 1, 0, 1, 1]] * len(TOKENS), bool)
    check_layer(TokenMask, {"keep_boundaries": keep_boundaries}, TOKENS, {"mask": mask}, n_weights=0, tmp_path=tmp_path)


def test_the_mask_is_there_for_layers_that_are_given_it_by_name(tmp_path):
    """Such as attention: the symbolic mask is part of the graph, so a functional model may use and save it."""
    inputs = keras.Input((None,), dtype="string")
    vectors = elmo_cases.layer(changed(CHARACTERS))(inputs)
    scores = keras.layers.Dense(1)(vectors)[..., 0]
    weights = keras.layers.Softmax()(scores, mask=vectors._keras_mask)
    model = keras.Model(inputs, weights)
    model.save(tmp_path / "model.keras")
    for each in (model, keras.models.load_model(tmp_path / "model.keras")):
        came = each(tf.constant(TOKENS[:3])).numpy()
        np.testing.assert_allclose((came * (TOKENS[:3] != "")).sum(1), 1, atol=1e-5)
