"""Keras finds the package's classes by `import elmo_tf` alone, and another backend than TensorFlow is refused."""

import pathlib
import subprocess
import sys

import keras
import pytest
from elmo_process import ROOT, run_new_python
from grids import rarely

import elmo_tf

FILES = pathlib.Path(__file__).parents[1] / "earlier_files"

IMPORTS = {
    "elmo_tf before keras": "import elmo_tf\nassert 'keras' not in sys.modules\nimport keras",
    "keras before elmo_tf": "import keras\nimport elmo_tf",
    "a part of keras": "import elmo_tf\nfrom keras.models import load_model\nimport keras",
}


@pytest.mark.parametrize("order", ["elmo_tf before keras", *map(rarely, list(IMPORTS)[1:])])
def test_a_keras_file_is_read_after_import_elmo_tf_alone(order, tmp_path):
    code = f"""
import sys
{IMPORTS[order]}
import numpy as np, tensorflow as tf
assert "elmo_tf.elmo.elmo_layer" not in sys.modules
batch = tf.constant([["tar", "kens", "moppel", ""], ["Unseen", "zur", "", ""]])
for name in ("tagger", "pooled"):
    model = keras.models.load_model(f"{FILES}/{{name}}.keras")
    np.testing.assert_allclose(model(batch), np.load(f"{FILES}/{{name}}_outputs.npy"), atol=1e-6)
    model.save("new.keras")
    again = keras.models.load_model("new.keras")
    np.testing.assert_array_equal(again(batch), model(batch))
    assert elmo_tf.ElmoLayer in map(type, again.layers)
assert keras.__spec__.loader is keras.__loader__ and "elmo_tf" not in type(keras.__loader__).__module__
assert not [finder for finder in sys.meta_path if "elmo_tf" in type(finder).__module__]
"""
    run_new_python(code, tmp_path)


def test_every_class_that_is_registered_is_known_by_its_name():
    for name in elmo_tf.__all__:
        getattr(elmo_tf, name)
    registered = {
        name.removeprefix("elmo_tf>"): kind.__module__
        for name, kind in keras.saving.get_custom_objects().items()
        if name.startswith("elmo_tf>")
    }
    assert registered == elmo_tf._KERAS_CLASSES


SENTENCE = (
    "elmo_tf needs Keras on TensorFlow, and the backend of Keras is '{}': set the environment variable "
    "KERAS_BACKEND=tensorflow before Keras is imported"
)


@pytest.mark.parametrize(
    ("backend", "code"),
    [
        ("torch", "import elmo_tf; elmo_tf.ElmoLayer"),
        rarely("torch", "import elmo_tf; elmo_tf.load_bilm"),
        rarely("torch", "from elmo_tf import StaticEmbedding"),
        rarely("torch", "import keras, elmo_tf; elmo_tf.SentenceEmbedder"),
        ("torch", f"import keras, elmo_tf; keras.models.load_model('{FILES}/tagger.keras')"),
        ("jax", "import elmo_tf; elmo_tf.ElmoLayer"),  # which is not installed
    ],
)
def test_another_backend_is_refused_in_one_sentence_at_the_first_use(backend, code, monkeypatch):
    if backend == "torch":
        pytest.importorskip("torch")
    monkeypatch.setenv("KERAS_BACKEND", backend)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300)
    assert done.stderr.splitlines()[-1] == "elmo_tf.errors.InputError: " + SENTENCE.format(backend)


def test_names_that_need_no_keras_are_there_under_another_backend(monkeypatch, tmp_path):
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    run_new_python(
        "import elmo_tf\nelmo_tf.Options, elmo_tf.Vocabulary, elmo_tf.InputError, elmo_tf.TrainSettings", tmp_path
    )


def test_the_command_line_refuses_another_backend_in_one_sentence(monkeypatch, tmp_path):
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    command = [sys.executable, "-m", "elmo_tf", "inspect", f"--model_dir={FILES}/hdf5"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines()[-1].endswith(SENTENCE.format("torch"))


def test_the_backend_is_read_from_the_settings_of_keras(monkeypatch, tmp_path):
    (tmp_path / "keras.json").write_text('{"backend": "jax"}')
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    code = """
import elmo_tf
try:
    elmo_tf.ElmoLayer
except elmo_tf.InputError as error:
    print(error)
"""
    assert run_new_python(code, tmp_path).strip() == SENTENCE.format("jax")
