"""Describes a stored model: the facts about it, which programs can load it, and what is odd about it."""

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from elmo_tf.conversion.consumers import verdict
from elmo_tf.conversion.oddities import oddities
from elmo_tf.conversion.targets import NAMES, TARGETS
from elmo_tf.data.vocabulary import Vocabulary
from elmo_tf.errors import InputError
from elmo_tf.models.weight_names import SOFTMAX_PREFIX
from elmo_tf.options import Options
from elmo_tf.store.file_names import OPTIONS_FILE
from elmo_tf.store.model_location import CHECKPOINT, HDF5, MANYLANGS, SAFETENSORS, TF1
from elmo_tf.store.open_model import open_model
from elmo_tf.store.published_files import PUBLISHED
from elmo_tf.store.stored_model import StoredModel
from elmo_tf.system import input_files

KNOWN = {
    file.sha256: f"AllenNLP's {name} model, {os.path.basename(file.path)}"
    for name, of_model in PUBLISHED.items()
    for file in of_model
    if file.sha256
}
"""The names of the published files, by the SHA-256 of the file."""

_FORMS = {
    CHECKPOINT: "checkpoint of elmo-tf train",
    TF1: "TensorFlow 1 checkpoint of bilm-tf",
    SAFETENSORS: "safetensors",
    HDF5: "HDF5 of bilm-tf and AllenNLP",
    MANYLANGS: "folder of ELMoForManyLangs",
}


@dataclass(frozen=True)
class Inspection:
    """The description of a model.

    Args:
        facts: names and values, in the order in which they are shown.
        arrays: the names and shapes of the arrays in the file.
        consumers: for each program, whether it can load the files as they are, or why not.
        oddities: sentences on what is odd; empty if nothing is.
    """

    facts: dict[str, str]
    arrays: dict[str, tuple[int, ...]]
    consumers: dict[str, str]
    oddities: tuple[str, ...]

    def describe(self) -> str:
        """Returns the description as lines of text."""
        lines = [f"{name:<12}{value}" for name, value in self.facts.items()]
        lines += ["", "arrays"]
        width = max(map(len, self.arrays))
        lines += [f"  {name:<{width}}  {' x '.join(map(str, shape))}" for name, shape in self.arrays.items()]
        lines += ["", "who can load it"]
        lines += [f"  {name:<12}{said}" for name, said in self.consumers.items()]
        lines += ["", "odd" if self.oddities else "nothing odd"]
        lines += [f"  {oddity}" for oddity in self.oddities]
        return "\n".join(lines)


def inspect(path: str, which: str | None = None) -> Inspection:
    """Describes a model; reads every array.

    Args:
        path: any model that `elmo_tf.store.open_model.open_model` takes.
        which: the checkpoint to read, "best" or "latest"; None for the best if there is one, else the latest.

    Raises:
        InputError: there is no model, it cannot be read, or an array is missing, has another shape than the options
            say, or does not belong to the model.
    """
    with open_model(path, which) as stored:
        raw = input_files.read_json(stored.options_file)
        vocabulary, complaint = _vocabulary(stored)
        return Inspection(
            facts=_facts(stored, raw, vocabulary),
            arrays={stored.weights.name_in_file(name): shape for name, shape in stored.weights.shapes.items()},
            consumers={NAMES[target]: verdict(stored, raw, target) for target in TARGETS},
            oddities=oddities(stored, raw, vocabulary, complaint),
        )


def _facts(stored: StoredModel, raw: dict[str, Any], vocabulary: Vocabulary | None) -> dict[str, str]:
    options, lexicons = stored.options, stored.lexicon_encoder
    softmax = sum(math.prod(shape) for name, shape in stored.weights.shapes.items() if name.startswith(SOFTMAX_PREFIX))
    facts = {"form": _FORMS[stored.form] + (", in a ZIP file" if stored.is_zipped else ""), "file": stored.source}
    if os.path.isfile(stored.source):
        digest = input_files.sha256(stored.source)
        facts["size"], facts["sha256"] = f"{os.path.getsize(stored.source):,} bytes", digest
        if stored.is_zipped:
            digest = input_files.sha256(stored.weights.source)
            facts["weights"] = f"{stored.weights_name} in it, with the sha256 {digest}"
        facts["known as"] = KNOWN.get(digest, "not the file of a published model whose SHA-256 is on record")
    facts["input"] = _input(options, raw) if lexicons is None else _lexicons(lexicons)
    facts["LSTM"] = _lstm(options)
    bilm = stored.weights.size - softmax
    facts["parameters"] = f"{bilm:,} without the softmax, which has {softmax:,}" if softmax else f"{bilm:,}, no softmax"
    rows = options.n_tokens_vocab if lexicons is None else len(lexicons["words"] or ())
    words = "not known" if rows is None else f"{rows:,} words"
    facts["vocabulary"] = words if vocabulary is None else f"{len(vocabulary):,} words, in {_name(stored.vocab_file)}"
    facts["step"] = "not known" if stored.step is None else f"{stored.step:,}"
    optimizer = options.training.optimizer
    none = "no accumulators" if optimizer == "adagrad" else f"no accumulators, for it was trained by {optimizer}"
    facts["Adagrad"] = "accumulators of every array" if stored.slots else none
    return facts


def _name(path: str | None) -> str:
    return os.path.basename(path or "")


def _input(options: Options, raw: dict[str, Any]) -> str:
    char_cnn = options.char_cnn
    if char_cnn is None:
        return "word ids"
    number = raw["char_cnn"].get("n_characters", "no number of")
    filters = ", ".join(f"{count} of width {width}" for width, count in char_cnn.filters)
    return (
        f"characters: {number} characters by {OPTIONS_FILE}, {char_cnn.max_characters_per_token} a word, of size "
        f"{char_cnn.embedding_dim}; {char_cnn.activation} filters {filters}; {char_cnn.n_highway} highway layers"
    )


def _lexicons(lexicons: Mapping[str, Any]) -> str:
    """Describes the arguments of a `LexiconEncoder`."""
    parts = []
    if lexicons["words"] is not None:
        parts.append(f"{len(lexicons['words']):,} whole words of size {lexicons['word_dim']}")
    if lexicons["characters"] is not None:
        filters = ", ".join(f"{count} of width {width}" for width, count in lexicons["filters"])
        parts.append(
            f"{len(lexicons['characters']):,} Unicode characters of size {lexicons['char_dim']}, "
            f"{lexicons['max_characters']} a word; {lexicons['activation']} filters {filters}; "
            f"{lexicons['n_highway']} highway layers"
        )
    return " and ".join(parts)


def _lstm(options: Options) -> str:
    lstm = options.lstm
    parts = [
        f"{lstm.n_layers} layers of {lstm.dim}",
        f"projected to {lstm.projection_dim}" if lstm.has_projection else "no projection",
        "forward and backward" if options.bidirectional else "forward only",
        "skip connections" if lstm.use_skip_connections else "no skip connections",
        f"cell clip {lstm.cell_clip}, projection clip {lstm.proj_clip}",
    ]
    return ", ".join(parts)


def _vocabulary(stored: StoredModel) -> tuple[Vocabulary | None, str | None]:
    """Reads the vocabulary; returns it, or None and the message of the error."""
    try:
        return stored.vocabulary(), None
    except InputError as error:
        return None, stored.message_of(error)
