"""Warm start: a new run begins with the weights of a trained model of any form, for fine-tuning."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import tensorflow as tf

from elmo_tf.data.vocabulary import Vocabulary
from elmo_tf.errors import InputError
from elmo_tf.options import Options
from elmo_tf.store.open_model import open_model
from elmo_tf.store.stored_model import StoredModel
from elmo_tf.store.vocabulary_transfer import TransferredModel, own_vocabulary, transfer_vocabulary


def warm_start(
    variables: Mapping[str, tf.Variable],
    options: Options,
    vocabulary: Vocabulary,
    path: str,
    seed: int = 1,
    vocab_file: str | None = None,
) -> tuple[str, ...]:
    """Copies the weights of a trained model into those of a new run. Adagrad and the step stay as they are.

    The softmax, and the table of a model with word input, have a row for each word: the rows of words in both
    vocabularies are copied, and the other words get new ones. A model without a softmax, such as a published HDF5 file,
    gets a new one. All other weights are copied as they are.

    Args:
        variables: the run's weights by name.
        options: the run's options.
        vocabulary: the run's vocabulary.
        path: the trained model, as `elmo_tf.store.open_model.open_model` takes it.
        seed: the seed of new rows.
        vocab_file: the trained model's vocabulary, where none lies beside it. Without either, the run's vocabulary is
            taken for it if it has as many words.

    Returns:
        Lines for people: where the weights are from, and which vocabulary was taken for the model's.

    Raises:
        InputError: the model cannot be read, or is of another architecture, or a vocabulary does not fit it.
    """
    with open_model(path) as stored:
        stored.check_bilm_tf("train it")
        _check_architecture(stored, options)
        own = own_vocabulary(stored, vocabulary, vocab_file)
        if vocab_file is not None and own is None:
            Vocabulary.from_file(vocab_file)  # it is not needed, but a file that cannot be read is still an error
        if own is None and options.char_cnn is None:
            raise InputError(
                f"--initialize_from={path}: the model reads word ids, and no vocabulary beside it says of which words: "
                "give --initialize_vocab_file",
                path=path,
                option="initialize_vocab_file",
            )
        whole = transfer_vocabulary(stored, vocabulary, own, seed)
        for name, variable in variables.items():
            variable.assign(whole.weights[name])
        return tuple(_describe(stored, vocabulary, own, whole, vocab_file))


def _describe(
    stored: StoredModel, vocabulary: Vocabulary, own: Vocabulary | None, whole: TransferredModel, vocab_file: str | None
) -> Iterator[str]:
    kept = "a new softmax"
    if stored.has_softmax:
        kept = f"rows of {whole.copied:,} of {len(vocabulary):,} words"
        if own is None:
            kept += (
                ": no vocabulary lies beside the model; give it as --initialize_vocab_file to keep those of its words"
            )
    yield f"initialized from {stored.source}, with {kept}"
    if vocab_file is not None and not stored.has_rows_by_word:
        yield "note: the model has no softmax, and so --initialize_vocab_file was not needed"
    elif vocab_file is None and stored.vocab_file is None and own is not None:
        yield (
            "note: --vocab_file was taken for the model's own vocabulary, for none lies beside it and the count of "
            f"words, {len(own):,}, is the same; if its own is another, give it as --initialize_vocab_file"
        )


def _check_architecture(stored: StoredModel, options: Options) -> None:
    """Raises an `InputError` that names every option in which the two models differ, and what the file must contain."""
    theirs, ours = (_json(part.architecture()) for part in (stored.options, options))
    wanted = _differing(theirs, ours)
    if not wanted:
        return
    found = "; ".join(
        f"{name} is {json.dumps(left)} in the model and {json.dumps(right)} in --options_file"
        for name, left, right in _differences(wanted, ours)
    )
    raise InputError(
        f"--initialize_from={stored.path}: {found}: --options_file must contain {json.dumps(wanted)[1:-1]}",
        path=stored.path,
        option="options_file",
    )


def _json(architecture: dict[str, Any]) -> dict[str, Any]:
    """The architecture without the number of words, and with the default of options that it leaves out."""
    architecture.pop("n_tokens_vocab", None)
    return {"char_cnn": None, "share_embedding_softmax": False, **architecture}


def _differing(theirs: dict[str, Any], ours: dict[str, Any]) -> dict[str, Any]:
    """The options of the first architecture that have another value in the second."""
    found = {}
    for name, value in theirs.items():
        other = ours[name]
        if isinstance(value, dict) and isinstance(other, dict):
            value, other = _differing(value, other), {}
        if value != other:
            found[name] = value
    return found


def _differences(wanted: dict[str, Any], ours: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Yields the name, such as `lstm.dim`, and both values of each option that differs."""
    for name, value in wanted.items():
        if isinstance(value, dict) and isinstance(ours[name], dict):
            yield from _differences(value, ours[name], f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value, ours[name]
