"""Where a model lies, and in which form: told by the names of files, before any weights are read.

| form | what lies there |
| --- | --- |
| checkpoint | a folder of `elmo-tf train`: `latest/` or `best/`, options.json, vocab.txt |
| tf1 | a folder of bilm-tf or simple_elmo_training: `checkpoint`, `model.ckpt-N.*`, options.json |
| safetensors | a folder with one `.safetensors` file and options.json |
| hdf5 | a folder with `weights.hdf5` or `model.hdf5` and options.json, as AllenNLP, bilm-tf and simple_elmo read it |

A folder of HDF5 or safetensors may lie in a ZIP file, as those of the NLPL repository do, and the file of weights may
be given itself, or a checkpoint as TensorFlow names it, without the ending. Where a folder has several forms, the one
that stands first counts.
"""

import glob
import os
from dataclasses import dataclass

from elmo_tf.errors import InputError
from elmo_tf.formats.tensorflow_checkpoint import tf1_prefix
from elmo_tf.store.checkpoint_files import checkpoint_path, latest_in
from elmo_tf.store.file_names import (
    BEST,
    LATEST,
    NLPL_WEIGHTS_FILE,
    OPTIONS_FILE,
    SAFETENSORS_FILE,
    SOFTMAX_FILE,
    WEIGHTS_FILE,
)
from elmo_tf.store.published_models import PUBLISHED

CHECKPOINT, TF1, SAFETENSORS, HDF5 = "checkpoint", "tf1", "safetensors", "hdf5"
FORMS = (HDF5, CHECKPOINT, TF1, SAFETENSORS)

EXPECTED = (
    f"expected a folder made by elmo-tf train, or one with {WEIGHTS_FILE} and {OPTIONS_FILE}, a TensorFlow 1 "
    "checkpoint of bilm-tf, a safetensors file, a ZIP file with HDF5 or safetensors, or the name of a published model: "
    f"{', '.join(PUBLISHED)}"
)
"""What a folder or file may be; for messages."""

_INDEX = ".index"
"""The ending of a checkpoint's table of names."""


@dataclass(frozen=True)
class Place:
    """Where a model lies.

    Args:
        form: "checkpoint", "tf1", "safetensors" or "hdf5".
        weights: the file of the weights, or the checkpoint's path without endings.
        folder: of what goes with them.
    """

    form: str
    weights: str
    folder: str

    def beside(self, *names: str) -> str | None:
        """The first of these files that lies in the folder; None where there is none."""
        paths = [os.path.join(self.folder, name) for name in names]
        return next((path for path in paths if os.path.isfile(path)), None)

    @property
    def options_file(self) -> str | None:
        """`options.json`; or, as AllenNLP's files are named, `x_options.json` beside `x_weights.hdf5`."""
        named = os.path.basename(self.weights).replace("weights.hdf5", OPTIONS_FILE)
        return self.beside(*([named] if named.endswith(OPTIONS_FILE) else []), OPTIONS_FILE)


def is_zip_file(path: str) -> bool:
    """Whether it is a file that is meant as a ZIP; a damaged one is told later.

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


def find_model(folder: str, path: str, which: str | None) -> Place:
    """The model in a folder, or of a file.

    Args:
        folder: the folder or file to look at.
        path: what to call it in an error.
        which: of the checkpoints "best" or "latest"; None for the best if there is one.

    Raises:
        InputError: there is no model, or there are several, or no checkpoint to choose.
    """
    place = _of_file(folder) or _of_folder(folder, path, which)
    if place is None:
        missing = "there is no such file or folder"
        if os.path.exists(folder):
            missing = (
                f"it holds no model{_but_folders(folder)}" if os.path.isdir(folder) else "it is no file of a model"
            )
            if path in PUBLISHED:
                missing += ", and goes before the published model of that name"
        raise InputError(f"{path}: {missing}; {EXPECTED}", path=path)
    if which is not None and (place.form != CHECKPOINT or not os.path.isdir(folder)):
        raise InputError(f"{path}: it holds no {which} checkpoint, only {os.path.basename(place.weights)}", path=path)
    return place


def _of_file(path: str) -> Place | None:
    for ending, form in ((".hdf5", HDF5), (".safetensors", SAFETENSORS)):
        if path.endswith(ending) and os.path.isfile(path):
            if os.path.basename(path) == SOFTMAX_FILE:
                raise InputError(f"{path}: it is only a softmax; expected the weights, or their folder", path=path)
            return Place(form, path, os.path.dirname(path) or ".")
    prefix = path.removesuffix(_INDEX)
    if os.path.isdir(path) or not os.path.isfile(prefix + _INDEX):
        return None
    folder = os.path.dirname(prefix) or "."
    if os.path.basename(os.path.abspath(folder)) in (BEST, LATEST):
        return Place(CHECKPOINT, prefix, os.path.normpath(os.path.join(folder, os.pardir)))
    return Place(TF1, prefix, folder)


def _of_folder(folder: str, path: str, which: str | None) -> Place | None:
    if has_checkpoint(folder):
        return Place(CHECKPOINT, checkpoint_path(folder, which), folder)
    prefix = tf1_prefix(folder)
    if prefix is not None:
        return Place(TF1, prefix, folder)
    for form, names, pattern in (
        (SAFETENSORS, (SAFETENSORS_FILE,), "*.safetensors"),
        (HDF5, (WEIGHTS_FILE, NLPL_WEIGHTS_FILE), "*weights.hdf5"),
    ):
        found = [file for name in names if os.path.isfile(file := os.path.join(folder, name))]
        found = found or _no_folders(sorted(glob.glob(os.path.join(glob.escape(folder), pattern))))
        if len(found) > 1:
            both = ", ".join(map(os.path.basename, found))
            raise InputError(f"{path}: it holds {len(found)} models, {both}: expected one, or its own path", path=path)
        if found:
            return Place(form, found[0], folder)
    return None


def _no_folders(paths: list[str]) -> list[str]:
    return [path for path in paths if not os.path.isdir(path)]


def _but_folders(folder: str) -> str:
    """Names a folder that is called as a file of weights."""
    names = (SAFETENSORS_FILE, WEIGHTS_FILE, NLPL_WEIGHTS_FILE)
    found = [name for name in names if os.path.isdir(os.path.join(folder, name))]
    return f", for {found[0]} in it is a folder" if found else ""


def check_for_training(model_dir: str) -> None:
    """Refuses a folder in which no run has begun and which holds a model of another form: the run's checkpoints would
    go before it wherever the folder is read.

    Raises:
        InputError: as said.
    """
    place = _of_folder(model_dir, model_dir, None) if os.path.isdir(model_dir) else None
    if place is not None and place.form != CHECKPOINT:
        raise InputError(
            f"--model_dir={model_dir} holds a model already, {os.path.basename(place.weights)}: to go on with it, give "
            "what elmo-tf convert --format=checkpoint makes of it; to start from it, give it as --initialize_from, and "
            "a new --model_dir",
            path=model_dir,
            option="model_dir",
        )


def has_checkpoint(model_dir: str) -> bool:
    """Whether the folder is one that `elmo-tf train` made and saved a checkpoint in; raises as `latest_in`."""
    return any(latest_in(model_dir, name) for name in (BEST, LATEST))
