"""Transfers a stored model to another vocabulary: rows of the softmax and of word vectors are copied by word."""

import math
from dataclasses import dataclass

import numpy as np

from elmo_tf.data.vocabulary import Vocabulary
from elmo_tf.errors import InputError
from elmo_tf.formats.arrays import Arrays
from elmo_tf.models.weight_names import SOFTMAX_PREFIX, expected_shapes
from elmo_tf.options import Options
from elmo_tf.store.file_names import OPTIONS_FILE
from elmo_tf.store.stored_model import StoredModel

ROW_TABLES = ("embedding", SOFTMAX_PREFIX + "W", SOFTMAX_PREFIX + "b")
"""The arrays that have one row per word."""


@dataclass(frozen=True)
class TransferredModel:
    """A language model for another vocabulary, with its softmax.

    Args:
        options: the stored model's options, with the number of words of the vocabulary.
        weights: all arrays, those of the softmax among them.
        slots: Adagrad's accumulators; 1, their first value in bilm-tf, where the stored model has none.
        copied: number of words whose rows were copied.
        notes: sentences for the user on what was not copied.
    """

    options: Options
    weights: Arrays
    slots: Arrays
    copied: int
    notes: tuple[str, ...]


def transfer_vocabulary(
    stored: StoredModel, vocabulary: Vocabulary, own: Vocabulary | None, seed: int = 1
) -> TransferredModel:
    """Transfers a model to a vocabulary.

    The rows of words in both vocabularies are copied. The rows of other words are initialized as in a new model: the
    softmax weights normally with the standard deviation `1 / sqrt(projection_dim)`, the softmax biases with 0.

    Args:
        stored: the model.
        vocabulary: the words that the model will predict.
        own: the stored model's words; None where they are not known: then no row of a word can be copied.
        seed: seed of new rows.

    Raises:
        InputError: the model reads word ids, and `own` is None.
    """
    options = stored.options.replace(n_tokens_vocab=len(vocabulary))
    wanted, notes = expected_shapes(options, softmax=True), []
    if options.char_cnn is None and own is None:
        raise InputError(
            f"{stored.path}: the model reads word ids, and no vocabulary beside it says which they are",
            path=stored.path,
        )
    same = own is not None and own.words == vocabulary.words
    rows = None if same else _RowMapping(vocabulary, own)
    weights = _transfer_arrays(stored.weights, wanted, rows, options, seed)
    if not stored.has_softmax:
        notes.append("it has no softmax: the softmax starts anew")
    elif rows is not None:
        rest = "; the others start anew" if rows.copied < len(vocabulary) else ""
        notes.append(f"its softmax keeps {rows.copied:,} of {len(vocabulary):,} words{rest}")
    if not stored.slots:
        notes.append(_note_of_new_optimizer(stored.options.training.optimizer))
    slots = _transfer_arrays(stored.slots, wanted, rows, None, seed)
    return TransferredModel(options, weights, slots, len(vocabulary) if rows is None else rows.copied, tuple(notes))


def _note_of_new_optimizer(optimizer: str) -> str:
    """The sentence on a model without accumulators of Adagrad, the only ones that are read, by what trained it."""
    if optimizer == "adagrad":
        return "it has no Adagrad accumulators: they start anew, at 1"
    return f"the moments of {optimizer} are not taken over: the optimizer starts anew, Adagrad's accumulators at 1"


class _RowMapping:
    """The rows that are copied from the old tables, and their places in the new tables."""

    def __init__(self, new: Vocabulary, old: Vocabulary | None) -> None:
        pairs = [] if old is None else [(n, old.ids[word]) for n, word in enumerate(new.words) if word in old.ids]
        table = np.array(pairs, np.int64).reshape(-1, 2)
        self.targets, self.sources, self.copied = table[:, 0], table[:, 1], len(pairs)

    def copy_rows(self, old: np.ndarray, new: np.ndarray) -> np.ndarray:
        """Copies rows of `old` into `new`; returns `new`."""
        new[self.targets] = old[self.sources]
        return new


def _transfer_arrays(
    found: Arrays, wanted: dict[str, tuple[int, ...]], rows: _RowMapping | None, options: Options | None, seed: int
) -> Arrays:
    """The arrays of the new model, each made when it is looked up.

    Without `options` they are Adagrad's accumulators, which start at 1; without `rows` the vocabularies are the same.
    """

    def read(name: str) -> np.ndarray:
        old = found[name] if name in found.shapes else None
        if old is not None and (rows is None or name not in ROW_TABLES):
            return old
        fresh = (
            np.ones(wanted[name], np.float32) if options is None else _initial_values(name, wanted[name], options, seed)
        )
        return fresh if old is None or rows is None else rows.copy_rows(old, fresh)

    return Arrays(found.source, wanted, read)


def _initial_values(name: str, shape: tuple[int, ...], options: Options, seed: int) -> np.ndarray:
    """The initial values of a table with one row per word, as in a new model (bilm-tf's `training.py`)."""
    random = np.random.default_rng([seed, ROW_TABLES.index(name)])
    if name == SOFTMAX_PREFIX + "b":
        return np.zeros(shape, np.float32)
    table = random.standard_normal(shape, np.float32)
    if name == SOFTMAX_PREFIX + "W":
        table *= 1.0 / math.sqrt(options.lstm.projection_dim)
    else:
        table *= math.sqrt(2.0 / sum(shape))  # the standard deviation of Glorot's initialization
    return table


def own_vocabulary(stored: StoredModel, fallback: Vocabulary, vocab_file: str | None = None) -> Vocabulary | None:
    """The vocabulary of a stored model, which says the word of each row.

    Args:
        stored: the model.
        fallback: the vocabulary to assume where no file has one, if its number of words is the model's number of rows.
        vocab_file: the model's vocabulary file; None for the one beside the model.

    Returns:
        The vocabulary; None where it is not known, or where the model has no rows by word.

    Raises:
        InputError: the file cannot be read, or its number of words is not the model's number of rows.
    """
    if not stored.has_rows_by_word:
        return None
    own, rows = stored.vocabulary(vocab_file), stored.options.n_tokens_vocab
    if own is None:
        return fallback if len(fallback) == rows else None
    if rows is not None and len(own) != rows:
        if vocab_file is not None:
            raise InputError(
                f"--initialize_vocab_file={vocab_file}: expected {rows} words, those of {stored.path}, got {len(own)}",
                path=vocab_file,
                option="initialize_vocab_file",
            )
        raise InputError(
            f"{stored.vocab_file}: expected {rows} words by {OPTIONS_FILE}, got {len(own)}", path=stored.vocab_file
        )
    return own
