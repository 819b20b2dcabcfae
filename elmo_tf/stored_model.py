"""A model wherever it lies and in whatever form: one place that tells the forms apart, opens them and checks them.

| form | what lies there |
| --- | --- |
| checkpoint | a folder of `elmo-tf train`: `latest/` or `best/`, options.json, vocab.txt |
| tf1 | a folder of bilm-tf or simple_elmo_training: `checkpoint`, `model.ckpt-N.*`, options.json |
| safetensors | a folder with one `.safetensors` file and options.json |
| hdf5 | a folder with `weights.hdf5` or `model.hdf5` and options.json, as AllenNLP, bilm-tf and simple_elmo read it |

A folder of HDF5 or safetensors may lie in a ZIP file, as those of the NLPL repository do, and the file of weights may
be given itself. Where a folder has several forms, the one that stands first counts.
"""

import contextlib
import dataclasses
import glob
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from elmo_tf import files
from elmo_tf.bilm import BiLM
from elmo_tf.checkpoint import BEST, LATEST, checkpoint_path, latest_in
from elmo_tf.data.vocabulary import Vocabulary
from elmo_tf.errors import InputError
from elmo_tf.exchange import hdf5, safetensors_files
from elmo_tf.exchange.archives import SOFTMAX_FILE, unpacked
from elmo_tf.exchange.arrays import Arrays
from elmo_tf.exchange.names import SOFTMAX_PREFIX, check_shapes, expected_shapes, named_variables
from elmo_tf.exchange.tensorflow_files import CheckpointReader, own_parts, tf1_parts, tf1_prefix
from elmo_tf.exchange.tf1_names import is_forward_only, tf1_name
from elmo_tf.language_model import LanguageModel
from elmo_tf.layers.initial_values import given
from elmo_tf.options import Options
from elmo_tf.preparation import OPTIONS_FILE, VOCAB_FILE
from elmo_tf.published import fetch, is_published

WEIGHTS_FILE, NLPL_WEIGHTS_FILE, SAFETENSORS_FILE = "weights.hdf5", "model.hdf5", "model.safetensors"
CHECKPOINT, TF1, SAFETENSORS, HDF5 = "checkpoint", "tf1", "safetensors", "hdf5"
FORMS = (HDF5, CHECKPOINT, TF1, SAFETENSORS)

_EXPECTED = (
    f"expected a folder made by elmo-tf train, or one with {WEIGHTS_FILE} and {OPTIONS_FILE}, a TensorFlow 1 "
    "checkpoint of bilm-tf, a safetensors file, or a ZIP file with HDF5 or safetensors"
)


@dataclass(frozen=True)
class StoredModel:
    """A model that has been found and checked, and whose arrays are read when they are asked for.

    Args:
        path: what was given.
        form: "checkpoint", "tf1", "safetensors" or "hdf5".
        source: the file of the weights, or the checkpoint's path without endings; of a ZIP, its path.
        options: the model's; `n_tokens_vocab` filled in where the arrays tell it.
        options_file: where they were read.
        weights: the arrays by our names, with the softmax where there is one.
        slots: Adagrad's accumulators by the same names; empty where there are none.
        step: training steps taken; None where it is not known.
        vocab_file: the vocabulary beside the model; None where there is none.
    """

    path: str
    form: str
    source: str
    options: Options
    options_file: str
    weights: Arrays
    slots: Arrays
    step: int | None
    vocab_file: str | None

    @property
    def weights_name(self) -> str:
        """The name of the file of weights, without its folder."""
        return os.path.basename(self.weights.source)

    @property
    def is_zipped(self) -> bool:
        """Whether it lies in a ZIP file."""
        return self.source == self.path and not self.path.endswith((".hdf5", ".safetensors"))

    @property
    def has_softmax(self) -> bool:
        """Whether it is a whole language model."""
        return SOFTMAX_PREFIX + "b" in self.weights.shapes

    def vocabulary(self, vocab_file: str | None = None) -> Vocabulary | None:
        """Its words: those of `vocab_file`, or of the file beside the model; None where there is neither."""
        path = vocab_file or self.vocab_file
        return None if path is None else Vocabulary.from_file(path)

    def with_softmax(self, softmax: Arrays, options: Options, vocab_file: str | None) -> "StoredModel":
        """The model with a softmax from elsewhere, for the words of `vocab_file`; without accumulators."""
        weights = self.weights.with_others(softmax)
        slots = Arrays.of(self.slots.source, {})
        return dataclasses.replace(self, weights=weights, slots=slots, options=options, vocab_file=vocab_file)


