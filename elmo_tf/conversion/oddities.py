"""Finds weights, options and words of a model that are probably mistakes."""

import itertools
import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from elmo_tf.conversion.consumers import renamed_arrays
from elmo_tf.data.vocabulary import SPECIALS, Vocabulary
from elmo_tf.formats.arrays import NotFiniteError
from elmo_tf.store.model_location import HDF5, MANYLANGS, TF1
from elmo_tf.store.stored_model import StoredModel

_JUDGED = range(100, 1001)
"""The number of words, from the beginning of a vocabulary, by which its order is judged.

The most frequent words of a text all have different counts, so sorting by frequency leaves no alphabetical order among
them. Many rare words share a count and may be sorted alphabetically among themselves.
"""

_FALLS = 0.005
"""The largest share of neighbouring pairs in the wrong order in a list that counts as alphabetical."""


def oddities(
    stored: StoredModel, raw: dict[str, Any], vocabulary: Vocabulary | None, complaint: str | None
) -> tuple[str, ...]:
    """Returns sentences on what is odd about a model; reads every array.

    Args:
        stored: the model, open.
        raw: the content of its `options.json`.
        vocabulary: its words; None if there are none, or if they cannot be used.
        complaint: the reason why they cannot be used; None if there is none.
    """
    return (*_odd_arrays(stored), *_odd_options(stored, raw), *_odd_vocabulary(stored, vocabulary, complaint))


def _odd_arrays(stored: StoredModel) -> list[str]:
    found = []
    for arrays, what in ((stored.weights, "array"), (stored.slots, "Adagrad's accumulator")):
        for name, shape in arrays.shapes.items():
            spelled = arrays.name_in_file(name)
            try:
                array = arrays[name]
            except NotFiniteError:
                found.append(f"{what} {spelled} holds numbers that are not finite")
                continue
            if len(shape) > 1 and not array.any():
                found.append(f"{what} {spelled} is all zeros")
            elif what == "array" and np.abs(array).max(initial=0.0) > 1e3:
                found.append(f"{what} {spelled} has numbers up to {np.abs(array).max():.3g}")
    if stored.form == HDF5 and renamed_arrays(stored.weights):
        names = renamed_arrays(stored.weights)
        found.append(
            f"{len(names)} arrays have names that AllenNLP, bilm-tf and simple_elmo do not read, such as {names[0]}: "
            "elmo-tf convert writes theirs"
        )
    if stored.form == TF1 and not stored.slots:
        found.append("there are no accumulators of Adagrad, which bilm-tf needs to go on training")
    return found


def _odd_options(stored: StoredModel, raw: dict[str, Any]) -> list[str]:
    found, number = [], raw.get("char_cnn", {}).get("n_characters") if raw.get("char_cnn") else None
    name = os.path.basename(stored.options_file)
    if number == 261 and stored.form == HDF5:
        found.append(f"{name} says 261 characters; AllenNLP, bilm-tf and simple_elmo want 262 to use a model")
    if number == 262 and stored.form == TF1:
        found.append(f"{name} says 262 characters beside a table of 261; bilm-tf wants 261 to train")
    if "bidirectional" not in raw and stored.form == TF1 and stored.options.bidirectional:
        found.append(f"{name} does not say bidirectional; bilm-tf takes that for false, and would not find its arrays")
    if "n_tokens_vocab" not in raw and stored.has_softmax:
        found.append(f"{name} does not say n_tokens_vocab")
    if stored.options.lstm.n_layers == 1 and stored.form != MANYLANGS:
        found.append("it has one layer; what bilm-tf's own dump_weights makes of such a checkpoint it cannot read back")
    return found


def _odd_vocabulary(stored: StoredModel, vocabulary: Vocabulary | None, complaint: str | None) -> list[str]:
    if complaint is not None:
        return [complaint]
    if vocabulary is None:
        return ["there is no vocab.txt beside it"] if stored.has_rows_by_word else []
    found, rows = [], stored.options.n_tokens_vocab
    if rows is not None and len(vocabulary) != rows:
        found.append(f"{os.path.basename(stored.vocab_file or '')} has {len(vocabulary):,} words, the model {rows:,}")
    if _is_alphabetical([word for word in vocabulary if word not in SPECIALS]):
        found.append(
            f"{os.path.basename(stored.vocab_file or '')} is sorted alphabetically, not by frequency as the sampled "
            "softmax of training needs it"
        )
    return found


def _is_alphabetical(words: Sequence[str]) -> bool:
    first = words[: _JUDGED[-1]]
    return len(first) in _JUDGED and any(
        sum(key(a) > key(b) for a, b in itertools.pairwise(first)) <= _FALLS * len(first) for key in (str, str.casefold)
    )
