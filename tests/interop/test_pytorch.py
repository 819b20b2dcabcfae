"""The plain PyTorch module in `examples/pytorch/` gives our vectors for every kind of model."""

import ast
import re
import subprocess
import sys
import textwrap

import interop_models
import numpy as np
import pytest
from model_cases import CASES, CHARACTERS, WORD_INPUT, changed
from model_folders import hdf5_folder, trained_folder

from elmo_tf.conversion import ConvertSettings, convert
from elmo_tf.embedding import SentenceEmbedder
from elmo_tf.model_folder import load_bilm

ROOT = interop_models.RUN.parents[2]
EXAMPLE = ROOT / "examples" / "pytorch" / "elmo.py"

SHAPES = {
    **CASES,
    "50 characters": changed(CHARACTERS, cnn_max_characters_per_token=50, lstm_dim=24, lstm_projection_dim=7),
    "one layer, no projections, forward only": changed(
        CHARACTERS, lstm_n_layers=1, lstm_dim=9, lstm_projection_dim=9, bidirectional=False
    ),
    "the usual length of words, and no number of highways": changed(
        CHARACTERS, cnn_max_characters_per_token=None, cnn_n_highway=None, lstm_use_skip_connections=None
    ),
}
FROM_CHECKPOINT = ("characters", "word input", "tight clips")
SAFETENSORS = ("characters", "no skip connections", "word input, forward only, one layer", "50 characters")


@pytest.fixture(scope="module")
def installed():
    interop_models.need("torch", "safetensors")


@pytest.fixture(scope="module")
def came(tmp_path_factory, installed):
    return interop_models.compared("plain", SHAPES, tmp_path_factory.mktemp("plain"), FROM_CHECKPOINT, SAFETENSORS)


@pytest.mark.parametrize("name", SHAPES)
def test_every_layer_and_the_mix_are_ours(came, name):
    interop_models.check_same(*came[name])


def test_an_empty_sentence_beside_others_has_no_vectors(tmp_path, installed):
    embed = interop_models.exported(tmp_path, CHARACTERS)
    job = interop_models.job(tmp_path, 3, [[["a", "cat"], []]])
    found = interop_models.consume("plain", [job], tmp_path)[0]
    assert found["0/1/layers"].shape == (3, 0, 8)
    np.testing.assert_allclose(found["0/0/layers"], embed([["a", "cat"]])[0], rtol=0, atol=interop_models.TOLERANCE)


@pytest.mark.parametrize(
    "source",
    ["bilm-tf-trained/char_2layer", "bilm-tf-trained/char_tanh_3layer_tightclip", "bilm-tf-fixture"],
)
def test_bilm_tfs_own_models_give_ours_too(shared, installed, tmp_path, source):
    hdf5_folder(shared / "parity" / source, tmp_path / "model", vocabulary=False)
    convert(str(tmp_path / "model"), str(tmp_path / "hdf5"))
    loaded = load_bilm(str(tmp_path / "model"))
    job = interop_models.job(tmp_path, loaded.bilm.options.lstm.n_layers + 1)
    found = interop_models.consume("plain", [job], tmp_path)[0]
    interop_models.check_same(found, SentenceEmbedder(loaded.bilm), job)


def test_word_input_without_a_vocabulary_is_refused(tmp_path, installed):
    interop_models.exported(tmp_path, WORD_INPUT)
    (tmp_path / "hdf5" / "vocab.txt").unlink()
    found = interop_models.consume("plain", [interop_models.job(tmp_path, 3)], tmp_path)[0]
    assert "vocabulary: expected one" in str(found["refused"])


def run_python(source, folder):
    command = [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(EXAMPLE.parent)!r})\n{source}"]
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300, check=False)
    assert result.returncode == 0, result.stderr
    return result.stdout.split()


def test_its_own_example_runs_and_trains_the_mix_alone(tmp_path, installed):
    interop_models.exported(tmp_path, CHARACTERS)
    docstring = ast.get_docstring(ast.parse(EXAMPLE.read_text(encoding="utf-8")))
    shown = textwrap.dedent("\n".join(re.findall(r"(?m)^    .*$", docstring)))
    shown += "\nvectors.sum().backward()"
    shown += "\nprint(*layers.shape, *vectors.shape, mix.weights.grad.shape[0])"
    shown += "\nprint(sum(p.requires_grad for p in elmo.parameters()))"
    assert run_python(shown, tmp_path) == ["2", "3", "4", "8", "2", "4", "8", "3", "0"]


@pytest.mark.parametrize(
    "settings", [ConvertSettings("safetensors", softmax=True), ConvertSettings(target="simple_elmo")]
)
def test_the_softmax_is_left_out_and_model_hdf5_is_found(tmp_path, installed, settings):
    if settings.form == "safetensors":
        pytest.importorskip("safetensors")
    trained_folder(tmp_path / "model", CHARACTERS)
    convert(str(tmp_path / "model"), str(tmp_path / "new"), settings=settings)
    source = """
from elmo import Elmo
elmo = Elmo.from_folder("new")
print(*elmo(*elmo.encode([["a", "cat"]])).shape, sum("softmax" in name for name in elmo.weights))
"""
    assert run_python(source, tmp_path) == ["1", "3", "2", "8", "0"]


def test_it_can_be_fine_tuned(tmp_path, installed):
    interop_models.exported(tmp_path, CHARACTERS)
    source = """
from elmo import Elmo
elmo = Elmo.from_folder("hdf5").requires_grad_(True)
elmo(*elmo.encode([["a", "cat"], ["b"]])).square().sum().backward()
print(*[name for name, weight in elmo.named_parameters() if weight.grad is None or not weight.grad.any()])
"""
    assert run_python(source, tmp_path) == []


def test_it_imports_nothing_of_ours_and_readers_only_where_they_are_used():
    tree = ast.parse(EXAMPLE.read_text(encoding="utf-8"))
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    at_the_top = {ast.unparse(node) for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)}
    assert not [name for name in names if name.split(".")[0] in ("elmo_tf", "tensorflow", "keras", "allennlp")]
    assert {"h5py", "safetensors.numpy"} <= names
    assert not [line for line in at_the_top if "h5py" in line or "safetensors" in line]
