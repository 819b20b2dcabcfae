"""Opens a stored model of any form and checks it against its options; its arrays are read when they are looked up.

`elmo_tf.store.model_location` describes the forms, and how they are told apart.
"""

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass

from elmo_tf.errors import InputError
from elmo_tf.formats import hdf5, safetensors_files
from elmo_tf.formats.array_checks import check_shapes
from elmo_tf.formats.arrays import Arrays
from elmo_tf.formats.tensorflow_checkpoint import CheckpointReader
from elmo_tf.formats.zip_archive import unpack_zip
from elmo_tf.models.tf1_weight_names import is_forward_only, our_name, tf1_name
from elmo_tf.models.weight_names import SOFTMAX_PREFIX, expected_shapes
from elmo_tf.options import Options
from elmo_tf.store.checkpoint_weights import display_name, read_tf1_checkpoint, read_training_checkpoint
from elmo_tf.store.file_names import MANYLANGS_CONFIG, OPTIONS_FILE, SOFTMAX_FILE, VOCAB_FILE
from elmo_tf.store.hub import fetch_from_hub, is_hub_name
from elmo_tf.store.manylangs_config import read_config
from elmo_tf.store.manylangs_weights import open_weights
from elmo_tf.store.model_hashes import check_hashes
from elmo_tf.store.model_location import (
    CHECKPOINT,
    EXPECTED,
    HDF5,
    MANYLANGS,
    TF1,
    ModelLocation,
    find_model,
    is_zip_file,
)
from elmo_tf.store.nlpl import fetch_from_nlpl, is_nlpl_name
from elmo_tf.store.published_models import fetch, is_published
from elmo_tf.store.stored_model import StoredModel
from elmo_tf.system import input_files


@dataclass(frozen=True)
class _Parts:
    """The content of the files of a model.

    Args:
        weights: the arrays by our names.
        slots: Adagrad's accumulators by the same names.
        step: the number of training steps taken; None if it is not known.
        names: the names of the arrays in the file.
    """

    weights: Arrays
    slots: Arrays
    step: int | None
    names: list[str]


@contextlib.contextmanager
def open_model(path: str | os.PathLike[str], which: str | None = None) -> Iterator[StoredModel]:
    """Finds, checks and opens a model, whose arrays can be read until the end of the block.

    Args:
        path: a folder with a model of any form; a ZIP file of such a folder; a file of weights or a checkpoint with its
            options beside it; the name of a published model; `hf://user/model`, one on the Hugging Face Hub; or
            `nlpl:217`, one of the NLPL repository.
        which: "best" or "latest", the checkpoint of a training run; None for the best if there is one.

    Raises:
        InputError: there is no model, a file is damaged, an array is missing or has the wrong shape, or there is an
            array that the model does not have.
    """
    path = resolve_model_path(os.fspath(path))
    with contextlib.ExitStack() as stack:
        zipped = is_zip_file(path)
        place = find_model(stack.enter_context(unpack_zip(path, SOFTMAX_FILE)) if zipped else path, path, which)
        options_file = place.options_file
        if options_file is None:
            missing = MANYLANGS_CONFIG if place.form == MANYLANGS else OPTIONS_FILE
            raise InputError(f"{path}: it holds no model: {missing} is missing; {EXPECTED}", path=path)
        if place.form == MANYLANGS:
            yield stack.enter_context(_open_manylangs(place, path, options_file, zipped))
            return
        options = Options.from_file(options_file)
        check_hashes(place.folder, os.path.basename(options_file))
        parts = stack.enter_context(_open_parts(place))
        options = _complete_options(options, options_file, parts)
        stored = StoredModel(
            path=path,
            form=place.form,
            source=path if zipped else place.weights,
            options=options,
            options_file=options_file,
            weights=parts.weights,
            slots=parts.slots,
            step=parts.step,
            vocab_file=place.beside(VOCAB_FILE, VOCAB_FILE + ".gz"),
            is_zipped=zipped,
        )
        _check(stored)
        yield stored


