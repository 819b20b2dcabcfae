"""Converts a model from any form to any other.

The new files are written to a temporary folder, read back, compared with the source, and then moved to their place.
"""

import concurrent.futures
import contextlib
import functools
import json
import os
import zipfile
from dataclasses import dataclass

from elmo_tf.conversion.content import Content, content_of
from elmo_tf.conversion.keras_source import extract_from_keras
from elmo_tf.conversion.round_trip import RoundTrip
from elmo_tf.conversion.settings import (
    ConvertSettings,
    check_output,
    check_target,
    weights_name,
    zip_name,
)
from elmo_tf.conversion.targets import ALLENNLP, limits
from elmo_tf.conversion.tf1_writer import write_tf1
from elmo_tf.errors import InputError
from elmo_tf.formats import hdf5, safetensors_files
from elmo_tf.formats.arrays import Arrays
from elmo_tf.models.weight_names import SOFTMAX_PREFIX
from elmo_tf.options import Options
from elmo_tf.store.file_names import HASHES_FILE, MIX_FILE, OPTIONS_FILE, SAFETENSORS_FILE, SOFTMAX_FILE, VOCAB_FILE
from elmo_tf.store.model_hashes import write_hashes
from elmo_tf.store.model_location import CHECKPOINT, HDF5, SAFETENSORS, TF1
from elmo_tf.store.open_model import open_model
from elmo_tf.store.stored_model import StoredModel
from elmo_tf.system import atomic_files, atomic_folders, error_text
from elmo_tf.training.imported_checkpoint import write_imported

__all__ = ["ConvertSettings", "Converted", "allennlp_limits", "convert"]


@dataclass(frozen=True)
class Converted:
    """The result of a conversion.

    Args:
        source: the file that the weights were read from.
        paths: the new files.
        arrays: the number of arrays written, not counting accumulators.
        numbers: the number of weights in these arrays.
        difference: the largest difference between the vectors of the source and those of the new model.
        limits: the reasons why AllenNLP cannot load the model; empty if it can.
        notes: sentences on the parts that started from new values or were left out.
    """

    source: str
    paths: tuple[str, ...]
    arrays: int
    numbers: int
    difference: float
    limits: tuple[str, ...]
    notes: tuple[str, ...] = ()


def convert(
    model_dir: str | os.PathLike[str],
    output_dir: str | os.PathLike[str],
    which: str | None = None,
    settings: ConvertSettings | None = None,
) -> Converted:
    """Writes a model in another form, with its `options.json` and `vocab.txt`; all files or none.

    The weights are copied unchanged. The new files are read back: every array is compared, and a few sentences are
    embedded with the source and with the new model.

    A folder that already holds a model is refused, because a softmax or a vocabulary left over from the old model
    would be read as a part of the new one. There is one exception: a checkpoint may be converted to HDF5 inside the
    folder of its training run, which keeps its options and vocabulary.

    Args:
        model_dir: any model that `elmo_tf.store.open_model.open_model` takes; or a `.keras` file with one
            `ElmoLayer`, whose fine-tuned biLM is written, with the mixes that it has learned (`mix.json`).
        output_dir: the new folder, created if it is missing; for a ZIP file its name, with or without `.zip`.
        which: the checkpoint to read, "best" or "latest"; None for the best if there is one, else the latest.
        settings: the form to write, and how; None for HDF5.

    Raises:
        InputError: the model cannot be read, the target cannot load it, the new files differ from it, or the folder
            cannot be written.
    """
    settings = settings or ConvertSettings()
    model_dir, output_dir = os.fspath(model_dir), os.fspath(output_dir)
    check_output(output_dir, settings)
    with contextlib.ExitStack() as stack:
        folder_of_source = stack.enter_context(extract_from_keras(model_dir))
        stored = stack.enter_context(open_model(folder_of_source, which))
        stored.check_bilm_tf("convert it")
        check_target(stored.options, settings)
        check_place = functools.partial(check_output, output_dir, settings, stored)
        check_place()
        content = content_of(stored, settings, stack)
        check = RoundTrip(content.options, content.weights, content.vocabulary)
        target = zip_name(output_dir) if settings.zipped else output_dir
        folder = os.path.dirname(target) if settings.zipped else target
        with (
            atomic_folders.atomic_folder(folder, check_place) as temporary,
            error_text.rename_in_errors(target, _zip_path(temporary, target), temporary),
        ):
            _copy_mixes(stored, temporary)
            difference = _write_checked(temporary, target, check, content, settings)
            if not settings.zipped:
                _keep_existing_files(temporary, folder)
            names = _sorted_files(temporary)
    return Converted(
        source=model_dir if folder_of_source != model_dir else stored.source,
        paths=tuple(os.path.join(folder, name) for name in names),
        arrays=len(content.weights),
        numbers=content.weights.size,
        difference=difference,
        limits=tuple(limits(content.options, ALLENNLP)) if settings.form == HDF5 else (),
        notes=content.notes,
    )


def _copy_mixes(stored: StoredModel, folder: str) -> None:
    """Copies the mixes of layers that lie beside a model, if there are any."""
    path = os.path.join(os.path.dirname(stored.options_file), MIX_FILE)
    if os.path.isfile(path):
        atomic_files.copy(path, os.path.join(folder, MIX_FILE))


