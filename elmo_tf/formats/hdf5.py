"""HDF5 files of float32 arrays, such as the `weights.hdf5` of bilm-tf and AllenNLP."""

import contextlib
import errno
import os
from collections.abc import Callable, Iterator

import h5py
import tensorflow as tf
from h5py import h5t

from elmo_tf.errors import InputError
from elmo_tf.formats.arrays import Arrays
from elmo_tf.formats.page_buffers import as_tensor, page_buffer
from elmo_tf.system.atomic_files import check_readable

_UNREADABLE = (OSError, RuntimeError, ValueError, KeyError, TypeError)
"""h5py has one of these for each kind of damage."""

_NO_ALLOCATION = (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP)
"""What a file system says that cannot set space aside."""


def write_hdf5(path: str, arrays: Arrays, name: str | None = None) -> None:
    """Writes arrays by name as float32 datasets; slashes in a name make groups.

    Each array is read when its turn comes, so that they are never held together. The file is neither read back nor
    flushed to the disk.

    Space is set aside first, and h5py writes through Python's file: on a full disk its own writing ends in errors that
    nobody can catch, or in a crash.

    Args:
        path: the file.
        arrays: what to write.
        name: what to call the file in an error.

    Raises:
        InputError: a number is not finite in float32, the folder cannot be written, or the disk is full.
    """
    try:
        with open(path, "w+b") as raw, h5py.File(raw, "w") as file:
            _set_aside(raw.fileno(), 4 * arrays.size)
            for key in arrays:
                file.create_dataset(key, data=arrays[key])
    except (OSError, SystemError) as error:  # the second is how h5py tells of a failed write from Python 3.13 on
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise InputError(f"{name or path} cannot be written: {reason}", path=name or path) from error


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
def open_hdf5(path: str, name_of: Callable[[str], str] = str) -> Iterator[Arrays]:
    """Opens an HDF5 file; yields its datasets by name, each of which is read when it is asked for.

    Args:
        path: the file.
        name_of: gives the name of the array that a dataset holds, from the dataset's own full name.

    Raises:
        InputError: there is no such file, it is no HDF5 file, it is cut short or damaged, or an array holds no numbers.
    """
    check_readable(path)
    with contextlib.ExitStack() as stack:
        with _named_errors(path):
            file = stack.enter_context(h5py.File(path, "r"))
            keys = _keys(file, path, name_of)
            shapes = {name: file[key].shape for name, key in keys.items()}

        def read(name: str) -> tf.Tensor:
            array = page_buffer(shapes[name])
            with _named_errors(path):
                if array.size:
                    file[keys[name]].read_direct(array)
            return as_tensor(array)

        yield Arrays(path, shapes, read, keys)


def _keys(file: h5py.File, path: str, name_of: Callable[[str], str]) -> dict[str, str]:
    """The full names of all datasets, by the names of their arrays."""
    keys: dict[str, str] = {}

    def collect(key: str | bytes, item: object) -> None:
        if isinstance(key, bytes):  # what h5py gives for a damaged name
            raise InputError(f"{path}: array {key!r}: a damaged name", path=path)
        if isinstance(item, h5py.Dataset):
            came = describe_non_numeric(item.id.get_type())
            if came is not None:
                what = "expected numbers (float16, float32, float64 or whole ones)"
                raise InputError(f"{path}: array {key}: {what}, got {came}", path=path)
            if item.shape is None:  # a dataset without a place for numbers
                raise InputError(f"{path}: array {key}: expected numbers, got none", path=path)
            name = name_of(key)
            if name in keys:
                raise InputError(f"{path}: arrays {keys[name]} and {key} are of the same weight", path=path)
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
        raise InputError(
            f"{path} cannot be read as HDF5, it is another kind of file or cut short: {reason}", path=path
        ) from error


_NUMBERS = (
    *(getattr(h5t, f"IEEE_F{bits}{order}") for bits in (16, 32, 64) for order in ("LE", "BE")),
    *(getattr(h5t, f"STD_{sign}{bits}{order}") for sign in "IU" for bits in (8, 16, 32, 64) for order in ("LE", "BE")),
)

_OTHERS = {
    h5t.INTEGER: "whole numbers of an unusual size",
    h5t.FLOAT: "floats that are none of these",
    h5t.TIME: "times",
    h5t.STRING: "text",
    h5t.BITFIELD: "bits",
    h5t.OPAQUE: "opaque bytes",
    h5t.COMPOUND: "records, or complex numbers",
    h5t.REFERENCE: "references",
    h5t.ENUM: "named values, such as true and false",
    h5t.VLEN: "lists of different lengths",
    h5t.ARRAY: "arrays as elements",
}


def describe_non_numeric(kind: h5t.TypeID) -> str | None:
    """What the elements of a dataset are, where they are no numbers that we read; None where they are.

    Args:
        kind: the dataset's type, `dataset.id.get_type()`; numbers of either byte order are read.

    Example:

    >>> describe_non_numeric(h5t.IEEE_F32BE), describe_non_numeric(h5t.C_S1)
    (None, 'text, of 1 byte each')
    """
    if any(kind.equal(number) for number in _NUMBERS):
        return None
    size = kind.get_size()
    return f"{_OTHERS.get(kind.get_class(), 'another type')}, of {size} byte{'' if size == 1 else 's'} each"
