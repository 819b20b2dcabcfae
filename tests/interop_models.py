"""Exports models for PyTorch, and compares the vectors that elmo_tf and PyTorch compute with them."""

import functools
import importlib.util
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile

import numpy as np
import pytest
from hdf5_files import write_arrays
from model_folders import WORDS, trained_folder

from elmo_tf.conversion.convert import convert
from elmo_tf.inference.sentence_embedder import SentenceEmbedder
from elmo_tf.models.bilm import BiLM
from elmo_tf.models.weight_names import named_variables
from elmo_tf.store.load_model import load_bilm

RUN = pathlib.Path(__file__).parent / "interop" / "torch_run.py"
TOLERANCE = 1e-5

BATCHES = [
    [
        ["The", "cat", "sat", "on", "the", "mat", "."],
        ["One"],
        ["Blåbærsyltetøy", "and", "猫", "<UNK>", "on", "a", "mat", "🙂"],
        ["a", "w" + "o" * 70 + "rd", "ь" * 40, "the", "the"],
    ],
    [["alone", "in", "a", "batch"]],
    [["of", "equal"], ["length", "both"]],
]
"""Sentences of different lengths, one of a single token, letters of one to four bytes, words of more than 50 bytes."""


def need(*modules):
    """Skips the test if a module is not installed; these modules are in the extra `interop`."""
    for module in modules:
        if importlib.util.find_spec(module) is None:
            pytest.skip(f"{module} is not installed (pip install 'elmo_tf[interop]')")


def exported(folder, options, from_checkpoint=False):
    """Converts a model with these options to `folder/hdf5`; returns a `SentenceEmbedder` of the original model.

    The original is a training checkpoint, in which no weight is small, or a file of usual initial weights, in which the
    biases are not zero.
    A model is made once a process; a second call with the same options copies its files.
    """
    kept, embedder = _kept_export(json.dumps(options), from_checkpoint)
    shutil.copytree(kept.name, folder, copy_function=shutil.copyfile, dirs_exist_ok=True)
    return embedder


@functools.cache
def _kept_export(options, from_checkpoint):
    """A temporary folder that is removed when the process ends, and the embedder."""
    kept = tempfile.TemporaryDirectory()
    return kept, _export(pathlib.Path(kept.name), json.loads(options), from_checkpoint)


def _export(folder, options, from_checkpoint):
    source = folder / "model"
    if from_checkpoint:
        trained_folder(source, options, latest=False)
    else:
        model, random = BiLM(options), np.random.default_rng(3)
        model.build()
        arrays = {name: variable.numpy() for name, variable in named_variables(model).items()}
        arrays = {n: a + random.uniform(-0.3, 0.3, a.shape) * (a.ndim == 1) for n, a in arrays.items()}
        write_arrays(str(source / "weights.hdf5"), arrays)
        model.options.write(str(source / "options.json"))
        (source / "vocab.txt").write_text("\n".join(WORDS) + "\n", encoding="utf-8")
    loaded = load_bilm(str(source))
    convert(str(source), str(folder / "hdf5"))
    return SentenceEmbedder(loaded.bilm, loaded.vocabulary)


def job(folder, n_layers, batches=BATCHES, **more):
    """Makes a job for `torch_run.py` with the model in `folder/hdf5`; layer 0 is counted in `n_layers`."""
    mix = np.linspace(0.9, -0.6, n_layers).tolist()
    output = str(folder / "torch.npz")
    return {"folder": str(folder / "hdf5"), "batches": batches, "mix": mix, "gamma": 1.7, "output": output, **more}


def consume(kind, jobs, folder):
    """Runs jobs in PyTorch; returns for each the arrays by name, or the error under the name `refused`."""
    (folder / "jobs.json").write_text(json.dumps(jobs))
    command = [sys.executable, str(RUN), kind, str(folder / "jobs.json")]
    result = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines()[-1] == "False", "TensorFlow was imported"
    return [dict(np.load(item["output"])) for item in jobs]


def compared(kind, shapes, folder, from_checkpoint, safetensors=()):
    """Exports models and runs them in PyTorch.

    Args:
        kind: the PyTorch module, "allennlp" or "plain".
        shapes: the options of each model, by a name.
        folder: a folder for the files.
        from_checkpoint: the names of the models that are exported from a checkpoint.
        safetensors: the names of the models whose weights PyTorch reads from a safetensors file.

    Returns:
        For each name the arguments of `check_same`: the result of PyTorch, our embedder, and the job.
    """
    embedders, jobs = [], []
    for number, (name, options) in enumerate(shapes.items()):
        place, n_layers = folder / str(number), options["lstm"].get("n_layers", 1) + 1
        embedders.append(exported(place, options, from_checkpoint=name in from_checkpoint))
        jobs.append(job(place, n_layers, safetensors=name in safetensors))
    found = consume(kind, jobs, folder)
    return dict(zip(shapes, zip(found, embedders, jobs, strict=True), strict=True))


def check_same(found, embed, item):
    """Compares every layer of every sentence, and the mix with the job's weights, to 1e-5."""
    assert "refused" not in found, found["refused"]
    weights = np.exp(item["mix"]) / np.exp(item["mix"]).sum()
    assert len(found) == 2 * sum(map(len, item["batches"]))
    for number, batch in enumerate(item["batches"]):
        for row, vectors in enumerate(embed(batch)):
            assert np.abs(vectors[1:]).max() > 1e-3
            np.testing.assert_allclose(found[f"{number}/{row}/layers"], vectors, rtol=0, atol=TOLERANCE)
            mixed = item["gamma"] * np.einsum("l,ltd->td", weights, vectors)
            np.testing.assert_allclose(found[f"{number}/{row}/mixed"], mixed, rtol=0, atol=TOLERANCE)
