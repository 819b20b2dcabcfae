"""Saved layers and models are read back by processes that have no other file; a Keras file gives the same bits."""

import json
import pathlib
import shutil
import zipfile

import elmo_cases
import h5py
import keras
import numpy as np
import pytest
import tensorflow as tf
from elmo_cases import LIMIT, SENTENCES, ids_of, padded
from elmo_process import run_python
from grids import rarely
from model_cases import CHARACTERS, WORD_INPUT
from model_folders import WORDS, trained_folder

from elmo_tf.elmo.elmo_layer import ElmoLayer
from elmo_tf.elmo.serving import export_model, export_signatures

TOKENS = padded(SENTENCES)

ARGUMENTS = {
    "a mix": {},
    "a cache": {"vocab_to_cache": ["The", "cat", "日本", "never"]},
    "two mixes with a norm": {"num_mixes": 2, "layer_norm": "bilm-tf", "l2": 0.1, "dropout": 0.3},
    "all the rest": {
        "output": "concat",
        "pooling": "max",
        "keep_boundaries": True,
        "trainable": True,
    },
    "given shares": {"scalar_mix_init": [0.5, -1.0, 2.0], "layer_norm": "token", "return_state": True},
}


def model_of(made):
    """A functional model around the layer."""
    inputs = keras.Input((None,), dtype="string", name="tokens")
    return keras.Model(inputs, made(inputs))


