"""Makes folders with tiny models, as `elmo-tf train` writes them and as bilm-tf does, with `weights.hdf5`."""

import functools
import json
import pathlib
import shutil
import tempfile

from model_cases import CHARACTERS, filled, weights_of
from riding import state_of

from elmo_tf.models.language_model import LanguageModel
from elmo_tf.models.weight_names import named_variables
from elmo_tf.options import Options
from elmo_tf.training.checkpoint import TrainingCheckpoint
from elmo_tf.training.optimizer_choice import make_optimizer

WORDS = ("<S>", "</S>", "<UNK>", "the", "cat", "sat", "on", "a", "mat", "øl", ".")
LATEST_STEP, BEST_STEP = 12, 8


def trained_folder(folder, options=CHARACTERS, latest=True, best=True, spoilt=None):
    """Makes a folder as `elmo-tf train` writes it, whose vocabulary has the 11 words of `WORDS`.


    A folder is computed once a process; a second call with the same arguments copies it.
    Args:
        folder: the folder to make.
        options: the model's options.
        latest: whether to write the checkpoint "latest".
        best: whether to write the checkpoint "best", whose weights differ from those of "latest".
        spoilt: the name of a weight that is set to NaN in "best".

    Returns:
        For each checkpoint that was written, its weights by name.
    """
    kept, weights = _kept_folder(json.dumps(options), latest, best, spoilt)
    shutil.copytree(kept.name, folder, copy_function=shutil.copyfile, dirs_exist_ok=True)
    return {which: {name: array.copy() for name, array in arrays.items()} for which, arrays in weights.items()}


@functools.cache
def _kept_folder(options, latest, best, spoilt):
    """A temporary folder that is removed when the process ends, and its weights."""
    kept = tempfile.TemporaryDirectory()
    return kept, _write_trained_folder(pathlib.Path(kept.name), json.loads(options), latest, best, spoilt)


def _write_trained_folder(folder, options, latest, best, spoilt):
    Options.from_dict(options).write(str(folder / "options.json"))
    (folder / "vocab.txt").write_text("\n".join(WORDS) + "\n", encoding="utf-8")
    model = filled(LanguageModel(options))
    variables = named_variables(model)
    if spoilt:
        variables[spoilt].assign(variables[spoilt] * float("nan"))
    optimizer = make_optimizer(Options.from_dict(options).training, variables)
    checkpoint = TrainingCheckpoint(str(folder), variables, optimizer)
    weights = {}
    if best:
        checkpoint.save_best(BEST_STEP)
        weights["best"] = weights_of(model)
    if latest:
        filled(model, seed=1)
        checkpoint.save(state_of((model.zero_state(2),), step=LATEST_STEP))
        weights["latest"] = weights_of(model)
    return weights


def hdf5_folder(source, folder, vocabulary=True):
    """Copies `weights.hdf5`, `options.json` and perhaps `vocab.txt` of a reference model; returns the new folder."""
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    options = source / "options.json"
    for path in (source / "weights.hdf5", options if options.exists() else source / "checkpoint" / "options.json"):
        shutil.copyfile(path, folder / path.name)
    if vocabulary:
        shutil.copyfile(source / "vocab.txt", folder / "vocab.txt")
    return folder


def change_options(folder, **changes):
    """Changes options in the folder's `options.json`. A dictionary updates the existing one; None removes an option."""
    path = pathlib.Path(folder) / "options.json"
    values = json.loads(path.read_text())
    for name, value in changes.items():
        values[name] = {**values[name], **value} if isinstance(value, dict) else value
    path.write_text(json.dumps({name: value for name, value in values.items() if value is not None}))


def cut_to(path, share):
    """Cuts a file to the first part of its bytes."""
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])


def content_of(folder):
    """Reads every file below a folder; returns the bytes by path."""
    root = pathlib.Path(folder)
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}
