"""TensorFlow's checkpoint files, ours and those of TensorFlow 1: arrays by our names, read one at a time."""

import contextlib
import glob
import logging
import math
import os
import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from elmo_tf.errors import InputError
from elmo_tf.exchange import shards, tf1_names
from elmo_tf.exchange.arrays import Arrays
from elmo_tf.files import first_line, reason, write_text
from elmo_tf.options import Options

_SAVED = re.compile(r"(weights|adagrad)/(.+)/\.ATTRIBUTES/VARIABLE_VALUE")
_STEP = "step/.ATTRIBUTES/VARIABLE_VALUE"
_GRAPH, _COUNTER = "_CHECKPOINTABLE_OBJECT_GRAPH", "save_counter/.ATTRIBUTES/VARIABLE_VALUE"
_NUMBERED = re.compile(r"model\.ckpt-(\d+)")

DAMAGED = (ValueError, IndexError, AssertionError, tf.errors.OpError)
"""What TensorFlow raises for a checkpoint that is cut short, altered or another model's."""

_PLAIN = {
    "Checksum does not match": "its numbers do not match their checksum",
    "block checksum mismatch": "its content does not match its checksum",
    "sstable": "it is cut short, or another kind of file",
    "Read less bytes than requested": "the file of numbers is cut short",
}
"""What TensorFlow says, in words of the people who have the file."""


class CheckpointReader:
    """Names, shapes and arrays of one checkpoint.

    Args:
        prefix: the checkpoint: the path without `.index`.

    Raises:
        InputError: it is damaged, or a part of it is missing.
    """

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix
        with self._named_errors("its index"):
            self._reader = tf.train.load_checkpoint(prefix)
            self.shapes = {
                name: tuple(shape) for name, shape in sorted(self._reader.get_variable_to_shape_map().items())
            }
            self._types = self._reader.get_variable_to_dtype_map()
        numbers = [name for name, kind in self._types.items() if _is_number(kind)]
        fault = shards.fault(prefix, sum(self._types[name].size * math.prod(self.shapes[name]) for name in numbers))
        if fault is not None:
            raise InputError(f"{prefix} is damaged: {fault}")

    @contextlib.contextmanager
    def _named_errors(self, what: str) -> Iterator[None]:
        """TensorFlow's errors as a sentence on a part of the checkpoint."""
        try:
            yield
        except DAMAGED as error:
            line = first_line(error)
            plain = next((plain for said, plain in _PLAIN.items() if said in line), line)
            raise InputError(f"{self.prefix} is damaged: {what} cannot be read: {plain}") from error

    def tensor(self, name: str) -> tf.Tensor:
        """One array; raises an `InputError` where it is damaged or holds no numbers."""
        kind = self._types[name]
        if not _is_number(kind):
            raise InputError(f"{self.prefix}: array {name}: expected numbers, got {kind.name}")
        with self._named_errors(f"array {_spelled(name)}"):
            return tf.raw_ops.RestoreV2(prefix=self.prefix, tensor_names=[name], shape_and_slices=[""], dtypes=[kind])[
                0
            ]

    def value(self, name: str) -> Any:
        """One entry of whatever kind; raises an `InputError` where it is damaged."""
        with self._named_errors(f"entry {name}"):
            return self._reader.get_tensor(name)

    def arrays(self, keys: dict[str, str], spelled: bool = False) -> Arrays:
        """Those of `keys`, from our names to the file's; errors say the latter where these are `spelled`."""
        shapes = {name: self.shapes[key] for name, key in keys.items()}
        return Arrays(self.prefix, shapes, lambda name: self.tensor(keys[name]), keys if spelled else None)


def _is_number(kind: tf.DType) -> bool:
    return bool(kind.is_floating or kind.is_integer)


def _spelled(key: str) -> str:
    """Of what `elmo-tf train` saved, the array's own name; other names as they are.

    >>> _spelled("adagrad/softmax.SW/.ATTRIBUTES/VARIABLE_VALUE"), _spelled("lm/softmax/W")
    ('softmax/W/Adagrad', 'lm/softmax/W')
    """
    match = _SAVED.fullmatch(key)
    if match is None:
        return key
    return match[2].replace(".S", "/") + ("" if match[1] == "weights" else tf1_names.SLOT)


def own_parts(reader: CheckpointReader) -> tuple[Arrays, Arrays, int | None]:
    """Weights, Adagrad's accumulators (none in a "best") and the step of a checkpoint of `elmo-tf train`."""
    keys: dict[str, dict[str, str]] = {"weights": {}, "adagrad": {}}
    for key in reader.shapes:
        match = _SAVED.fullmatch(key)
        if match:
            keys[match[1]][match[2].replace(".S", "/")] = key
    step = _step(reader, _STEP) if _STEP in reader.shapes else None
    for key in (_GRAPH, _COUNTER):  # which lie last: a file that is cut short lacks them
        if key in reader.shapes:
            reader.value(key)
    return reader.arrays(keys["weights"]), reader.arrays(keys["adagrad"]), step


