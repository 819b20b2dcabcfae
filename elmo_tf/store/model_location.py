"""Finds a model on disk and recognizes its format, by the names of files, before any weights are read.

| form | files |
| --- | --- |
| checkpoint | a folder of `elmo-tf train`: `latest/` or `best/`, options.json, vocab.txt |
| tf1 | a folder of bilm-tf or simple_elmo_training: `checkpoint`, `model.ckpt-N.*`, options.json |
| safetensors | a folder with one `.safetensors` file and options.json |
| hdf5 | a folder with `weights.hdf5` or `model.hdf5` and options.json, as AllenNLP, bilm-tf and simple_elmo read it |
| manylangs | a folder of ELMoForManyLangs: `encoder.pkl`, `token_embedder.pkl`, config.json, char.dic and word.dic |

A folder of HDF5, safetensors or ELMoForManyLangs may be packed in a ZIP file, as in the NLPL repository. Instead of the
folder, the path of the weights may be given (of ELMoForManyLangs that of `encoder.pkl`), or the path of a checkpoint as
TensorFlow writes it, without the ending. Where a folder has several forms, the first one in the table is used.
"""

import glob
import os
from dataclasses import dataclass

from elmo_tf.errors import InputError
from elmo_tf.formats.tensorflow_checkpoint import newest_tf1_checkpoint
from elmo_tf.store import checkpoint_files
from elmo_tf.store.checkpoint_files import checkpoint_path
from elmo_tf.store.file_names import (
    BEST,
    LATEST,
    MANYLANGS_CONFIG,
    MANYLANGS_ENCODER,
    MANYLANGS_TOKENS,
    NLPL_WEIGHTS_FILE,
    OPTIONS_FILE,
    SAFETENSORS_FILE,
    SOFTMAX_FILE,
    WEIGHTS_FILE,
)
from elmo_tf.store.published_files import PUBLISHED
from elmo_tf.system.input_files import check_utf8_name

CHECKPOINT, TF1, SAFETENSORS, HDF5, MANYLANGS = "checkpoint", "tf1", "safetensors", "hdf5", "manylangs"
FORMS = (HDF5, CHECKPOINT, TF1, SAFETENSORS)
"""The forms that a model can be written in."""

EXPECTED = (
    f"expected a folder made by elmo-tf train, or one with {WEIGHTS_FILE} and {OPTIONS_FILE}, a TensorFlow 1 "
    "checkpoint of bilm-tf, a safetensors file, a folder of ELMoForManyLangs, a ZIP file with HDF5, safetensors or "
    f"ELMoForManyLangs, or the name of a published model: {', '.join(PUBLISHED)}; or hf://USER/MODEL or nlpl:NUMBER"
)
"""The forms of a model that can be loaded, for error messages."""

_INDEX = ".index"
"""The ending of the file that lists the arrays of a checkpoint."""


@dataclass(frozen=True)
class ModelLocation:
    """The location and the form of a model on disk.

    Args:
        form: "checkpoint", "tf1", "safetensors", "hdf5" or "manylangs".
        weights: the file of the weights, or the checkpoint's path without endings.
        folder: the folder of the options and the vocabulary.
    """

    form: str
    weights: str
    folder: str

    def beside(self, *names: str) -> str | None:
        """The path of the first of these files that exists in the folder; None where none does."""
        paths = [os.path.join(self.folder, name) for name in names]
        return next((path for path in paths if os.path.isfile(path)), None)

    @property
    def options_file(self) -> str | None:
        """The path of `options.json`, or of `x_options.json` beside `x_weights.hdf5`; None where none exists.

        In a folder of ELMoForManyLangs it is `config.json`.
        """
        if self.form == MANYLANGS:
            return self.beside(MANYLANGS_CONFIG)
        named = os.path.basename(self.weights).replace("weights.hdf5", OPTIONS_FILE)
        return self.beside(*([named] if named.endswith(OPTIONS_FILE) else []), OPTIONS_FILE)


def is_zip_file(path: str) -> bool:
    """Whether a file is a ZIP file by its ending or its first two bytes; it may be damaged.

    Raises:
        InputError: the file cannot be read.
    """
    if not os.path.isfile(path) or path.endswith((".hdf5", ".safetensors")):
        return False
    try:
        with open(path, "rb") as file:
            return path.endswith(".zip") or file.read(2) == b"PK"
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}", path=path) from error


def find_model(folder: str, path: str, which: str | None) -> ModelLocation:
    """Finds the model of a folder or file.

    Args:
        folder: the folder or file.
        path: its name for error messages; another one where the folder is a temporary one.
        which: the checkpoint to use, "best" or "latest"; None for the best if there is one, else the latest.

    Raises:
        InputError: there is no model or more than one, the model has no such checkpoint, or the name is not UTF-8.
    """
    check_utf8_name(path)
    place = _find_by_file(folder) or _find_in_folder(folder, path, which)
    if place is None:
        missing = "there is no such file or folder"
        if os.path.exists(folder):
            missing = (
                f"it holds no model{_describe_misnamed_folder(folder)}"
                if os.path.isdir(folder)
                else "it is no file of a model"
            )
            if path in PUBLISHED:
                missing += ", and it hides the published model of that name"
        raise InputError(f"{path}: {missing}; {EXPECTED}", path=path)
    if which is not None and (place.form != CHECKPOINT or not os.path.isdir(folder)):
        raise InputError(f"{path}: it holds no {which} checkpoint, only {os.path.basename(place.weights)}", path=path)
    return place


