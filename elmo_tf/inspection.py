"""What a model is, for people who were handed one: every fact about it, who can load it, and what is odd."""

import hashlib
import itertools
import math
import os
import zipfile
from dataclasses import dataclass
from typing import Any

import numpy as np

from elmo_tf import files
from elmo_tf.data.vocabulary import SPECIALS, Vocabulary
from elmo_tf.errors import InputError
from elmo_tf.exchange.arrays import Arrays
from elmo_tf.exchange.names import SOFTMAX_PREFIX, expected_shapes
from elmo_tf.exchange.targets import ALLENNLP, BILM_TF, NAMES, READS, SIMPLE_ELMO, TARGETS, limits
from elmo_tf.model_place import CHECKPOINT, HDF5, NLPL_WEIGHTS_FILE, SAFETENSORS, TF1
from elmo_tf.options import Options
from elmo_tf.preparation import OPTIONS_FILE, VOCAB_FILE
from elmo_tf.stored_model import StoredModel, open_model

KNOWN = {
    "747ba97abce8a5f446558369e10bb0f7931437a46867476fdd156f5d7f576229": (
        "AllenNLP's small model, elmo_2x1024_128_2048cnn_1xhighway_weights.hdf5, of 54,402,456 bytes"
    ),
}
"""Published files by their SHA-256."""

_FORMS = {
    CHECKPOINT: "checkpoint of elmo-tf train",
    TF1: "TensorFlow 1 checkpoint of bilm-tf",
    SAFETENSORS: "safetensors",
    HDF5: "HDF5 of bilm-tf and AllenNLP",
}
_ALPHABETICAL = 0.9
"""Share of neighbours in the order of the alphabet from which on a list is taken for sorted by it."""
_FEWEST_TO_JUDGE = 100

_ASKED = {
    ALLENNLP: ("use_skip_connections", "n_layers", "cell_clip", "proj_clip"),
    BILM_TF: ("use_skip_connections",),
    SIMPLE_ELMO: ("use_skip_connections", "n_layers"),
}
"""What each program reads of the LSTM's options without asking whether it is there."""


_IN_ZIP = (NLPL_WEIGHTS_FILE, OPTIONS_FILE, VOCAB_FILE)
"""What simple_elmo opens in a ZIP file, whether the model needs it or not."""


@dataclass(frozen=True)
class Inspection:
    """What was found.

    Args:
        facts: names and values, in the order to show.
        arrays: names and shapes, as the file has them.
        consumers: by program whether it can load the model as it lies there, or why not.
        oddities: sentences; empty where nothing is odd.
    """

    facts: dict[str, str]
    arrays: dict[str, tuple[int, ...]]
    consumers: dict[str, str]
    oddities: tuple[str, ...]

    def describe(self) -> str:
        """Lines to read."""
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
    """Looks a model over; every array is read.

    Args:
        path: what `elmo_tf.stored_model.open_model` takes.
        which: of the checkpoints "best" or "latest"; None for the best if there is one.

    Raises:
        InputError: there is no model, or it cannot be read, or an array is missing, misshapen or too many.
    """
    with open_model(path, which) as stored:
        raw = files.read_json(stored.options_file)
        vocabulary, complaint = _vocabulary(stored)
        oddities = [*_odd_arrays(stored), *_odd_options(stored, raw), *_odd_vocabulary(stored, vocabulary, complaint)]
        return Inspection(
            facts=_facts(stored, raw, vocabulary),
            arrays={stored.weights.spelled(name): shape for name, shape in stored.weights.shapes.items()},
            consumers={NAMES[target]: _verdict(stored, raw, target) for target in TARGETS},
            oddities=tuple(oddities),
        )


def _facts(stored: StoredModel, raw: dict[str, Any], vocabulary: Vocabulary | None) -> dict[str, str]:
    options = stored.options
    bilm = sum(math.prod(shape) for shape in expected_shapes(options).values())
    softmax = sum(math.prod(shape) for name, shape in stored.weights.shapes.items() if name.startswith(SOFTMAX_PREFIX))
    facts = {"form": _FORMS[stored.form] + (", in a ZIP file" if stored.is_zipped else ""), "file": stored.source}
    if os.path.isfile(stored.source):
        digest = _sha256(stored.source)
        facts["size"] = f"{os.path.getsize(stored.source):,} bytes"
        facts["sha256"] = digest
        facts["known as"] = KNOWN.get(digest, "not the file of a published model whose SHA-256 is on record")
    facts["input"] = _input(options, raw)
    facts["LSTM"] = _lstm(options)
    facts["parameters"] = f"{bilm:,} without the softmax, which has {softmax:,}" if softmax else f"{bilm:,}, no softmax"
    words = "not known" if options.n_tokens_vocab is None else f"{options.n_tokens_vocab:,} words"
    facts["vocabulary"] = words if vocabulary is None else f"{len(vocabulary):,} words, in {_name(stored.vocab_file)}"
    facts["step"] = "not known" if stored.step is None else f"{stored.step:,}"
    facts["Adagrad"] = "accumulators of every array" if stored.slots else "no accumulators"
    return facts


def _name(path: str | None) -> str:
    return os.path.basename(path or "")


def _sha256(path: str) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


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
    """The vocabulary, or what is wrong with it."""
    try:
        return stored.vocabulary(), None
    except InputError as error:
        return None, str(error)


