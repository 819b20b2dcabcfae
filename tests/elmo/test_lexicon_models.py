"""`ElmoLayer` with a model of ELMoForManyLangs: its vectors, Keras's files, training, and what is refused."""

import pathlib

import keras
import manylangs_models
import numpy as np
import pytest
import tensorflow as tf
from elmo_cases import padded
from manylangs_models import SENTENCES

from elmo_tf.elmo.elmo_layer import ElmoLayer
from elmo_tf.elmo.save_bilm import save_bilm
from elmo_tf.elmo.serving import export_model

TOKENS = padded(SENTENCES)


@pytest.fixture(scope="module")
def model():
    """The arrays of the model."""
    return manylangs_models.random_model()


@pytest.fixture(scope="module")
def folder(tmp_path_factory, model):
    """Its folder."""
    return pathlib.Path(manylangs_models.write_model(tmp_path_factory.mktemp("manylangs") / "xx", model))


@pytest.fixture(scope="module")
def expected(model):
    """All layers without boundaries, zero on padding: `(B, L + 1, T, 2 D)`."""
    found = np.zeros((len(SENTENCES), 3, TOKENS.shape[1], 12))
    for row, sentence in zip(found, SENTENCES, strict=True):
        row[:, : len(sentence)] = manylangs_models.layers_of(model, sentence)[:, 1:-1]
    return found


def check_same(came, expected):
    np.testing.assert_allclose(came, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("arguments", [{}, {"vocab_to_cache": ["chat", "longuesses", "dog", "a b"]}])
def test_the_layer_gives_the_vectors_of_the_equations(folder, expected, arguments):
    elmo = ElmoLayer.from_pretrained(folder, output="all", **arguments)
    check_same(elmo(TOKENS), expected)
    check_same(elmo(SENTENCES), expected)
    if arguments:
        elmo.refresh_cache()
        check_same(elmo(TOKENS), expected)


@pytest.fixture(scope="module")
def averaging(folder):
    """A Functional model of the layer."""
    inputs = keras.Input((None,), dtype="string")
    return keras.Model(inputs, ElmoLayer.from_pretrained(folder, output="average")(inputs))


def test_a_keras_model_is_saved_with_the_lexicons(averaging, expected, tmp_path):
    check_same(averaging(TOKENS), expected.mean(1))
    averaging.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(again(TOKENS), averaging(TOKENS))


def test_it_is_served_with_its_lexicons(averaging, expected, tmp_path):
    export_model(averaging, tmp_path / "served")
    served = tf.saved_model.load(tmp_path / "served").signatures["serving_default"]
    check_same(served(inputs=tf.constant(TOKENS))["output_0"], expected.mean(1))


def test_the_whole_model_is_trained_where_it_is_trainable(folder):
    elmo = ElmoLayer.from_pretrained(folder, output="concat", trainable=True)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(elmo(TOKENS) ** 2)
    variables = elmo.bilm.trainable_variables
    for variable, gradient in zip(variables, tape.gradient(loss, [v.value for v in variables]), strict=True):
        assert np.any(tf.convert_to_tensor(gradient)), variable.path
    assert len(variables) == 2 + 6 + 8 + 2 + 12


def test_a_frozen_model_keeps_its_vectors_while_a_mix_is_trained(folder):
    elmo = ElmoLayer.from_pretrained(folder)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(elmo(TOKENS) ** 2)
    assert [variable.path.split("/")[-1] for variable in elmo.trainable_variables] == ["w", "gamma"]
    assert all(np.any(gradient) for gradient in tape.gradient(loss, [v.value for v in elmo.trainable_variables]))


def test_what_does_not_fit_such_a_model_is_refused(folder, tmp_path):
    elmo = ElmoLayer.from_pretrained(folder)
    with pytest.raises(ValueError, match=r"expected strings \(batch, time\), for it looks up whole words, got int32"):
        elmo(np.ones((1, 2, 9), "int32"))
    with pytest.raises(
        ValueError, match="layer: expected a biLM that reads character ids or word ids, got one of ELMo"
    ):
        save_bilm(elmo, tmp_path / "saved")
    assert not (tmp_path / "saved").exists()
    config = elmo.get_config()
    with pytest.raises(ValueError, match="vocabulary: expected None, for the model has lexicons of its own"):
        ElmoLayer.from_config(config | {"vocabulary": ["a"]})
    smaller = config["lexicon_encoder"] | {"projection_dim": 5}
    with pytest.raises(ValueError, match="projection_dim: expected that of the LSTM, 6, got 5"):
        ElmoLayer.from_config(config | {"lexicon_encoder": smaller})