@contextlib.contextmanager
def _open_manylangs(place: ModelLocation, path: str, config_file: str, is_zipped: bool) -> Iterator[StoredModel]:
    config = read_config(place.folder)
    with open_weights(place.folder, config.options, config.lexicon_encoder) as weights:
        yield StoredModel(
            path=path,
            form=place.form,
            source=path if is_zipped else place.weights,
            options=config.options,
            options_file=config_file,
            weights=weights,
            slots=Arrays.of(place.weights, {}),
            step=None,
            vocab_file=None,
            is_zipped=is_zipped,
            lexicon_encoder=config.lexicon_encoder,
        )


def resolve_model_path(path: str) -> str:
    """Returns the path of a model. For the name of one on the network this is its folder, downloaded if necessary."""
    if is_hub_name(path):
        return fetch_from_hub(path)
    if is_nlpl_name(path):
        return fetch_from_nlpl(path)
    return fetch(path) if is_published(path) else path


@contextlib.contextmanager
def _open_parts(place: ModelLocation) -> Iterator[_Parts]:
    if place.form in (CHECKPOINT, TF1):
        reader = CheckpointReader(place.weights, display_name)
        read = read_training_checkpoint if place.form == CHECKPOINT else read_tf1_checkpoint
        yield _Parts(*read(reader), list(reader.shapes))
        return
    with contextlib.ExitStack() as stack:
        if place.form == HDF5:
            weights = stack.enter_context(hdf5.open_hdf5(place.weights, our_name))
        else:
            weights = stack.enter_context(safetensors_files.open_safetensors(place.weights))
        softmax = place.beside(SOFTMAX_FILE)
        if softmax is not None and not any(name.startswith(SOFTMAX_PREFIX) for name in weights):
            weights = weights.with_others(read_softmax(stack.enter_context(hdf5.open_hdf5(softmax))))
        yield _Parts(weights, Arrays.of(place.weights, {}), None, list(weights))


def read_softmax(arrays: Arrays) -> Arrays:
    """Returns the arrays of a `softmax.hdf5`; an `InputError` names one that is missing or that is not of a softmax."""
    names = {SOFTMAX_PREFIX + part for part in "Wb"}
    for name in arrays:
        if name not in names:
            raise InputError(
                f"{arrays.source}: array {name} has no place in a softmax: expected softmax/W, softmax/b",
                path=arrays.source,
            )
    if SOFTMAX_PREFIX + "b" not in arrays.shapes:
        raise InputError(f"{arrays.source}: array softmax/b is missing", path=arrays.source)
    return arrays


def _complete_options(options: Options, path: str, parts: _Parts) -> Options:
    """Adds to the options what the arrays tell and the file does not: the directions, and the number of words."""
    if "bidirectional" not in input_files.read_json(path) and is_forward_only(parts.names):
        options = options.replace(bidirectional=False)
    if options.n_tokens_vocab is None:
        shapes = parts.weights.shapes
        table = shapes.get(SOFTMAX_PREFIX + "b") or (shapes.get("embedding") if options.char_cnn is None else None)
        if table and table[0] >= 4:
            options = options.replace(n_tokens_vocab=table[0])
    return options


def _check(stored: StoredModel) -> None:
    """Compares every name and shape with those that follow from the options; errors say the names of the file."""
    options, weights = stored.options, stored.weights
    wanted = expected_shapes(options, any(name.startswith(SOFTMAX_PREFIX) for name in weights))

    def spelled(name: str) -> str:
        return (
            tf1_name(name, options) if stored.form == TF1 and name not in weights.shapes else weights.name_in_file(name)
        )

    check_shapes(wanted, weights.shapes, weights.source, spelled=spelled)
    if stored.slots:
        check_shapes(wanted, stored.slots.shapes, weights.source, spelled=lambda name: f"{spelled(name)}/Adagrad")