@dataclass(frozen=True)
class _Place:
    """Where a model lies: the form, the weights and the folder of what goes with them."""

    form: str
    weights: str
    folder: str


@dataclass(frozen=True)
class _Parts:
    """What a reader finds; `names` are those that the file itself uses."""

    weights: Arrays
    slots: Arrays
    step: int | None
    names: list[str]


@contextlib.contextmanager
def open_model(path: str, which: str | None = None) -> Iterator[StoredModel]:
    """Finds, checks and opens a model; what it gave cannot be read any more after the block.

    Args:
        path: a folder of one of the forms, a ZIP file of it, or the file of weights itself, its options beside it.
        which: of the checkpoints "best" or "latest"; None for the best if there is one.

    Raises:
        InputError: there is no model, something in it is damaged, or an array is missing, misshapen or too many.
    """
    path = resolved(path)
    with contextlib.ExitStack() as stack:
        is_zip = os.path.isfile(path) and not path.endswith((".hdf5", ".safetensors")) and _starts_as_zip(path)
        place = _find(stack.enter_context(unpacked(path)) if is_zip else path, path, which)
        options_file = _options_file(place)
        if options_file is None:
            raise InputError(f"{path}: it holds no model: {OPTIONS_FILE} is missing; {_EXPECTED}")
        options = Options.from_file(options_file)
        parts = stack.enter_context(_opened(place))
        options = _completed(options, options_file, parts)
        stored = StoredModel(
            path=path,
            form=place.form,
            source=path if is_zip else place.weights,
            options=options,
            options_file=options_file,
            weights=parts.weights,
            slots=parts.slots,
            step=parts.step,
            vocab_file=_beside(place.folder, VOCAB_FILE, VOCAB_FILE + ".gz"),
        )
        _check(stored)
        yield stored


def resolved(path: str) -> str:
    """The path of what was given as a model: for the name of a published one that of its folder, fetched if need be."""
    return fetch(path) if is_published(path) else path


def has_checkpoint(model_dir: str) -> bool:
    """Whether the folder is one that `elmo-tf train` made and saved a checkpoint in; raises as `latest_in`."""
    return any(latest_in(model_dir, name) for name in (BEST, LATEST))


def filled(model: BiLM | LanguageModel, arrays: Arrays) -> None:
    """Builds a model with weights from a file, each of which is read once.

    Tables and kernels are given to the layers as they are made; biases, and whatever came elsewhere than it belongs,
    are assigned.
    """
    options = model.options
    names = expected_shapes(options, softmax=isinstance(model, LanguageModel))
    corners: dict[str, np.ndarray] = {}

    def values() -> Iterator[Any]:
        for name, shape in names.items():
            if len(shape) > 1:
                value = arrays.raw(name)
                corners[name] = _corner(value)
                yield value
                del value  # before the next is read

    with given(values()):
        model.build()
    for name, variable in named_variables(model).items():
        if name not in corners or not np.array_equal(_corner(variable), corners[name]):
            variable.assign(arrays[name])


def _corner(values: Any) -> np.ndarray:
    """A few numbers of an array that tell it from others."""
    if len(values.shape) == 4:
        values = values[0, 0]
    return np.array(values[:8, :8])


def _starts_as_zip(path: str) -> bool:
    """Whether a file is meant as a ZIP; a damaged one is told later."""
    try:
        with open(path, "rb") as file:
            return path.endswith(".zip") or file.read(2) == b"PK"
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error


def _find(folder: str, path: str, which: str | None) -> _Place:
    """The model in a folder, or of a file; `path` is what to call it."""
    place = _of_file(folder) or _of_folder(folder, path, which)
    if place is None:
        missing = "there is no such file or folder"
        if os.path.exists(folder):
            missing = "it holds no model" if os.path.isdir(folder) else "it is no file of a model"
        raise InputError(f"{path}: {missing}; {_EXPECTED}")
    if which is not None and place.form != CHECKPOINT:
        raise InputError(f"{path}: it holds no {which} checkpoint, only {os.path.basename(place.weights)}")
    return place


def _of_file(path: str) -> _Place | None:
    for ending, form in ((".hdf5", HDF5), (".safetensors", SAFETENSORS)):
        if path.endswith(ending) and os.path.isfile(path):
            if os.path.basename(path) == SOFTMAX_FILE:
                raise InputError(f"{path}: it is only a softmax; expected the weights, or their folder")
            return _Place(form, path, os.path.dirname(path) or ".")
    return None


