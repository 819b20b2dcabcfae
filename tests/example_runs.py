"""Runs an example as a user does, with a tiny model."""

import pathlib

import keras
import numpy as np
import tiny
from forked_python import run_script
from hdf5_files import write_arrays

from elmo_tf.models.bilm import BiLM
from elmo_tf.models.weight_names import named_variables

EXAMPLES = pathlib.Path(__file__).parents[1] / "examples"


def run(name, *arguments):
    return run_script(EXAMPLES / f"{name}.py", *arguments, environment={"PYTHONPATH": str(EXAMPLES.parent)})


def run_on_text(name, folder, *arguments, text="text.txt"):
    """Runs an example that takes a model and a text, both in the same folder."""
    return run(name, f"--elmo={folder}", f"--text={folder / text}", *arguments)


def model_and_text(folder, lines):
    """Writes a tiny model and `text.txt` into a folder; returns the folder."""
    (folder / "text.txt").write_text("\n".join(lines) + "\n")
    return tiny_model(folder)


def tiny_model(folder):
    """Writes `weights.hdf5` and `options.json` of a model with random weights into a folder; returns the folder."""
    options = tiny.options()
    keras.utils.set_random_seed(0)
    bilm = BiLM(options)
    bilm.build()
    arrays = {name: np.asarray(variable) for name, variable in named_variables(bilm).items()}
    write_arrays(str(folder / "weights.hdf5"), arrays)
    options.write(str(folder / "options.json"))
    return folder


def is_png(path):
    return path.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"


def one_sentence(result, code=1):
    """Checks that a command ended with one line on stderr and no traceback; returns that line."""
    assert result.returncode == code, result.stderr
    assert "Traceback" not in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1, result.stderr
    return result.stderr
