"""TensorFlow's checkpoint files, of version 1 and 2: their arrays by name, read one at a time."""

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
from elmo_tf.system.atomic_files import first_line

_SHARD = re.compile(r"\.data-(\d{5})-of-(\d{5})$")
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
        display_name: gives the name by which an error message calls an array.

    Raises:
        InputError: it is damaged, or a part of it is missing.
    """

    def __init__(self, prefix: str, display_name: Callable[[str], str] = str) -> None:
        self.prefix, self._display_name = prefix, display_name
        with self._named_errors("its index"):
            self._reader = tf.train.load_checkpoint(prefix)
            self.shapes = {
                name: tuple(shape) for name, shape in sorted(self._reader.get_variable_to_shape_map().items())
            }
            self._types = self._reader.get_variable_to_dtype_map()
        numbers = [name for name, kind in self._types.items() if _is_number(kind)]
        fault = find_missing_data(
            prefix, sum(self._types[name].size * math.prod(self.shapes[name]) for name in numbers)
        )
        if fault is not None:
            raise InputError(f"{prefix} is damaged: {fault}", path=prefix)

    @contextlib.contextmanager
    def _named_errors(self, what: str) -> Iterator[None]:
        """TensorFlow's errors as a sentence on a part of the checkpoint."""
        try:
            yield
        except DAMAGED as error:
            line = first_line(error)
            plain = next((plain for said, plain in _PLAIN.items() if said in line), line)
            raise InputError(f"{self.prefix} is damaged: {what} cannot be read: {plain}", path=self.prefix) from error

    def tensor(self, name: str) -> tf.Tensor:
        """One array; raises an `InputError` where it is damaged or holds no numbers."""
        kind = self._types[name]
        if not _is_number(kind):
            raise InputError(f"{self.prefix}: array {name}: expected numbers, got {kind.name}", path=self.prefix)
        with self._named_errors(f"array {self._display_name(name)}"):
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


@contextlib.contextmanager
def silence_tensorflow() -> Iterator[None]:
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


def find_missing_data(prefix: str, expected_bytes: int) -> str | None:
    """What of a checkpoint's numbers is not there; None where nothing is missing.

    Args:
        prefix: the checkpoint: the path without `.index`.
        expected_bytes: what the arrays of numbers in the index take; text entries are not counted.
    """
    name = os.path.basename(prefix)
    sizes: dict[int, dict[int, int]] = {}
    for path in glob.glob(f"{glob.escape(prefix)}.data-?????-of-?????"):
        match = _SHARD.search(path)
        if match and os.path.isfile(path):
            sizes.setdefault(int(match[2]), {})[int(match[1])] = os.path.getsize(path)
    if not sizes:
        return f"there is no {name}.data-00000-of-00001 beside its index"
    faults = [_fault_of(name, number, sizes[number], expected_bytes) for number in sorted(sizes)]
    return None if None in faults else faults[-1]  # of two sets, one may be left of an older checkpoint


def _fault_of(name: str, number: int, sizes: dict[int, int], expected_bytes: int) -> str | None:
    """What is wrong with one set of `number` files, those there by their places."""
    missing = [f"{name}.data-{place:05}-of-{number:05}" for place in range(number) if place not in sizes]
    if missing:
        others = f", and {len(missing) - 1} more," if len(missing) > 1 else ""
        return f"of {number} files of numbers {missing[0]}{others} is missing"
    total = sum(sizes.values())
    if total < expected_bytes:
        files = f"{name}.data-00000-of-{number:05}" + (f" and the {number - 1} beside it" if number > 1 else "")
        return f"expected {expected_bytes:,} bytes or more by its index, got {total:,} in {files}: cut short"
    return None