def is_same(came, expected):
    for one, other in zip(tf.nest.flatten(came), tf.nest.flatten(expected), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("case", ARGUMENTS)
def test_a_keras_file_and_a_weights_file_give_the_same_layer(case, tmp_path):
    made = elmo_cases.layer(**ARGUMENTS[case])
    model = model_of(made)
    expected = model(TOKENS)
    model.save(tmp_path / "model.keras")
    model.save_weights(tmp_path / "model.weights.h5")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    is_same(loaded(TOKENS), expected)
    assert loaded.layers[-1].get_config() == made.get_config()
    assert len(loaded.trainable_weights) == len(model.trainable_weights)
    other = model_of(elmo_cases.layer(seed=5, **ARGUMENTS[case]))
    assert np.abs(tf.nest.flatten(other(TOKENS))[0] - tf.nest.flatten(expected)[0]).max() > 1e-3
    other.load_weights(tmp_path / "model.weights.h5")
    is_same(other(TOKENS), expected)


@pytest.mark.parametrize("case", ARGUMENTS)
def test_the_configuration_is_json_and_makes_the_same_layer(case):
    made = elmo_cases.layer(**ARGUMENTS[case])
    found = json.loads(json.dumps(made.get_config()))
    again = ElmoLayer.from_config(found)
    assert again.get_config() == made.get_config()
    again.build(None)
    again.set_weights(made.get_weights())
    is_same(again(TOKENS), made(TOKENS))


@pytest.mark.parametrize("frozen", [False, True])
@pytest.mark.parametrize("trainable", [False, True])
def test_from_config_keeps_which_weights_are_trainable(frozen, trainable):
    made = elmo_cases.layer(trainable=trainable)
    if frozen:
        made.trainable = False
    again = ElmoLayer.from_config(made.get_config())
    again.build(None)
    assert [weight.path for weight in again.trainable_weights] == [weight.path for weight in made.trainable_weights]
    assert len(again.trainable_weights) == (0 if frozen else 2 + 25 * trainable)
    assert len(model_of(again).trainable_weights) == len(again.trainable_weights)


READ_KERAS = """
import json, sys
import elmo_tf, keras, numpy as np, tensorflow as tf
from elmo_tf.elmo.elmo_layer import ElmoLayer
model = keras.models.load_model("model.keras")
tokens = np.array(json.load(open("tokens.json")), dtype=object)
np.save("came.npy", model(tokens))
np.save("predicted.npy", model.predict(tf.constant(tokens), verbose=0))
"""

READ_SAVED_MODEL = """
import json
import numpy as np, tensorflow as tf
served = tf.saved_model.load("served")
tokens = tf.constant(json.load(open("tokens.json")))
np.save("served.npy", served.serve(tokens))
(vectors,) = served.signatures["serving_default"](tokens).values()
np.save("signature.npy", vectors)
(vectors,) = tf.saved_model.load("ours").signatures["serving_default"](tokens).values()
np.save("ours.npy", vectors)
"""


@pytest.mark.parametrize("case", [rarely("a mix"), "a cache"])
def test_new_processes_read_the_files_without_the_original_model(case, tmp_path):
    folder = tmp_path / "model"
    trained_folder(folder)
    made = ElmoLayer.from_pretrained(folder, **ARGUMENTS[case])
    model = model_of(made)
    expected, predicted = model(TOKENS).numpy(), model.predict(tf.constant(TOKENS), verbose=0)
    files = tmp_path / "files"
    files.mkdir()
    model.save(files / "model.keras")
    model.export(files / "served", verbose=False)
    export_model(model, files / "ours")
    (files / "tokens.json").write_text(json.dumps(TOKENS.tolist()))
    shutil.rmtree(folder)
    run_python(READ_KERAS, files)
    run_python(READ_SAVED_MODEL, files, with_package=False)
    np.testing.assert_array_equal(np.load(files / "came.npy"), expected)
    np.testing.assert_array_equal(np.load(files / "predicted.npy"), predicted)
    for name in ("served", "signature", "ours"):  # graphs of their own
        np.testing.assert_allclose(np.load(files / f"{name}.npy"), predicted, rtol=0, atol=1e-6)
    np.testing.assert_allclose(predicted, expected, rtol=0, atol=1e-6)


def test_weights_are_stored_once(tmp_path):
    made = elmo_cases.layer(vocab_to_cache=["The", "cat"])
    model = model_of(made)
    model.save(tmp_path / "model.keras")
    with zipfile.ZipFile(tmp_path / "model.keras") as archive:
        archive.extract("model.weights.h5", tmp_path)
    found = []
    with h5py.File(tmp_path / "model.weights.h5") as file:
        file.visititems(lambda _, item: found.append(item.size) if isinstance(item, h5py.Dataset) else None)
    n_weights = sum(int(np.prod(weight.shape)) for weight in made.weights)
    assert n_weights <= sum(found) <= n_weights + 2  # the seed of dropout
    export_model(model, tmp_path / "served")
    export_signatures(made, tmp_path / "signatures")
    for folder in ("served", "signatures"):
        saved = tf.train.list_variables(str(tmp_path / folder / "variables" / "variables"))
        sizes = [int(np.prod(shape)) for name, shape in saved if name.endswith("VARIABLE_VALUE")]
        assert n_weights <= sum(sizes) <= n_weights + 2


def test_a_model_of_character_ids_is_exported_too(tmp_path):
    made = elmo_cases.layer()
    inputs = keras.Input((None, LIMIT), dtype="int32")
    model = keras.Model(inputs, made(inputs))
    expected = model.predict(ids_of(TOKENS), verbose=0)
    export_model(model, tmp_path / "served")
    served = tf.saved_model.load(str(tmp_path / "served"))
    (came,) = served.signatures["serving_default"](tf.constant(ids_of(TOKENS))).values()
    np.testing.assert_allclose(came, expected, rtol=0, atol=1e-6)


def test_a_model_with_word_input_keeps_its_vocabulary(tmp_path):
    trained_folder(tmp_path / "model", WORD_INPUT)
    model = model_of(ElmoLayer.from_pretrained(tmp_path / "model"))
    tokens = padded([["the", "dog"], ["øl"]])
    model.save(tmp_path / "model.keras")
    is_same(keras.models.load_model(tmp_path / "model.keras")(tokens), model(tokens))
    assert WORDS[3] == "the"


def test_from_pretrained_takes_the_checkpoint_asked_for(tmp_path):
    weights = trained_folder(tmp_path / "model")
    for which, key in ((None, "best"), ("best", "best"), ("latest", "latest")):
        elmo = ElmoLayer.from_pretrained(pathlib.Path(tmp_path / "model"), which=which)
        np.testing.assert_array_equal(elmo.bilm.encoder.char_embed, weights[key]["char_embed"])
    assert elmo.bilm.options.char_cnn.max_characters_per_token == CHARACTERS["char_cnn"]["max_characters_per_token"]
