"""A biLM that was trained in a Keras model comes back as a model folder with the same vectors, and its mix with it."""

import json

import keras
import numpy as np
import pytest
from model_cases import CHARACTERS, WORD_INPUT
from model_folders import WORDS

import elmo_tf
from elmo_tf.elmo.elmo_layer import ElmoLayer
from elmo_tf.elmo.save_bilm import load_elmo_layer, save_bilm
from elmo_tf.errors import InputError

BATCH = [["the", "cat", "sat"], ["unheard", "mat", ""]]


def tuned_layer(options=CHARACTERS, **arguments):
    """A layer whose weights are not those that it was made with."""
    layer = ElmoLayer(options, trainable=True, **arguments)
    layer.build(None)
    random = np.random.default_rng(0)
    for weight in layer.weights:
        weight.assign(random.uniform(-0.7, 0.7, weight.shape))
    return layer


@pytest.mark.parametrize(("options", "vocabulary"), [(CHARACTERS, None), (WORD_INPUT, WORDS)])
def test_the_folder_gives_the_vectors_of_the_layer(tmp_path, options, vocabulary):
    layer = tuned_layer(options, output="all", vocabulary=vocabulary)
    save_bilm(layer, tmp_path / "model")
    again = ElmoLayer.from_pretrained(tmp_path / "model", output="all")
    np.testing.assert_allclose(again(BATCH), layer(BATCH), atol=1e-6)
    assert not (tmp_path / "model" / "mix.json").exists()


def test_the_learned_mix_comes_along(tmp_path):
    layer = tuned_layer()
    save_bilm(layer, tmp_path / "model")
    (mix,) = json.loads((tmp_path / "model" / "mix.json").read_text())["mixes"]
    np.testing.assert_allclose(mix["shares"], layer.mix_numbers[0].shares, rtol=1e-6)
    assert mix["gamma"] == pytest.approx(layer.mix_numbers[0].gamma, rel=1e-6)
    (vectors,) = elmo_tf.embed([BATCH[0]], tmp_path / "model", layers="mix")
    np.testing.assert_allclose(vectors, layer(BATCH)[0], atol=1e-6)


def test_a_saved_keras_model_is_converted_with_its_fine_tuned_bilm(tmp_path):
    inputs = keras.Input((None,), dtype="string")
    layer = tuned_layer()
    model = keras.Model(inputs, keras.layers.Dense(2)(layer(inputs)))
    model.save(tmp_path / "tagger.keras")
    done = elmo_tf.convert(tmp_path / "tagger.keras", tmp_path / "hdf5")
    assert done.source == str(tmp_path / "tagger.keras")
    names = {path.name for path in (tmp_path / "hdf5").iterdir()}
    assert names == {"weights.hdf5", "options.json", "mix.json", "model.sha256"}
    again = ElmoLayer.from_pretrained(tmp_path / "hdf5", output="top")
    top = ElmoLayer(CHARACTERS, output="top")
    top.build(None)
    for own, tuned in zip(top.bilm.weights, layer.bilm.weights, strict=True):
        own.assign(tuned)
    np.testing.assert_allclose(again(BATCH), top(BATCH), atol=1e-6)


def test_what_cannot_be_saved_or_loaded_is_one_sentence(tmp_path):
    with pytest.raises(ValueError, match=r"^layer: expected one with weights"):
        save_bilm(ElmoLayer(CHARACTERS), tmp_path / "model")
    (tmp_path / "there").mkdir()
    with pytest.raises(InputError, match=r"there exists; expected the name of a new folder$"):
        save_bilm(tuned_layer(), tmp_path / "there")
    (tmp_path / "text.keras").write_text("no model")
    with pytest.raises(InputError, match=r"^\S+/text.keras cannot be read as a Keras model: "):
        load_elmo_layer(tmp_path / "text.keras")
    plain = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    plain.save(tmp_path / "plain.keras")
    with pytest.raises(InputError, match=r"plain.keras: expected a Keras model with one ElmoLayer, got none$"):
        load_elmo_layer(tmp_path / "plain.keras")
    assert not list((tmp_path / "there").iterdir())
