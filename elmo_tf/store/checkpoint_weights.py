"""Reads weights, Adagrad accumulators and step of a model from a checkpoint of ours or of bilm-tf (TensorFlow 1)."""

import re
from typing import NamedTuple

import numpy as np

from elmo_tf.errors import InputError
from elmo_tf.formats.arrays import Arrays
from elmo_tf.formats.tensorflow_checkpoint import CheckpointReader
from elmo_tf.models import tf1_weight_names

_SAVED_ARRAY = re.compile(r"(weights|average|adagrad)/(.+)/\.ATTRIBUTES/VARIABLE_VALUE")
_STEP = "step/.ATTRIBUTES/VARIABLE_VALUE"
_GRAPH, _COUNTER = "_CHECKPOINTABLE_OBJECT_GRAPH", "save_counter/.ATTRIBUTES/VARIABLE_VALUE"


class CheckpointWeights(NamedTuple):
    """The content of a checkpoint.

    Args:
        weights: the weights by our names.
        slots: Adagrad's accumulators by the same names; empty where the checkpoint has none.
        step: number of training steps taken; None where the checkpoint does not hold it.
    """

    weights: Arrays
    slots: Arrays
    step: int | None


def display_name(key: str) -> str:
    """The name of an array for messages, from its name in a checkpoint of `elmo-tf train`; other names as they are.

    >>> display_name("adagrad/softmax.SW/.ATTRIBUTES/VARIABLE_VALUE"), display_name("lm/softmax/W")
    ('softmax/W/Adagrad', 'lm/softmax/W')
    """
    match = _SAVED_ARRAY.fullmatch(key)
    if match is None:
        return key
    return match[2].replace(".S", "/") + (tf1_weight_names.SLOT if match[1] == "adagrad" else "")


def read_training_checkpoint(reader: CheckpointReader) -> CheckpointWeights:
    """Reads weights, accumulators and step of a checkpoint of `elmo-tf train`.

    Where the run averages its weights, the average is read in place of the weights, and a best checkpoint holds nothing
    else. A best checkpoint has no accumulators, and neither has that of a run with Adam, whose moments no other program
    can go on from.
    """
    keys: dict[str, dict[str, str]] = {"weights": {}, "average": {}, "adagrad": {}}
    for key in reader.shapes:
        match = _SAVED_ARRAY.fullmatch(key)
        if match:
            keys[match[1]][match[2].replace(".S", "/")] = key
    step = _read_step(reader, _STEP) if _STEP in reader.shapes else None
    for key in (_GRAPH, _COUNTER):  # they are last in the file: one that is cut short lacks them
        if key in reader.shapes:
            reader.value(key)
    return CheckpointWeights(reader.arrays(keys["average"] or keys["weights"]), reader.arrays(keys["adagrad"]), step)


def read_tf1_checkpoint(reader: CheckpointReader) -> CheckpointWeights:
    """Reads weights, Adagrad's accumulators and step of a checkpoint of bilm-tf, which may lack the accumulators.

    Raises:
        InputError: a variable is not one of bilm-tf's, or two variables are of one weight.
    """
    weights: dict[str, str] = {}
    slots: dict[str, str] = {}
    for key in reader.shapes:
        if key in (tf1_weight_names.STEP, tf1_weight_names.PERPLEXITY):
            continue
        if not key.startswith(tf1_weight_names.SCOPE):
            raise InputError(
                f"{reader.prefix}: array {key} has no place in a model of bilm-tf: expected lm/... names",
                path=reader.prefix,
            )
        bare = key.removeprefix(tf1_weight_names.SCOPE)
        found, bare = (
            (slots, bare.removesuffix(tf1_weight_names.SLOT))
            if bare.endswith(tf1_weight_names.SLOT)
            else (weights, bare)
        )
        name = tf1_weight_names.our_name(bare)
        if name in found:
            raise InputError(
                f"{reader.prefix}: arrays {found[name]} and {key} are of the same weight", path=reader.prefix
            )
        found[name] = key
    step = _read_step(reader, tf1_weight_names.STEP) if tf1_weight_names.STEP in reader.shapes else None
    return CheckpointWeights(reader.arrays(weights, show_keys=True), reader.arrays(slots, show_keys=True), step)


def _read_step(reader: CheckpointReader, name: str) -> int:
    """Reads the number of training steps, which bilm-tf stores as a float."""
    value = np.asarray(reader.tensor(name))
    if value.ndim or not np.isfinite(value) or not 0 <= value < 2**62:
        found = f"shape {value.shape}" if value.ndim else str(value)
        raise InputError(
            f"{reader.prefix}: array {name}: expected one number of steps, 0 or more, got {found}", path=reader.prefix
        )
    return int(value)
