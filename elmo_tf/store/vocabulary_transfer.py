"""A stored model brought to a vocabulary: its softmax (and word vectors) by word, new rows where there are none."""

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
"""The arrays with one row a word."""


@dataclass(frozen=True)
class TransferredModel:
    """A whole language model for a vocabulary.

    Args:
        options: the stored model's, with the number of words.
        weights: all arrays, the softmax among them.
        slots: Adagrad's accumulators; 1, where bilm-tf starts them, for what the stored model had none of.
        copied: words whose rows were taken over.
        notes: sentences for people on what was not.
    """

    options: Options
    weights: Arrays
    slots: Arrays
    copied: int
    notes: tuple[str, ...]


def transfer_vocabulary(
    stored: StoredModel, vocabulary: Vocabulary, own: Vocabulary | None, seed: int = 1
) -> TransferredModel:
    """Brings a model to a vocabulary.

    Rows of words in both vocabularies are copied by word. The others start as in a new model: the softmax's normal with
    deviation `1 / sqrt(projection_dim)`, its biases 0.

    Args:
        stored: the model.
        vocabulary: the words that it shall predict.
        own: its own words; None where they are not known, and then a table with a row a word cannot be used.
        seed: of new rows.

    Raises:
        InputError: the model reads word ids, and its own words are not known.
    """
    options = stored.options.replace(n_tokens_vocab=len(vocabulary))
    wanted, notes = expected_shapes(options, softmax=True), []
    if options.char_cnn is None and own is None:
        raise InputError(
            f"{stored.path}: the model reads word ids, and no vocabulary beside it says which they are",
            path=stored.path,
        )
    same = own is not None and own.words == vocabulary.words
    rows = None if same else _Rows(vocabulary, own)
    weights = _tables(stored.weights, wanted, rows, options, seed)
    if not stored.has_softmax:
        notes.append("it has no softmax: that starts anew")
    elif rows is not None:
        rest = "; the others start anew" if rows.copied < len(vocabulary) else ""
        notes.append(f"its softmax keeps {rows.copied:,} of {len(vocabulary):,} words{rest}")
    if not stored.slots:
        notes.append("it has no Adagrad accumulators: they start anew, at 1")
    slots = _tables(stored.slots, wanted, rows, None, seed)
    return TransferredModel(options, weights, slots, len(vocabulary) if rows is None else rows.copied, tuple(notes))


class _Rows:
    """Which row of the old tables goes where in the new."""

    def __init__(self, new: Vocabulary, old: Vocabulary | None) -> None:
        pairs = [] if old is None else [(n, old.ids[word]) for n, word in enumerate(new.words) if word in old.ids]
        table = np.array(pairs, np.int64).reshape(-1, 2)
        self.to, self.origin, self.copied = table[:, 0], table[:, 1], len(pairs)

    def moved(self, old: np.ndarray, new: np.ndarray) -> np.ndarray:
        """`new` with the rows of `old` put in."""
        new[self.to] = old[self.origin]
        return new


def _tables(
    found: Arrays, wanted: dict[str, tuple[int, ...]], rows: _Rows | None, options: Options | None, seed: int
) -> Arrays:
    """The arrays by the wanted names; without `options` they are accumulators, which start at 1."""

    def read(name: str) -> np.ndarray:
        old = found[name] if name in found.shapes else None
        if old is not None and (rows is None or name not in ROW_TABLES):
            return old
        fresh = np.ones(wanted[name], np.float32) if options is None else _initial(name, wanted[name], options, seed)
        return fresh if old is None or rows is None else rows.moved(old, fresh)

    return Arrays(found.source, wanted, read)


def _initial(name: str, shape: tuple[int, ...], options: Options, seed: int) -> np.ndarray:
    """What a row table of a new model holds (bilm-tf's `training.py`)."""
    random = np.random.default_rng([seed, ROW_TABLES.index(name)])
    if name == SOFTMAX_PREFIX + "b":
        return np.zeros(shape, np.float32)
    table = random.standard_normal(shape, np.float32)
    if name == SOFTMAX_PREFIX + "W":
        table *= 1.0 / math.sqrt(options.lstm.projection_dim)
    else:
        table *= math.sqrt(2.0 / sum(shape))  # of the variance of Glorot's
    return table


def own_vocabulary(stored: StoredModel, given: Vocabulary, vocab_file: str | None = None) -> Vocabulary | None:
    """A model's own words, by which its rows are told apart.

    Args:
        stored: the model.
        given: the words to take for its own where nothing says which they are, and there are as many as rows.
        vocab_file: what says so, before what lies beside it.

    Returns:
        The words; None where they are not known, or make no difference.

    Raises:
        InputError: the file cannot be used, or has not as many words as the model has rows.
    """
    if not stored.has_rows_by_word:
        return None
    own, rows = stored.vocabulary(vocab_file), stored.options.n_tokens_vocab
    if own is None:
        return given if len(given) == rows else None
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
