"""Models of ELMoForManyLangs give the vectors of its equations, from any place and in both formats of PyTorch."""

import os
import pathlib
import pickle
import zipfile

import manylangs_models
import numpy as np
import pytest
from manylangs_models import CONFIGURATIONS, SENTENCES, random_model, write_model
from refusals import refused

from elmo_tf.inference.sentence_embedder import SentenceEmbedder
from elmo_tf.store.load_model import load_bilm, load_language_model
from elmo_tf.store.open_model import open_model


@pytest.fixture(scope="module")
def model():
    """The arrays of the usual model."""
    return random_model()


@pytest.fixture(scope="module")
def folder(tmp_path_factory, model):
    """Its folder."""
    return pathlib.Path(write_model(tmp_path_factory.mktemp("manylangs") / "fr.model", model))


@pytest.fixture(scope="module")
def expected(model):
    """The layers of the sentences, boundaries included."""
    return [manylangs_models.layers_of(model, sentence) for sentence in SENTENCES]


def check_same(came, expected):
    assert len(came) == len(expected)
    for one, other in zip(came, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-5)


@pytest.mark.parametrize("case", CONFIGURATIONS)
def test_every_layer_is_that_of_the_equations(tmp_path, case):
    model = random_model(CONFIGURATIONS[case], seed=len(case))
    loaded = load_bilm(write_model(tmp_path, model, zipped=len(case) % 2 == 0))
    assert loaded.vocabulary is None
    came = SentenceEmbedder(loaded.bilm, compiled=False)(SENTENCES, keep_boundaries=True)
    check_same(came, [manylangs_models.layers_of(model, sentence) for sentence in SENTENCES])


def test_the_weights_and_a_zip_file_name_the_model_too(tmp_path, folder, expected):
    with zipfile.ZipFile(tmp_path / "150.zip", "w") as archive:
        for path in folder.iterdir():
            archive.write(path, f"fr.model/{path.name}")
        archive.writestr("fr.model/classifier.pkl", b"")
    for path in (folder / "encoder.pkl", tmp_path / "150.zip"):
        loaded = load_bilm(path)
        assert loaded.source == str(path)
        check_same(SentenceEmbedder(loaded.bilm, compiled=False)(SENTENCES, keep_boundaries=True), expected)


def test_a_cache_of_words_and_a_compiled_model_change_nothing(model, folder, expected):
    embed = SentenceEmbedder(load_bilm(folder).bilm, word_cache=6)
    for _ in range(2):
        check_same(embed(SENTENCES, keep_boundaries=True), expected)
    check_same(embed([[]], keep_boundaries=True), [manylangs_models.layers_of(model, [])])


def edited(tmp_path, model, file, arrays):
    """A folder of the model whose `file` has other arrays."""
    folder = write_model(tmp_path / "x", model)
    manylangs_models.write_pytorch(tmp_path / "x" / file, arrays)
    return folder


@pytest.mark.parametrize(
    ("file", "name", "array", "message"),
    [
        (
            "encoder.pkl",
            "forward_layer_1.state_linearity.bias",
            None,
            " is missing: expected shape (40,)",
        ),
        ("encoder.pkl", "backward_layer_0.state_projection.weight", np.zeros((6, 9), "f4"), ": expected shape (6, 10)"),
        (
            "token_embedder.pkl",
            "word_emb_layer.embedding.weight",
            np.zeros((9, 5), "f4"),
            ": expected shape (11, 5)",
        ),
        ("token_embedder.pkl", "char_lstm.bias_ih_l0", np.zeros(3, "f4"), " has no place in a model of these options"),
    ],
)
def test_an_array_that_does_not_fit_the_configuration_is_named(tmp_path, model, file, name, array, message):
    arrays = {**(model.encoder if file == "encoder.pkl" else model.tokens), name: array}
    folder = edited(tmp_path, model, file, {key: value for key, value in arrays.items() if value is not None})
    assert refused(load_bilm, folder).startswith(f"{folder}/{file}: array {name}{message}")


def test_numbers_that_are_not_finite_are_refused_where_they_are(tmp_path, model):
    name = "highways._layers.1.weight"
    broken = model.tokens[name].copy()
    broken[3, 4] = np.inf
    folder = edited(tmp_path, model, "token_embedder.pkl", model.tokens | {name: broken})
    said = refused(load_bilm, folder)
    assert said == f"{folder}/token_embedder.pkl: array {name} holds numbers that are not finite in float32"


@pytest.mark.parametrize("name", ["encoder.pkl", "token_embedder.pkl", "config.json", "char.dic", "word.dic"])
def test_a_file_that_is_missing_is_named(tmp_path, model, name):
    folder = write_model(tmp_path / "x", model)
    (tmp_path / "x" / name).unlink()
    said = refused(load_bilm, folder)
    if name.endswith(".pkl"):  # neither file alone makes a model
        assert said.startswith(f"{folder}: it holds no model; expected a folder made by elmo-tf train")
        assert "a folder of ELMoForManyLangs" in said
    else:
        assert name in said


def test_a_malicious_file_runs_nothing(tmp_path, model):
    class Evil:
        def __reduce__(self):
            return os.system, (f"touch {tmp_path / 'marker'}",)

    folder = write_model(tmp_path / "x", model)
    for name in ("encoder.pkl", "token_embedder.pkl"):
        write_model(tmp_path / "x", model)
        (tmp_path / "x" / name).write_bytes(pickle.dumps(Evil(), 2))
        assert refused(load_bilm, folder).startswith(f"{folder}/{name} cannot be read as weights of PyTorch")
    assert not (tmp_path / "marker").exists()


def test_what_such_a_model_cannot_do_is_said(folder, tmp_path):
    said = refused(load_language_model, folder)
    assert said == (
        f"{folder}: a model of ELMoForManyLangs gives vectors alone; elmo_tf cannot compute probabilities with it, for "
        "it has another token encoder than bilm-tf's models and no softmax"
    )
    words = tmp_path / "vocab.txt"
    words.write_text("<S>\n</S>\n<UNK>\n")
    said = refused(load_bilm, folder, vocab_file=words)
    assert said == f"{words}: a model of ELMoForManyLangs takes no vocabulary, for it has lexicons of its own"
    assert refused(load_bilm, folder, which="best") == f"{folder}: it holds no best checkpoint, only encoder.pkl"


def test_the_arrays_are_read_when_they_are_looked_up(folder):
    """An array of ours may be made of two in a file, and two of ours of one."""
    with open_model(folder) as stored:
        assert stored.form == "manylangs"
        assert stored.weights.shapes["RNN_1/RNN/MultiRNNCell/Cell1/LSTMCell/W_0"] == (12, 40)
        assert {name: stored.weights[name].shape for name in stored.weights} == stored.weights.shapes
