"""Opens a stored model of any form and checks it against its options; its arrays are read when they are looked up.

`elmo_tf.store.model_location` describes the forms, and how they are told apart.
"""

import contextlib
import dataclasses
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from elmo_tf.data.vocabulary import Vocabulary
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
from elmo_tf.system import input_files

WORD_INPUT = "a model with word input"
"""A phrase for `StoredModel.without_vocabulary`."""


@dataclass(frozen=True)
class StoredModel:
    """A model that was found and checked. Its arrays are read when they are looked up.

    Args:
        path: the path that `open_model` was given.
        form: "checkpoint", "tf1", "safetensors", "hdf5" or "manylangs".
        source: the path of the file of weights, or of the checkpoint without endings, or of the ZIP file.
        options: the model's options, with the number of words (`n_tokens_vocab`) if the arrays tell it.
        options_file: the path of the options, or of the `config.json` of ELMoForManyLangs.
        weights: the arrays by our names, with the softmax if there is one.
        slots: Adagrad's accumulators by the same names; empty if there are none.
        step: the number of training steps taken; None if it is not known.
        vocab_file: the path of the vocabulary beside the model; None if there is none.
        is_zipped: whether the model is in a ZIP file.
        lexicon_encoder: the arguments of the `LexiconEncoder` of a model of ELMoForManyLangs; None for other models.
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
    lexicon_encoder: Mapping[str, Any] | None = None

    @property
    def weights_name(self) -> str:
        """The name of the file of weights, without its folder."""
        return os.path.basename(self.weights.source)

    @property
    def has_softmax(self) -> bool:
        """Whether the model has a softmax, and so is a whole language model."""
        return SOFTMAX_PREFIX + "b" in self.weights.shapes

    @property
    def has_rows_by_word(self) -> bool:
        """Whether one of its arrays has a row for each word of a vocabulary: the softmax, or the word vectors."""
        return self.has_softmax or self.reads_word_ids

    @property
    def reads_word_ids(self) -> bool:
        """Whether the model reads word ids, so that it needs a vocabulary."""
        return self.options.char_cnn is None and self.lexicon_encoder is None

    def check_bilm_tf(self, purpose: str) -> None:
        """Checks that a model has the architecture of bilm-tf.

        Args:
            purpose: what the caller does with the model, as a verb and its object.

        Raises:
            InputError: the model is one of ELMoForManyLangs.
        """
        if self.lexicon_encoder is not None:
            raise InputError(
                f"{self.path}: a model of ELMoForManyLangs gives vectors alone; elmo_tf cannot {purpose}, for it has "
                "another token encoder than bilm-tf's models and no softmax",
                path=self.path,
            )

    def vocabulary(self, vocab_file: str | None = None) -> Vocabulary | None:
        """Reads the vocabulary: `vocab_file`, or else the file beside the model; None if there is neither."""
        path = vocab_file or self.vocab_file
        return None if path is None else Vocabulary.from_file(path)

    def vocabulary_of_rows(self, vocab_file: str | None = None) -> Vocabulary | None:
        """Reads the vocabulary of a model that has rows by word.

        As `vocabulary`, but a `vocab_file` must not contradict the file beside the model, which says what the rows are.

        Raises:
            InputError: the two files hold different words, or a file cannot be used.
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
        """Makes the error for a missing vocabulary.

        Args:
            whose: the kind of model that cannot be used without it, such as "a model with word input".
        """
        return InputError(
            f"{self.path}: no {VOCAB_FILE} lies beside the weights; {whose} cannot be used without it: put it beside "
            "them, or give its path as vocab_file (--vocab_file)",
            path=self.path,
        )

    def message_of(self, error: InputError) -> str:
        """Returns an error's message, in which the ZIP file's path replaces that of the folder it is unpacked into."""
        return str(error).replace(os.path.dirname(self.options_file), self.path) if self.is_zipped else str(error)

    def with_softmax(self, softmax: Arrays, options: Options, vocab_file: str | None) -> "StoredModel":
        """Returns the model with a softmax from another file, for the words of `vocab_file`, and no accumulators."""
        weights = self.weights.with_others(softmax)
        slots = Arrays.of(self.slots.source, {})
        return dataclasses.replace(self, weights=weights, slots=slots, options=options, vocab_file=vocab_file)


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