def tf1_parts(reader: CheckpointReader) -> tuple[Arrays, Arrays, int | None]:
    """Weights, Adagrad's accumulators (none where it was saved for use alone) and the step of bilm-tf's checkpoint.

    Raises:
        InputError: a variable is none of bilm-tf's, or two are of one weight.
    """
    weights: dict[str, str] = {}
    slots: dict[str, str] = {}
    for key in reader.shapes:
        if key in (tf1_names.STEP, tf1_names.PERPLEXITY):
            continue
        if not key.startswith(tf1_names.SCOPE):
            raise InputError(f"{reader.prefix}: array {key} has no place in a model of bilm-tf: expected lm/... names")
        bare = key.removeprefix(tf1_names.SCOPE)
        found, bare = (slots, bare.removesuffix(tf1_names.SLOT)) if bare.endswith(tf1_names.SLOT) else (weights, bare)
        name = tf1_names.our_name(bare)
        if name in found:
            raise InputError(f"{reader.prefix}: arrays {found[name]} and {key} are of the same weight")
        found[name] = key
    step = _step(reader, tf1_names.STEP) if tf1_names.STEP in reader.shapes else None
    return reader.arrays(weights, True), reader.arrays(slots, True), step


def _step(reader: CheckpointReader, name: str) -> int:
    """The number of training steps, which bilm-tf keeps as a float."""
    value = np.asarray(reader.tensor(name))
    if value.ndim or not np.isfinite(value) or value < 0:
        found = f"shape {value.shape}" if value.ndim else str(value)
        raise InputError(f"{reader.prefix}: array {name}: expected one number of steps, 0 or more, got {found}")
    return int(value)


def write_tf1(folder: str, weights: Arrays, slots: Arrays, options: Options, step: int) -> str:
    """Writes a checkpoint that bilm-tf restores, to use or to go on training: every variable, its slot, the step.

    Returns:
        The checkpoint's path without endings.

    Raises:
        InputError: it cannot be written.
    """
    names = {tf1_names.tf1_name(name, options): name for name in weights}
    tensors = {key: tf.constant(weights[name]) for key, name in names.items()}
    tensors |= {key + tf1_names.SLOT: tf.constant(slots[name]) for key, name in names.items()}
    tensors |= {tf1_names.STEP: tf.constant(step, tf.float32), tf1_names.PERPLEXITY: tf.constant(0.0)}
    keys, name = sorted(tensors), f"model.ckpt-{step}"
    prefix = os.path.join(folder, name)
    try:
        tf.raw_ops.SaveV2(
            prefix=prefix, tensor_names=keys, shape_and_slices=[""] * len(keys), tensors=[tensors[key] for key in keys]
        )
    except tf.errors.OpError as error:
        raise InputError(f"{prefix} cannot be written: {reason(error)}") from error
    write_text(
        os.path.join(folder, "checkpoint"),
        f'model_checkpoint_path: "{name}"\nall_model_checkpoint_paths: "{name}"\n',
    )
    return prefix


@contextlib.contextmanager
def silently() -> Iterator[None]:
    """Without the log of TensorFlow's Python side, where what it says is told in a sentence of ours."""
    logger = logging.getLogger("tensorflow")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(level)


def tf1_prefix(folder: str) -> str | None:
    """The newest TensorFlow 1 checkpoint in a folder, as its `checkpoint` file says, which may name a folder of another
    machine; or, without that file, the one with the highest step. None where the folder holds none.

    Raises:
        InputError: the file that names the checkpoints is damaged, or names one that is not there.
    """
    listing = os.path.join(folder, "checkpoint")
    if os.path.isfile(listing):
        try:
            with silently():
                state = tf.train.get_checkpoint_state(folder)
        except DAMAGED as error:
            raise InputError(f"{listing}, which names the checkpoints, is damaged: {first_line(error)}") from error
        name = os.path.basename(state.model_checkpoint_path) if state is not None else ""
        prefix = os.path.join(folder, name)
        if not name or not os.path.isfile(prefix + ".index"):
            what = f"names {name!r}, of which there is no {name}.index" if name else "is damaged"
            raise InputError(f"{listing}, which names the checkpoints, {what}")
        return prefix
    found = [path.removesuffix(".index") for path in glob.glob(os.path.join(glob.escape(folder), "*.index"))]
    numbered = [(int(match[1]), path) for path in found if (match := _NUMBERED.fullmatch(os.path.basename(path)))]
    return max(numbered)[1] if numbered else None