def _find_by_file(path: str) -> ModelLocation | None:
    """The model that the path of a weight file or of a checkpoint names; None for any other path."""
    for ending, form in ((".hdf5", HDF5), (".safetensors", SAFETENSORS)):
        if path.endswith(ending) and os.path.isfile(path):
            if os.path.basename(path) == SOFTMAX_FILE:
                raise InputError(f"{path}: it is only a softmax; expected the weights, or their folder", path=path)
            return ModelLocation(form, path, os.path.dirname(path) or ".")
    if os.path.basename(path) == MANYLANGS_ENCODER and os.path.isfile(path):
        return ModelLocation(MANYLANGS, path, os.path.dirname(path) or ".")
    prefix = path.removesuffix(_INDEX)
    if os.path.isdir(path) or not os.path.isfile(prefix + _INDEX):
        return None
    folder = os.path.dirname(prefix) or "."
    if os.path.basename(os.path.abspath(folder)) in (BEST, LATEST):
        return ModelLocation(CHECKPOINT, prefix, os.path.normpath(os.path.join(folder, os.pardir)))
    return ModelLocation(TF1, prefix, folder)


def _find_in_folder(folder: str, path: str, which: str | None) -> ModelLocation | None:
    """The model in a folder, in the first form that the folder has; None where it has none."""
    if has_checkpoint(folder):
        return ModelLocation(CHECKPOINT, checkpoint_path(folder, which), folder)
    prefix = newest_tf1_checkpoint(folder)
    if prefix is not None:
        return ModelLocation(TF1, prefix, folder)
    for form, names, pattern in (
        (SAFETENSORS, (SAFETENSORS_FILE,), "*.safetensors"),
        (HDF5, (WEIGHTS_FILE, NLPL_WEIGHTS_FILE), "*weights.hdf5"),
    ):
        found = [file for name in names if os.path.isfile(file := os.path.join(folder, name))]
        found = found or _remove_folders(sorted(glob.glob(os.path.join(glob.escape(folder), pattern))))
        if len(found) > 1:
            both = ", ".join(map(os.path.basename, found))
            raise InputError(f"{path}: it holds {len(found)} models, {both}: expected one, or its own path", path=path)
        if found:
            return ModelLocation(form, found[0], folder)
    if all(os.path.isfile(os.path.join(folder, name)) for name in (MANYLANGS_ENCODER, MANYLANGS_TOKENS)):
        return ModelLocation(MANYLANGS, os.path.join(folder, MANYLANGS_ENCODER), folder)
    return None


def _remove_folders(paths: list[str]) -> list[str]:
    return [path for path in paths if not os.path.isdir(path)]


def _describe_misnamed_folder(folder: str) -> str:
    """Names a folder that has the name of a weight file, as the end of a sentence; empty where there is none."""
    names = (SAFETENSORS_FILE, WEIGHTS_FILE, NLPL_WEIGHTS_FILE)
    found = [name for name in names if os.path.isdir(os.path.join(folder, name))]
    return f", because {found[0]} in it is a folder" if found else ""


def check_for_training(model_dir: str) -> None:
    """Checks that a new run does not begin in a folder with a model of another form.

    The checkpoints of the run would be used instead of that model wherever the folder is loaded.

    Raises:
        InputError: the folder holds a model that is not a checkpoint of `elmo-tf train`, or its name is not UTF-8.
    """
    check_utf8_name(model_dir)
    if not os.path.isdir(model_dir) or has_checkpoint(model_dir):
        return
    place = _find_in_folder(model_dir, model_dir, None)
    if place is not None and place.form == MANYLANGS:
        raise InputError(
            f"--model_dir={model_dir} holds a model of ELMoForManyLangs, which cannot be trained: give a new folder",
            path=model_dir,
            option="model_dir",
        )
    if place is not None:
        raise InputError(
            f"--model_dir={model_dir} holds a model already, {os.path.basename(place.weights)}: to go on with it, give "
            "what elmo-tf convert --format=checkpoint makes of it; to start from it, give it as --initialize_from, and "
            "a new --model_dir",
            path=model_dir,
            option="model_dir",
        )


def has_checkpoint(model_dir: str) -> bool:
    """Whether a folder has a checkpoint of `elmo-tf train`; raises errors as `checkpoint_files.has_checkpoint`."""
    return any(checkpoint_files.has_checkpoint(model_dir, name) for name in (BEST, LATEST))
