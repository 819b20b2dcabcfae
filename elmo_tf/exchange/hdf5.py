"""`weights.hdf5` of bilm-tf and AllenNLP: written whole or not at all, read with every name and shape checked."""

import contextlib
import errno
import os
from collections.abc import Iterator, Mapping

import h5py
import numpy as np
import tensorflow as tf

from elmo_tf.errors import InputError
from elmo_tf.exchange.arrays import Arrays
from elmo_tf.exchange.buffers import buffer, taken_over
from elmo_tf.exchange.hdf5_types import not_numbers
from elmo_tf.exchange.names import check_shapes
from elmo_tf.exchange.tf1_names import our_name
from elmo_tf.files import check_readable, replacing, sync

_UNREADABLE = (OSError, RuntimeError, ValueError, KeyError, TypeError)
"""h5py has one of these for each kind of damage."""

_NO_ALLOCATION = (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP)
"""What a file system says that cannot set space aside."""


def write_arrays(path: str, arrays: Mapping[str, np.ndarray]) -> None:
    """Writes arrays by name as float32 datasets; slashes in a name make groups.

    Arrays that are read when they are asked for are never held together. The file appears only after it was read back
    to the same numbers.

    Raises:
        InputError: a number is not finite in float32, the folder cannot be written, or the disk is full.
    """
    wanted = arrays if isinstance(arrays, Arrays) else Arrays.of(f"{path} was not written", arrays)
    with replacing(path) as temporary:
        write_file(temporary, wanted, path)
        with opened(temporary) as written:
            for name in wanted:
                if not np.array_equal(written[name], wanted[name]):
                    raise InputError(f"{path}: array {name} read back differs from what was written: a bad disk?")
        sync(temporary)


def write_file(path: str, arrays: Arrays, name: str | None = None) -> None:
    """Writes the file under its name, without reading it back or waiting for the disk; raises as `write_arrays`.

    Space is set aside first, and h5py writes through Python's file: on a full disk its own writing ends in errors that
    nobody can catch, or in a crash.

    Args:
        path: the file.
        arrays: what to write.
        name: what to call the file in an error.
    """
    try:
        with open(path, "w+b") as raw, h5py.File(raw, "w") as file:
            _set_aside(raw.fileno(), 4 * arrays.size)
            for key in arrays:
                file.create_dataset(key, data=arrays[key])
    except (OSError, SystemError) as error:  # the second is how h5py tells of a failed write from Python 3.13 on
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise InputError(f"{name or path} cannot be written: {reason}") from error


def _set_aside(handle: int, size: int) -> None:
    """Takes the space of a file that will hold `size` bytes and a little more; h5py cuts off what is left of it."""
    if not hasattr(os, "posix_fallocate"):  # not on every system
        return
    try:
        os.posix_fallocate(handle, 0, size + (1 << 16))
    except OSError as error:
        if error.errno not in _NO_ALLOCATION:
            raise


@contextlib.contextmanager
def opened(path: str) -> Iterator[Arrays]:
    """The datasets of an HDF5 file by our names (full names, but for LSTMs that bilm-tf dumped under others).

    Raises:
        InputError: there is no such file, it is no HDF5 file, it is cut short or damaged, or an array holds no numbers.
    """
    check_readable(path)
    with contextlib.ExitStack() as stack:
        with _named_errors(path):
            file = stack.enter_context(h5py.File(path, "r"))
            keys = _keys(file, path)
            shapes = {name: file[key].shape for name, key in keys.items()}

        def read(name: str) -> tf.Tensor:
            array = buffer(shapes[name])
            with _named_errors(path):
                if array.size:
                    file[keys[name]].read_direct(array)
            return taken_over(array)

        yield Arrays(path, shapes, read, keys)


def _keys(file: h5py.File, path: str) -> dict[str, str]:
    """By our names, the full names of all datasets."""
    keys: dict[str, str] = {}

    def collect(key: str | bytes, item: object) -> None:
        if isinstance(key, bytes):  # what h5py gives for a damaged name
            raise InputError(f"{path}: array {key!r}: a damaged name")
        if isinstance(item, h5py.Dataset):
            came = not_numbers(item.id.get_type())
            if came is not None:
                what = "expected numbers (float16, float32, float64 or whole ones)"
                raise InputError(f"{path}: array {key}: {what}, got {came}")
            if item.shape is None:  # a dataset without a place for numbers
                raise InputError(f"{path}: array {key}: expected numbers, got none")
            name = our_name(key)
            if name in keys:
                raise InputError(f"{path}: arrays {keys[name]} and {key} are of the same weight")
            keys[name] = key

    file.visititems(collect)
    return keys


@contextlib.contextmanager
def _named_errors(path: str) -> Iterator[None]:
    try:
        yield
    except InputError:
        raise
    except _UNREADABLE as error:
        reason = " ".join(str(error).split())
        raise InputError(f"{path} cannot be read as HDF5, it is another kind of file or cut short: {reason}") from error


def read_arrays(path: str) -> dict[str, np.ndarray]:
    """All datasets of an HDF5 file by their names, in float32; raises as `opened`."""
    with opened(path) as arrays:
        return {name: arrays[name] for name in arrays}


def read_weights(path: str, expected: Mapping[str, tuple[int, ...]]) -> dict[str, np.ndarray]:
    """The arrays of a `weights.hdf5`, after every name and shape was compared with what the options ask for.

    Args:
        path: the file.
        expected: names and shapes, from `elmo_tf.exchange.names.expected_shapes`.

    Raises:
        InputError: as `opened`, and where an array is missing, misshapen, too many or not finite.
    """
    with opened(path) as arrays:
        check_shapes(expected, arrays.shapes, path)
        return {name: arrays[name] for name in expected}