def _verdict(stored: StoredModel, raw: dict[str, Any], target: str) -> str:
    form = stored.form if stored.form in READS[target] else HDF5
    reasons = limits(stored.options, target, form)
    if reasons:
        return f"no: {'; '.join(reasons)}"
    if stored.form not in READS[target]:
        return f"after elmo-tf convert --target={target}"
    reasons = _to_mend(stored, raw, target)
    if reasons:
        return f"not as it is: {'; '.join(reasons)}; after elmo-tf convert --format={stored.form} --target={target}"
    return "yes"


def _to_mend(stored: StoredModel, raw: dict[str, Any], target: str) -> list[str]:
    """What a conversion would put right."""
    found, wanted = _lies_wrong(stored, target), 262 if stored.form == HDF5 else 261
    if stored.form == HDF5 and _renamed(stored.weights):
        found.append("arrays have other names")
    if raw.get("char_cnn") and raw["char_cnn"].get("n_characters") != wanted:
        found.append(f"n_characters must be {wanted}")
    asked = _ASKED[target] if stored.form == HDF5 else ()
    found += [f"{OPTIONS_FILE} must say lstm.{name}" for name in asked if name not in raw["lstm"]]
    return found


def _lies_wrong(stored: StoredModel, target: str) -> list[str]:
    """What is wrong with the place and the names of the files: simple_elmo alone opens ZIP files, of which it wants
    three names at the top, and in a folder takes `model.hdf5`, or whichever `.hdf5` the system lists first."""
    if stored.form != HDF5:
        return []
    if stored.is_zipped:
        if target != SIMPLE_ELMO:
            return ["it lies in a ZIP file"]
        with zipfile.ZipFile(stored.path) as archive:
            missing = [name for name in _IN_ZIP if name not in archive.namelist()]
        return [f"its ZIP file must have {' and '.join(missing)} at the top"] if missing else []
    folder = os.path.dirname(stored.weights.source) or "."
    if target != SIMPLE_ELMO or stored.path == stored.source or os.path.exists(os.path.join(folder, NLPL_WEIGHTS_FILE)):
        return []
    others = [name for name in sorted(os.listdir(folder)) if name.endswith(".hdf5") and name != stored.weights_name]
    return [f"it may take {others[0]} for the model, for there is no {NLPL_WEIGHTS_FILE}"] if others else []


def _renamed(weights: Arrays) -> list[str]:
    """Arrays under names that nobody but us reads."""
    return [weights.spelled(name) for name in weights if weights.spelled(name) != name]


def _odd_arrays(stored: StoredModel) -> list[str]:
    found = []
    for arrays, what in ((stored.weights, "array"), (stored.slots, "Adagrad's accumulator")):
        for name, shape in arrays.shapes.items():
            spelled = arrays.spelled(name)
            try:
                array = arrays[name]
            except InputError as error:
                if "not finite" not in str(error):
                    raise
                found.append(f"{what} {spelled} holds numbers that are not finite")
                continue
            if len(shape) > 1 and not array.any():
                found.append(f"{what} {spelled} is all zeros")
            elif what == "array" and np.abs(array).max(initial=0.0) > 1e3:
                found.append(f"{what} {spelled} has numbers up to {np.abs(array).max():.3g}")
    if stored.form == HDF5 and _renamed(stored.weights):
        names = _renamed(stored.weights)
        found.append(
            f"{len(names)} arrays have names that AllenNLP, bilm-tf and simple_elmo do not read, such as {names[0]}: "
            "elmo-tf convert writes theirs"
        )
    if stored.form == TF1 and not stored.slots:
        found.append("there are no accumulators of Adagrad, which bilm-tf needs to go on training")
    return found


def _odd_options(stored: StoredModel, raw: dict[str, Any]) -> list[str]:
    found, number = [], raw.get("char_cnn", {}).get("n_characters") if raw.get("char_cnn") else None
    name = _name(stored.options_file)
    if number == 261 and stored.form == HDF5:
        found.append(f"{name} says 261 characters; AllenNLP, bilm-tf and simple_elmo want 262 to use a model")
    if number == 262 and stored.form == TF1:
        found.append(f"{name} says 262 characters beside a table of 261; bilm-tf wants 261 to train")
    if "bidirectional" not in raw and stored.form == TF1 and stored.options.bidirectional:
        found.append(f"{name} does not say bidirectional; bilm-tf takes that for false, and would not find its arrays")
    if "n_tokens_vocab" not in raw and stored.has_softmax:
        found.append(f"{name} does not say n_tokens_vocab")
    if stored.options.lstm.n_layers == 1:
        found.append("it has one layer; what bilm-tf's own dump_weights makes of such a checkpoint it cannot read back")
    return found


def _odd_vocabulary(stored: StoredModel, vocabulary: Vocabulary | None, complaint: str | None) -> list[str]:
    if complaint is not None:
        return [complaint]
    if vocabulary is None:
        return ["there is no vocab.txt beside it"] if stored.has_softmax or stored.options.char_cnn is None else []
    found, rows = [], stored.options.n_tokens_vocab
    if rows is not None and len(vocabulary) != rows:
        found.append(f"{_name(stored.vocab_file)} has {len(vocabulary):,} words, the model {rows:,}")
    words = [word for word in vocabulary if word not in SPECIALS]
    rising = sum(1 for a, b in itertools.pairwise(words) if a < b)
    if len(words) >= _FEWEST_TO_JUDGE and rising > _ALPHABETICAL * len(words):
        found.append(
            f"{_name(stored.vocab_file)} is sorted by the alphabet, not by frequency, which the sampled softmax of "
            "training relies on"
        )
    return found
