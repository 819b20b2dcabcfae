"""TensorFlow's checkpoint files, of version 1 and 2: their arrays by name, each read when it is looked up."""

import contextlib
import glob
import logging
import math
import os
import re
from collections.abc import Callable, Iterator
from typing import Any

import tensorflow as tf

from elmo_tf.errors import InputError
from elmo_tf.formats.arrays import Arrays
from elmo_tf.system.error_text import first_line

_SHARD = re.compile(r"\.data-(\d{5})-of-(\d{5})$")
_NUMBERED = re.compile(r"model\.ckpt-(\d+)")

DAMAGED = (ValueError, IndexError, AssertionError, tf.errors.OpError)
"""The errors that TensorFlow raises for a checkpoint that is cut short, altered or of another model."""

_PLAIN_MESSAGES = {
    "Checksum does not match": "its numbers do not match their checksum",
    "block checksum mismatch": "its content does not match its checksum",
    "sstable": "it is cut short, or another kind of file",
    "Read less bytes than requested": "the data file is cut short",
}
"""Parts of TensorFlow's messages, and what they mean for the user."""


class CheckpointReader:
    """Reads the names, shapes and arrays of one checkpoint.

    Args:
        prefix: the path of the checkpoint, without `.index`.
        display_name: turns the name of an array in the checkpoint into the name that error messages show.

    Raises:
        InputError: the checkpoint is damaged or incomplete.
    """

    def __init__(self, prefix: str, display_name: Callable[[str], str] = str) -> None:
        self.prefix, self._display_name = prefix, display_name
        with self._translate_errors("its index"):
            self._reader = tf.train.load_checkpoint(prefix)
            self.shapes = {
                name: tuple(shape) for name, shape in sorted(self._reader.get_variable_to_shape_map().items())
            }
            self._types = self._reader.get_variable_to_dtype_map()
        numbers = [name for name, kind in self._types.items() if _is_number(kind)]
        fault = describe_missing_data(
            prefix, sum(self._types[name].size * math.prod(self.shapes[name]) for name in numbers)
        )
        if fault is not None:
            raise InputError(f"{prefix} is damaged: {fault}", path=prefix)

    @contextlib.contextmanager
    def _translate_errors(self, what: str) -> Iterator[None]:
        """Turns TensorFlow's errors into an `InputError` on `what`, a part of the checkpoint."""
        try:
            yield
        except DAMAGED as error:
            line = first_line(error)
            plain = next((plain for part, plain in _PLAIN_MESSAGES.items() if part in line), line)
            raise InputError(f"{self.prefix} is damaged: {what} cannot be read: {plain}", path=self.prefix) from error

    def tensor(self, name: str) -> tf.Tensor:
        """Reads one array; raises an `InputError` where it is damaged or does not hold numbers."""
        kind = self._types[name]
        if not _is_number(kind):
            raise InputError(f"{self.prefix}: array {name}: expected numbers, got {kind.name}", path=self.prefix)
        with self._translate_errors(f"array {self._display_name(name)}"):
            return tf.raw_ops.RestoreV2(prefix=self.prefix, tensor_names=[name], shape_and_slices=[""], dtypes=[kind])[
                0
            ]

    def value(self, name: str) -> Any:
        """Reads one entry of any type; raises an `InputError` where it is damaged."""
        with self._translate_errors(f"entry {name}"):
            return self._reader.get_tensor(name)

    def arrays(self, keys: dict[str, str], show_keys: bool = False) -> Arrays:
        """The arrays of some names.

        Args:
            keys: from our names to the names in the checkpoint.
            show_keys: whether error messages show the names in the checkpoint instead of our names.
        """
        shapes = {name: self.shapes[key] for name, key in keys.items()}
        return Arrays(self.prefix, shapes, lambda name: self.tensor(keys[name]), keys if show_keys else None)


def _is_number(kind: tf.DType) -> bool:
    return bool(kind.is_floating or kind.is_integer)


@contextlib.contextmanager
def silence_tensorflow() -> Iterator[None]:
    """Silences the log of TensorFlow's Python code during the block, for callers that report its errors themselves."""
    logger = logging.getLogger("tensorflow")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(level)


def newest_tf1_checkpoint(folder: str) -> str | None:
    """The path of the newest TensorFlow 1 checkpoint in a folder, without `.index`; None where the folder holds none.

    The newest is the one that the file `checkpoint` names, whose folder part is not used: it may be of another machine.
    Without that file, it is the one with the highest step.

    Raises:
        InputError: the file `checkpoint` is damaged, or names a checkpoint that is missing.
    """
    listing = os.path.join(folder, "checkpoint")
    if os.path.isfile(listing):
        try:
            with silence_tensorflow():
                state = tf.train.get_checkpoint_state(folder)
        except DAMAGED as error:
            raise InputError(
                f"{listing}, which names the checkpoints, is damaged: {first_line(error)}", path=listing
            ) from error
        name = os.path.basename(state.model_checkpoint_path) if state is not None else ""
        prefix = os.path.join(folder, name)
        if not name or not os.path.isfile(prefix + ".index"):
            what = f"names {name!r}, of which there is no {name}.index" if name else "is damaged"
            raise InputError(f"{listing}, which names the checkpoints, {what}", path=listing)
        return prefix
    found = [path.removesuffix(".index") for path in glob.glob(os.path.join(glob.escape(folder), "*.index"))]
    numbered = [(int(match[1]), path) for path in found if (match := _NUMBERED.fullmatch(os.path.basename(path)))]
    return max(numbered)[1] if numbered else None


def describe_missing_data(prefix: str, expected_bytes: int) -> str | None:
    """Says which of a checkpoint's data files is missing or cut short; None where all are complete.

    Args:
        prefix: the path of the checkpoint, without `.index`.
        expected_bytes: size of the arrays of numbers in the index; text entries are not counted.
    """
    name = os.path.basename(prefix)
    sizes: dict[int, dict[int, int]] = {}
    for path in glob.glob(f"{glob.escape(prefix)}.data-?????-of-?????"):
        match = _SHARD.search(path)
        if match and os.path.isfile(path):
            sizes.setdefault(int(match[2]), {})[int(match[1])] = os.path.getsize(path)
    if not sizes:
        return f"there is no {name}.data-00000-of-00001 beside its index"
    faults = [_describe_fault(name, number, sizes[number], expected_bytes) for number in sorted(sizes)]
    return None if None in faults else faults[-1]  # of two sets, one may be a remainder of an older checkpoint


def _describe_fault(name: str, number: int, sizes: dict[int, int], expected_bytes: int) -> str | None:
    """What is wrong with one set of `number` data files; `sizes` are the bytes of the existing files by number."""
    missing = [f"{name}.data-{place:05}-of-{number:05}" for place in range(number) if place not in sizes]
    if missing:
        if len(missing) > 1:
            return f"{missing[0]} and {len(missing) - 1} more of {number} data files are missing"
        return f"{missing[0]}, one of {number} data files, is missing"
    total = sum(sizes.values())
    if total < expected_bytes:
        files = f"{name}.data-00000-of-{number:05}" + (f" and the {number - 1} beside it" if number > 1 else "")
        return f"expected {expected_bytes:,} bytes or more by its index, got {total:,} in {files}: cut short"
    return None
