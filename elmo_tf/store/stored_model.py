"""A stored model, whatever its form: opened, checked against its options, its arrays read when they are asked for.

Which forms there are, and how they are told apart, is said in `elmo_tf.store.model_location`.
"""

import contextlib
import dataclasses
import os
from collections.abc import Iterator
from dataclasses import dataclass

from elmo_tf.data.vocabulary import Vocabulary
from elmo_tf.errors import InputError
from elmo_tf.formats import hdf5, safetensors_files
from elmo_tf.formats.arrays import Arrays
from elmo_tf.formats.tensorflow_checkpoint import CheckpointReader
from elmo_tf.formats.zip_archive import unpack_zip
from elmo_tf.models.tf1_weight_names import is_forward_only, our_name, tf1_name
from elmo_tf.models.weight_names import SOFTMAX_PREFIX, check_shapes, expected_shapes
from elmo_tf.options import Options
from elmo_tf.store.checkpoint_weights import display_name, read_tf1_checkpoint, read_training_checkpoint
from elmo_tf.store.file_names import OPTIONS_FILE, SOFTMAX_FILE, VOCAB_FILE
from elmo_tf.store.model_hashes import check_hashes
from elmo_tf.store.model_location import CHECKPOINT, EXPECTED, HDF5, TF1, ModelLocation, find_model, is_zip_file
from elmo_tf.store.published_models import fetch, is_published
from elmo_tf.system import input_files

WORD_INPUT = "a model with word input"
"""Whose words `StoredModel.without_vocabulary` misses."""


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
        is_zipped: whether it lies in a ZIP file.
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
    is_zipped: bool = False

    @property
    def weights_name(self) -> str:
        """The name of the file of weights, without its folder."""
        return os.path.basename(self.weights.source)

    @property
    def has_softmax(self) -> bool:
        """Whether it is a whole language model."""
        return SOFTMAX_PREFIX + "b" in self.weights.shapes

    @property
    def has_rows_by_word(self) -> bool:
        """Whether it has a table with a row a word; else it makes no difference what its words are."""
        return self.has_softmax or self.options.char_cnn is None

    def vocabulary(self, vocab_file: str | None = None) -> Vocabulary | None:
        """Its words: those of `vocab_file`, or of the file beside the model; None where there is neither."""
        path = vocab_file or self.vocab_file
        return None if path is None else Vocabulary.from_file(path)

    def vocabulary_of_rows(self, vocab_file: str | None = None) -> Vocabulary | None:
        """As `vocabulary`, where rows of the model go by its words: `vocab_file` cannot name others than lie beside it.

        Raises:
            InputError: it does, or a file cannot be used.
        """
        found = self.vocabulary(vocab_file)
        if found is not None and vocab_file is not None and self.vocab_file is not None:
            own = self.vocabulary()
            if own is not None and own.words != found.words:
                raise InputError(
                    f"{vocab_file} differs from {self.vocab_file}, which says what the model's rows are: leave "
                    "--vocab_file out, or bring the model to these words by elmo-tf convert --format=checkpoint",
                    path=vocab_file,
                )
        return found

    def without_vocabulary(self, whose: str) -> InputError:
        """The error where `vocabulary` is None and cannot be done without, by "a model with word input", for one."""
        return InputError(
            f"{self.path}: no {VOCAB_FILE} lies beside the weights; {whose} cannot be used without it: put it beside "
            "them, or give its path as vocab_file (--vocab_file)",
            path=self.path,
        )

    def message_of(self, error: InputError) -> str:
        """An error's sentence, with the path of a ZIP file in place of the temporary folder where it is unpacked."""
        return str(error).replace(os.path.dirname(self.options_file), self.path) if self.is_zipped else str(error)

    def with_softmax(self, softmax: Arrays, options: Options, vocab_file: str | None) -> "StoredModel":
        """The model with a softmax from elsewhere, for the words of `vocab_file`; without accumulators."""
        weights = self.weights.with_others(softmax)
        slots = Arrays.of(self.slots.source, {})
        return dataclasses.replace(self, weights=weights, slots=slots, options=options, vocab_file=vocab_file)


@dataclass(frozen=True)
class _Parts:
    """What a reader finds; `names` are those that the file itself uses."""

    weights: Arrays
    slots: Arrays
    step: int | None
    names: list[str]


@contextlib.contextmanager
def open_model(path: str | os.PathLike[str], which: str | None = None) -> Iterator[StoredModel]:
    """Finds, checks and opens a model; what it gave cannot be read any more after the block.

    Args:
        path: a folder of one of the forms, a ZIP file of it, or the file of weights or the checkpoint itself, its
            options beside it.
        which: of the checkpoints "best" or "latest"; None for the best if there is one.

    Raises:
        InputError: there is no model, something in it is damaged, or an array is missing, misshapen or too many.
    """
    path = resolve_model_path(os.fspath(path))
    with contextlib.ExitStack() as stack:
        zipped = is_zip_file(path)
        place = find_model(stack.enter_context(unpack_zip(path, SOFTMAX_FILE)) if zipped else path, path, which)
        options_file = place.options_file
        if options_file is None:
            raise InputError(f"{path}: it holds no model: {OPTIONS_FILE} is missing; {EXPECTED}", path=path)
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


def resolve_model_path(path: str) -> str:
    """The path of what was given as a model: for the name of a published one that of its folder, fetched if need be."""
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
    """The arrays of a `softmax.hdf5`; raises an `InputError` that names one that is missing or too many."""
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
    """The options, and what a file leaves out and the arrays tell: the directions, and the number of words."""
    if "bidirectional" not in input_files.read_json(path) and is_forward_only(parts.names):
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
        return (
            tf1_name(name, options) if stored.form == TF1 and name not in weights.shapes else weights.name_in_file(name)
        )

    check_shapes(wanted, weights.shapes, weights.source, spelled=spelled)
    if stored.slots:
        check_shapes(wanted, stored.slots.shapes, weights.source, spelled=lambda name: f"{spelled(name)}/Adagrad")