def allennlp_limits(options: Options) -> list[str]:
    """Lists the reasons why AllenNLP's `Elmo` cannot load a model; empty if it can.

    Example:

    >>> allennlp_limits(Options.from_dict({"lstm": {"dim": 8, "projection_dim": 4, "use_skip_connections": True}}))
    ['it reads word ids']
    """
    return limits(options, ALLENNLP)


def _write_checked(folder: str, target: str, check: RoundTrip, content: Content, settings: ConvertSettings) -> float:
    """Writes all files to a folder, packs them if a ZIP file is wanted, reads them back, and waits for the disk.

    Returns:
        The largest difference between the vectors of the source and those of the new model.
    """
    with concurrent.futures.ThreadPoolExecutor(1) as aside:
        writing = aside.submit(_write, folder, check.source_arrays(), content, settings)
        check.embed()
        writing.result()
        written = _pack(folder, target) if settings.zipped else folder
        syncing = aside.submit(atomic_folders.flush_folder_to_disk, folder)
        difference = _compare(written, check, content)
        syncing.result()
    return difference


def _keep_existing_files(temporary: str, folder: str) -> None:
    """Removes new options and a new vocabulary if the folder has such files already, and then also their hashes.

    These are the files of the training run whose folder is converted, or the vocabulary that the user named.
    """
    kept = [name for name in (OPTIONS_FILE, VOCAB_FILE) if os.path.exists(os.path.join(folder, name))]
    for name in (*kept, HASHES_FILE) if kept else ():
        with contextlib.suppress(FileNotFoundError):
            os.remove(os.path.join(temporary, name))


def _write(folder: str, weights: Arrays, content: Content, settings: ConvertSettings) -> None:
    """Writes the options, the vocabulary, their hashes and then the weights."""
    options = content.options.to_dict()
    if settings.form == TF1 and content.options.char_cnn is not None:
        options["char_cnn"]["n_characters"] = 261  # bilm-tf asks for it to train and to dump, and for 262 afterwards
    atomic_files.write_text(os.path.join(folder, OPTIONS_FILE), json.dumps(options, indent=1) + "\n")
    if content.vocabulary is not None and content.vocab_file is not None:
        if content.vocab_file.endswith(".gz"):
            content.vocabulary.save(os.path.join(folder, VOCAB_FILE))
        else:
            atomic_files.copy(content.vocab_file, os.path.join(folder, VOCAB_FILE))
    if not settings.zipped:  # a ZIP file has checksums of its own
        write_hashes(folder)
    if settings.form == HDF5:
        _write_hdf5(folder, weights, settings)
    elif settings.form == SAFETENSORS:
        metadata = {"options": json.dumps(options)}
        safetensors_files.write_safetensors(os.path.join(folder, SAFETENSORS_FILE), weights, metadata)
    elif settings.form == TF1:
        write_tf1(folder, weights, content.slots, content.options, content.step)
    elif settings.form == CHECKPOINT:
        write_imported(folder, weights, content.slots, content.step)


def _write_hdf5(folder: str, weights: Arrays, settings: ConvertSettings) -> None:
    softmax = {name: None for name in weights if name.startswith(SOFTMAX_PREFIX)}
    rest = weights.select({name: None for name in weights if name not in softmax})
    path = os.path.join(folder, weights_name(settings))
    hdf5.write_hdf5(path, rest)
    if softmax:
        hdf5.write_hdf5(os.path.join(folder, SOFTMAX_FILE), weights.select(softmax))


def _pack(folder: str, target: str) -> str:
    """Moves the files of a folder into one ZIP file in that folder and returns its path.

    They are not compressed: weights hardly shrink, and programs read them in any order.
    """
    names, path = _sorted_files(folder), _zip_path(folder, target)
    try:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
            for name in names:
                archive.write(os.path.join(folder, name), name)
                os.remove(os.path.join(folder, name))
    except OSError as error:
        raise InputError(f"{target} cannot be written: {error.strerror or error}", path=target) from error
    return path


def _zip_path(folder: str, target: str) -> str:
    return os.path.join(folder, os.path.basename(target))


def _compare(written: str, check: RoundTrip, content: Content) -> float:
    """Opens the new model as a user would and compares it with the source; returns the difference of the vectors."""
    with open_model(written) as again:
        if again.options.architecture() != content.options.architecture():
            raise InputError(
                f"{written}: {OPTIONS_FILE} read back differs from what was written: a bad disk?", path=written
            )
        for name in again.slots:
            if (again.slots[name] != content.slots[name]).any():
                raise InputError(f"{written}: Adagrad's array {name} read back differs: a bad disk?", path=written)
        return check.difference(again.weights, written)


def _sorted_files(folder: str) -> list[str]:
    """The paths of the files below a folder, relative to it: the weights first, options and vocabulary last."""
    found = [os.path.relpath(path, folder) for path in atomic_folders.find_files(folder)]
    small = (OPTIONS_FILE, VOCAB_FILE, HASHES_FILE)
    return sorted(name for name in found if name not in small) + [name for name in small if name in found]