def _of_folder(folder: str, path: str, which: str | None) -> _Place | None:
    if has_checkpoint(folder):
        return _Place(CHECKPOINT, checkpoint_path(folder, which), folder)
    prefix = tf1_prefix(folder)
    if prefix is not None:
        return _Place(TF1, prefix, folder)
    for form, names, pattern in (
        (SAFETENSORS, (SAFETENSORS_FILE,), "*.safetensors"),
        (HDF5, (WEIGHTS_FILE, NLPL_WEIGHTS_FILE), "*weights.hdf5"),
    ):
        found = [file for name in names if os.path.isfile(file := os.path.join(folder, name))]
        found = found or sorted(glob.glob(os.path.join(glob.escape(folder), pattern)))
        if len(found) > 1:
            both = ", ".join(map(os.path.basename, found))
            raise InputError(f"{path}: it holds {len(found)} models, {both}: expected one, or its own path")
        if found:
            return _Place(form, found[0], folder)
    return None


def _options_file(place: _Place) -> str | None:
    """`options.json`; or, as AllenNLP's files are named, `x_options.json` beside `x_weights.hdf5`."""
    named = os.path.basename(place.weights).replace("weights.hdf5", OPTIONS_FILE)
    return _beside(place.folder, *([named] if named.endswith(OPTIONS_FILE) else []), OPTIONS_FILE)


def _beside(folder: str, *names: str) -> str | None:
    paths = [os.path.join(folder, name) for name in names]
    return next((path for path in paths if os.path.isfile(path)), None)


@contextlib.contextmanager
def _opened(place: _Place) -> Iterator[_Parts]:
    if place.form in (CHECKPOINT, TF1):
        reader = CheckpointReader(place.weights)
        weights, slots, step = (own_parts if place.form == CHECKPOINT else tf1_parts)(reader)
        yield _Parts(weights, slots, step, list(reader.shapes))
        return
    with contextlib.ExitStack() as stack:
        open_file = hdf5.opened if place.form == HDF5 else safetensors_files.opened
        weights = stack.enter_context(open_file(place.weights))
        softmax = _beside(place.folder, SOFTMAX_FILE)
        if softmax is not None and not any(name.startswith(SOFTMAX_PREFIX) for name in weights):
            weights = weights.with_others(read_softmax(stack.enter_context(hdf5.opened(softmax))))
        yield _Parts(weights, Arrays.of(place.weights, {}), None, list(weights))


def read_softmax(arrays: Arrays) -> Arrays:
    """The arrays of a `softmax.hdf5`; raises an `InputError` that names one that is missing or too many."""
    names = {SOFTMAX_PREFIX + part for part in "Wb"}
    for name in arrays:
        if name not in names:
            raise InputError(f"{arrays.source}: array {name} has no place in a softmax: expected softmax/W, softmax/b")
    if SOFTMAX_PREFIX + "b" not in arrays.shapes:
        raise InputError(f"{arrays.source}: array softmax/b is missing")
    return arrays


def _completed(options: Options, path: str, parts: _Parts) -> Options:
    """The options, and what a file leaves out and the arrays tell: the directions, and the number of words."""
    if "bidirectional" not in files.read_json(path) and is_forward_only(parts.names):
        options = options.replace(bidirectional=False)
    if options.n_tokens_vocab is None:
        shapes = parts.weights.shapes
        table = shapes.get(SOFTMAX_PREFIX + "b") or (shapes.get("embedding") if options.char_cnn is None else None)
        if table and table[0] >= 4:
            options = options.replace(n_tokens_vocab=table[0])
    return options


def _check(stored: StoredModel) -> None:
    """Compares every name and shape with what the options ask for; errors say the names that the file uses."""
    options, weights = stored.options, stored.weights
    wanted = expected_shapes(options, any(name.startswith(SOFTMAX_PREFIX) for name in weights))

    def spelled(name: str) -> str:
        return tf1_name(name, options) if stored.form == TF1 and name not in weights.shapes else weights.spelled(name)

    check_shapes(wanted, weights.shapes, weights.source, spelled=spelled)
    if stored.slots:
        check_shapes(wanted, stored.slots.shapes, weights.source, spelled=lambda name: f"{spelled(name)}/Adagrad")
