"""Layers chosen and combined, tokens pooled, numbers rounded; a mix read from a saved Keras model."""

import io
import json
import pathlib
import zipfile

import h5py
import numpy as np
import pytest
from refusals import refused

from elmo_tf.bulk.layer_choice import LayerChoice
from elmo_tf.bulk.saved_mix import read_mix
from elmo_tf.bulk.settings import EmbedSettings

LAYERS = np.random.default_rng(0).normal(size=(3, 5, 4)).astype(np.float32)
EARLIER = pathlib.Path(__file__).parents[1] / "earlier_files" / "tagger.keras"


def chosen(array=LAYERS, /, **settings):
    return LayerChoice(EmbedSettings(**settings), 3)(array)


@pytest.mark.parametrize(
    ("settings", "wanted"),
    [
        ({}, LAYERS),
        ({"layers": "top"}, LAYERS[2]),
        ({"layers": "average"}, LAYERS.mean(0)),
        ({"layers": "0,2"}, LAYERS[[0, 2]]),
        ({"layers": "2,0,2"}, LAYERS[[2, 0, 2]]),
        ({"layers": "1"}, LAYERS[1]),
        ({"layers": "mix", "mix_weights": "0.2,0.5,0.3"}, 0.2 * LAYERS[0] + 0.5 * LAYERS[1] + 0.3 * LAYERS[2]),
        ({"layers": "mix", "mix_weights": [0, 1, 0, 2]}, 2 * LAYERS[1]),
        ({"pooling": "mean"}, LAYERS.mean(1)),
        ({"pooling": None}, LAYERS),
        ({"layers": "top", "pooling": "max"}, LAYERS[2].max(0)),
        ({"layers": "0,1", "pooling": "max"}, LAYERS[:2].max(1)),
    ],
)
def test_layers_are_those_asked_for(settings, wanted):
    came = chosen(**settings)
    assert came.dtype == np.float32
    assert came.shape == wanted.shape
    np.testing.assert_allclose(came, wanted, rtol=0, atol=1e-6)
    np.testing.assert_array_equal(chosen(**settings, dtype="float16"), came.astype(np.float16))


@pytest.mark.parametrize("pooling", ["mean", "max"])
def test_a_sentence_of_no_tokens_is_zero(pooling):
    np.testing.assert_array_equal(chosen(LAYERS[:, :0], pooling=pooling), np.zeros((3, 4)))
    np.testing.assert_array_equal(chosen(LAYERS[:, :0], layers="top", pooling=pooling), np.zeros(4))
    assert chosen(LAYERS[:, :0], layers="0,1").shape == (2, 0, 4)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"layers": "last"}, "layers: expected all, top, average, mix or numbers such as 0,2, got 'last'"),
        ({"layers": "0,3"}, "layers: expected numbers from 0 to 2, the model's layers, got 3"),
        ({"layers": "mix"}, "layers: expected mix with mix_weights or mix_from, got neither"),
        ({"layers": "mix", "mix_weights": "1", "mix_from": "a"}, "got mix_weights and mix_from"),
        ({"mix_weights": "1,0,0"}, "mix_weights: expected with layers=mix alone, got it with layers=all"),
        (
            {"layers": "mix", "mix_weights": "1,0"},
            "mix_weights: expected 3 shares, one a layer, and gamma or not, got 2",
        ),
        ({"layers": "mix", "mix_weights": "1,x,0"}, "mix_weights: expected numbers, such as 0.2,0.5,0.3, got '1,x,0'"),
        ({"layers": "mix", "mix_weights": "1,1,0"}, "mix_weights: expected shares from 0 that sum to 1, got 1.0, 1.0"),
        ({"layers": "mix", "mix_weights": "2,-1,0"}, "mix_weights: expected shares from 0 that sum to 1"),
        ({"layers": "mix", "mix_weights": "nan,1,0"}, "mix_weights: expected shares from 0 that sum to 1"),
        ({"pooling": "sum"}, "pooling: expected none or mean or max, got 'sum'"),
        ({"dtype": "int8"}, "dtype: expected float32 or float16, got 'int8'"),
        ({"output_format": "csv"}, "output_format: expected hdf5 or parquet or npz or txt, got 'csv'"),
        ({"output_format": "txt", "compression": "gzip"}, "compression: expected none with the output format txt"),
        ({"output_format": "npz", "keys": "sentence"}, "keys: expected number with the output format npz"),
        ({"keys": "sentence", "sentence_to_index": True}, "sentence_to_index: expected it with"),
        ({"batch_tokens": 0}, "batch_tokens: expected a number from 1, got 0"),
    ],
)
def test_settings_that_do_not_fit_are_refused(settings, message):
    assert message in refused(chosen, **settings)


def test_the_mix_is_that_which_an_elmo_layer_has_learned():
    with zipfile.ZipFile(EARLIER) as archive, h5py.File(io.BytesIO(archive.read("model.weights.h5"))) as file:
        w, gamma = (file[f"layers/elmo_layer/mixes/scalar_mix/vars/{number}"][...] for number in (0, 1))
    assert np.ptp(w) > 0
    shares = np.exp(w) / np.exp(w).sum()
    np.testing.assert_allclose(read_mix(EARLIER), [*shares, gamma], rtol=1e-6)
    wanted = float(gamma) * np.einsum("l,ltd->td", shares, LAYERS)
    np.testing.assert_allclose(chosen(layers="mix", mix_from=EARLIER), wanted, rtol=0, atol=1e-6)


def changed(path, **changes):
    """The saved model with other arguments of its layer."""
    with zipfile.ZipFile(EARLIER) as archive, zipfile.ZipFile(path, "w") as new:
        for name in archive.namelist():
            content = archive.read(name)
            if name == "config.json":
                config = json.loads(content)
                for layer in config["config"]["layers"]:
                    if layer["registered_name"] == "elmo_tf>ElmoLayer":
                        layer["config"].update(changes)
                content = json.dumps(config).encode()
            new.writestr(name, content)
    return path


def test_a_file_without_one_plain_mix_is_refused(tmp_path):
    assert "without layer_norm, which shares do not describe, got 'token'" in refused(
        read_mix, changed(tmp_path / "a.keras", layer_norm="token")
    )
    assert "expected a model with one ElmoLayer with one mix, got 2 mixes" in refused(
        read_mix, changed(tmp_path / "a.keras", num_mixes=2)
    )
    assert "got 0 mixes" in refused(read_mix, changed(tmp_path / "a.keras", output="top"))
    assert "none.keras cannot be read: No such file" in refused(read_mix, tmp_path / "none.keras")
    (tmp_path / "text").write_text("text")
    assert "text cannot be read as a saved Keras model" in refused(read_mix, tmp_path / "text")
