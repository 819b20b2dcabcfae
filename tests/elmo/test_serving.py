"""SavedModels with TensorFlow Hub's signatures, loaded with TensorFlow alone."""

import json

import elmo_cases
import keras
import numpy as np
import pytest
import tensorflow as tf
from elmo_cases import SENTENCES, padded
from elmo_process import run_python
from grids import grid

from elmo_tf.elmo.serving import export_model, export_signatures
from elmo_tf.errors import InputError

TOKENS = padded(SENTENCES)
MASK = TOKENS != ""
LENGTHS = [len(sentence) for sentence in SENTENCES]

SERVE = """
import json
import numpy as np, tensorflow as tf
model = tf.saved_model.load("served")
assert sorted(model.signatures) == ["default", "tokens"]
case = json.load(open("case.json"))
np.savez("tokens.npz", **model.signatures["tokens"](
    tokens=tf.constant(case["tokens"]), sequence_len=tf.constant(case["lengths"])))
np.savez("default.npz", **model.signatures["default"](strings=tf.constant(case["strings"])))
"""


def served(made, folder):
    """What another process gets from both signatures."""
    export_signatures(made, folder / "served")
    tokens = TOKENS.copy()
    tokens[1, 1:] = "behind"  # is left out by its length
    case = {
        "tokens": tokens.tolist(),
        "lengths": LENGTHS,
        "strings": ["The cat sat", "Hello", " ".join(SENTENCES[2]), ""],
    }
    (folder / "case.json").write_text(json.dumps(case))
    run_python(SERVE, folder, with_package=False)
    return np.load(folder / "tokens.npz"), np.load(folder / "default.npz")


@pytest.mark.parametrize("arguments", [{}, {"output": "top", "pooling": "max", "keep_boundaries": True}])
def test_both_signatures_give_what_the_layer_gives(arguments, tmp_path):
    made = elmo_cases.layer(**arguments)
    layers = elmo_cases.layer(output="all")(TOKENS).numpy()
    elmo = elmo_cases.layer(output="average" if arguments else "mix")(TOKENS).numpy()
    counts = np.maximum(LENGTHS, 1)[:, None]
    expected = {
        "word_emb": layers[:, 0, :, :4],
        "lstm_outputs1": layers[:, 1],
        "lstm_outputs2": layers[:, 2],
        "elmo": elmo,
        "default": elmo.sum(1) / counts,
    }
    for came in served(made, tmp_path):
        assert sorted(came) == sorted(expected)
        for name, values in expected.items():
            np.testing.assert_allclose(came[name], values, rtol=0, atol=1e-6)


def test_both_signatures_are_one(tmp_path):
    tokens, default = served(elmo_cases.layer(vocab_to_cache=["cat"]), tmp_path)
    for name in tokens:
        np.testing.assert_allclose(tokens[name], default[name], rtol=0, atol=1e-6)


def test_a_model_keeps_the_names_of_its_inputs_and_outputs(tmp_path):
    made = elmo_cases.layer(num_mixes=2)
    inputs = {"tokens": keras.Input((None,), dtype="string"), "scale": keras.Input((1, 1))}
    first, second = made(inputs["tokens"])
    model = keras.Model(inputs, {"scaled": first * inputs["scale"], "second": second})
    batch = {"tokens": tf.constant(TOKENS), "scale": tf.ones((4, 1, 1)) * 2}
    expected = model(batch)
    export_model(model, tmp_path / "served")
    again = tf.saved_model.load(str(tmp_path / "served"))
    came = again.signatures["serving_default"](**batch)
    assert set(came) == {"scaled", "second"}
    for name, values in came.items():
        np.testing.assert_allclose(values, expected[name], rtol=0, atol=1e-6)


@pytest.mark.parametrize("export", [export_signatures, lambda made, folder: export_model(elmo_model(made), folder)])
def test_existing_files_are_left_alone(export, tmp_path):
    (tmp_path / "there").mkdir()
    with pytest.raises(InputError, match="there exists; expected the name of a new folder"):
        export(elmo_cases.layer(), tmp_path / "there")
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="file"):
        export(elmo_cases.layer(), tmp_path / "file" / "model")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "there"]


def elmo_model(made):
    inputs = keras.Input((None,), dtype="string")
    return keras.Model(inputs, made(inputs))


def test_nothing_half_written_stays(tmp_path, monkeypatch):
    def broken(*_, **__):
        raise OSError("disk full")

    monkeypatch.setattr(tf.saved_model, "save", broken)
    with pytest.raises(InputError, match="model cannot be written: disk full"):
        export_signatures(elmo_cases.layer(), tmp_path / "model")
    assert not list(tmp_path.iterdir())


def test_a_model_without_known_inputs_is_refused(tmp_path):
    class Subclassed(keras.Model):
        def call(self, inputs):
            return inputs

    with pytest.raises(ValueError, match="expected one that knows its inputs"):
        export_model(Subclassed(), tmp_path / "model")


@pytest.mark.parametrize(("batch_size", "trainable"), grid([None, 2], [False, True]))
def test_a_sequential_model_serves_strings_and_needs_no_xla(batch_size, trainable, tmp_path):
    made = elmo_cases.layer(trainable=trainable)
    model = keras.Sequential([keras.Input((4,), batch_size=batch_size, dtype="string"), made])
    tokens = tf.constant([["The", "cat", "sat", ""], ["Hello", "", "", ""]])
    export_model(model, tmp_path / "served")
    read = tf.saved_model.load(str(tmp_path / "served"))
    (came,) = read.signatures["serving_default"](inputs=tokens).values()
    np.testing.assert_allclose(came, model(tokens), rtol=0, atol=1e-6)
    functions = read.signatures["serving_default"].graph.as_graph_def().library.function
    assert functions or not trainable
    assert not any(function.attr["_XlaMustCompile"].b for function in functions)
