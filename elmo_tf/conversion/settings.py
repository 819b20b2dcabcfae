"""The settings of a conversion, and the checks of settings, folder and model before anything is written."""

import glob
import os
from dataclasses import dataclass

from elmo_tf.conversion.targets import NAMES, READS, SIMPLE_ELMO, TARGETS, limits
from elmo_tf.errors import InputError
from elmo_tf.options import Options
from elmo_tf.store.file_names import (
    BEST,
    LATEST,
    NLPL_WEIGHTS_FILE,
    OPTIONS_FILE,
    SOFTMAX_FILE,
    VOCAB_FILE,
    WEIGHTS_FILE,
)
from elmo_tf.store.model_location import CHECKPOINT, FORMS, HDF5, SAFETENSORS
from elmo_tf.store.stored_model import StoredModel
from elmo_tf.system.input_files import check_utf8_name

_OF_A_MODEL = (
    BEST,
    LATEST,
    "checkpoint",
    "*.index",
    "*.safetensors",
    "*" + WEIGHTS_FILE,
    NLPL_WEIGHTS_FILE,
    SOFTMAX_FILE,
    "*" + OPTIONS_FILE,
    VOCAB_FILE,
    VOCAB_FILE + ".gz",
)
"""Patterns of the files and folders that are, or would be read as, parts of a model."""


@dataclass(frozen=True)
class ConvertSettings:
    """The settings of a conversion.

    Args:
        form: the form to write: "hdf5", "checkpoint", "tf1" or "safetensors".
        zipped: whether to write a ZIP file like those of the NLPL repository; only for "hdf5".
        softmax: whether to write the softmax too; for "hdf5" and "safetensors", for the other forms always contain it.
        target: the program that must be able to load the model: "allennlp", "bilm-tf" or "simple_elmo"; None for no
            check.
        vocab_file: the vocabulary, if there is none beside the model; for "checkpoint" and "tf1" it may be a new one.
        softmax_file: a `softmax.hdf5` to read in place of the model's softmax; it is written too.

    Raises:
        InputError: the form or the target is not one of these.
    """

    form: str = HDF5
    zipped: bool = False
    softmax: bool = False
    target: str | None = None
    vocab_file: str | None = None
    softmax_file: str | None = None

    def __post_init__(self) -> None:
        if self.form not in FORMS:
            raise InputError(f"form: expected {', '.join(FORMS)}, got {self.form!r}", option="form")
        if self.target not in (None, *TARGETS):
            raise InputError(f"target: expected None, {', '.join(TARGETS)}, got {self.target!r}", option="target")


def zip_name(output_dir: str) -> str:
    """Returns the name of the ZIP file, with its ending.

    >>> zip_name("models/11/"), zip_name("11.zip"), zip_name("11.zip/")
    ('models/11.zip', '11.zip', '11.zip')
    """
    return output_dir.rstrip("/").removesuffix(".zip") + ".zip"


def weights_name(settings: ConvertSettings) -> str:
    """Returns the name of the HDF5 file that the target looks for."""
    return NLPL_WEIGHTS_FILE if settings.zipped or settings.target == SIMPLE_ELMO else WEIGHTS_FILE


def check_output(output_dir: str, settings: ConvertSettings, stored: StoredModel | None = None) -> None:
    """Raises an `InputError` if no model can be written to a place, or if two settings exclude each other.

    Args:
        output_dir: the folder or ZIP file to write, as the user named it.
        settings: the settings of the conversion.
        stored: the model to convert; if it is given, the files that are in the folder already are checked too.
    """
    check_utf8_name(output_dir)
    if settings.zipped:
        if settings.form != HDF5:
            raise InputError(f"--zip: expected --format={HDF5}, got --format={settings.form}", option="zip")
        if os.path.basename(output_dir.rstrip("/")) in ("", ".", "..", ".zip"):
            raise InputError(
                f"--output_dir={output_dir}: expected the name of a ZIP file, such as model.zip, got none",
                path=output_dir,
                option="output_dir",
            )
        if os.path.isdir(zip_name(output_dir)):
            raise InputError(
                f"--output_dir={output_dir}: {zip_name(output_dir)} is a folder; expected a ZIP file",
                path=zip_name(output_dir),
                option="output_dir",
            )
        if os.path.lexists(zip_name(output_dir)):
            raise InputError(
                f"--output_dir={output_dir}: {zip_name(output_dir)} is there already: give a new name",
                path=zip_name(output_dir),
                option="output_dir",
            )
        return
    if os.path.lexists(output_dir) and not os.path.isdir(output_dir):
        what = "a file" if os.path.exists(output_dir) else "a symbolic link to nothing"
        raise InputError(
            f"--output_dir={output_dir} is {what}; expected a folder", path=output_dir, option="output_dir"
        )
    if settings.softmax and settings.form not in (HDF5, SAFETENSORS):
        raise InputError(f"--softmax: --format={settings.form} always has its softmax", option="softmax")
    if stored is not None:
        check_folder(output_dir, settings, _is_own(stored, output_dir, settings))


def check_target(options: Options, settings: ConvertSettings) -> None:
    """Raises an `InputError` if the target cannot load the form or the model."""
    target = settings.target
    if target is None:
        return
    if settings.form not in READS[target]:
        forms = " or ".join(f"--format={form}" for form in READS[target])
        raise InputError(f"--target={target}: expected {forms}, got --format={settings.form}", option="target")
    found = limits(options, target, settings.form)
    if found:
        raise InputError(
            f"--target={target}: {NAMES[target]} cannot load this model: {'; '.join(found)}", option="target"
        )


def _is_own(stored: StoredModel, output_dir: str, settings: ConvertSettings) -> bool:
    """Whether an HDF5 file is to be written to the folder of the training run that it is made from."""
    is_same = os.path.isdir(output_dir) and os.path.isdir(stored.path) and os.path.samefile(stored.path, output_dir)
    return is_same and stored.form == CHECKPOINT and settings.form == HDF5 and not settings.zipped


def check_folder(output_dir: str, settings: ConvertSettings, own: bool) -> None:
    """Raises an `InputError` if a file in a folder would be overwritten or be read as a part of the new model.

    Args:
        output_dir: the folder; it need not exist.
        settings: the settings of the conversion. Their `vocab_file` may be in the folder.
        own: whether the folder is that of the training run that is converted. It may then contain the files of the
            run, and no other vocabulary or softmax may be given.
    """
    for flag, value in (("vocab_file", settings.vocab_file), ("softmax_file", settings.softmax_file)):
        if own and value is not None:
            raise InputError(
                f"--{flag}: {output_dir} keeps its run's options and vocabulary: give a new folder",
                path=output_dir,
                option=flag,
            )
    kept = (BEST, LATEST, OPTIONS_FILE, VOCAB_FILE) if own else ()
    for pattern in _OF_A_MODEL:
        for path in sorted(glob.glob(os.path.join(glob.escape(output_dir), pattern))):
            given = settings.vocab_file is not None and os.path.exists(path) and os.path.exists(settings.vocab_file)
            if os.path.basename(path) in kept or (given and os.path.samefile(path, settings.vocab_file or path)):
                continue
            there, advice = os.path.basename(path), "remove it, or give a new folder" if own else "give a new folder"
            raise InputError(
                f"--output_dir={output_dir} holds a model already, or part of one, {there}: {advice}",
                path=output_dir,
                option="output_dir",
            )
