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
from elmo_tf.system.input_files import check_readable

_UNREADABLE = (OSError, RuntimeError, ValueError, KeyError, TypeError)
"""The errors that h5py raises for damaged files."""

_NO_ALLOCATION = (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP)
"""Error numbers of a file system that cannot reserve space."""


_MOST_COMPRESSED = 1100
"""The largest factor by which HDF5 compresses; that of gzip is 1,032."""


def write_hdf5(path: str, arrays: Arrays, name: str | None = None) -> None:
    """Writes arrays by name as float32 datasets; slashes in a name make groups.

    Each array is read just before it is written, so that only one is in memory. The file is neither read back nor
    flushed to the disk.

    The space is reserved first, and h5py writes through a file object of Python: on a full disk, h5py's own writing
    would end in an error that cannot be caught, or in a crash.

    Args:
        path: the file.
        arrays: the arrays to write.
        name: the file's name for error messages; None for `path`.

    Raises:
        InputError: a number is not finite in float32, the folder cannot be written, or the disk is full.
    """
    try:
        with open(path, "w+b") as raw, h5py.File(raw, "w") as file:
            _reserve_space(raw.fileno(), 4 * arrays.size)
            for key in arrays:
                file.create_dataset(key, data=arrays[key])
    except (OSError, SystemError) as error:  # h5py raises SystemError for a failed write from Python 3.13 on
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise InputError(f"{name or path} cannot be written: {reason}", path=name or path) from error


def _reserve_space(handle: int, size: int) -> None:
    """Reserves disk space for arrays of `size` bytes and a little more; h5py cuts the file to its length in the end."""
    if not hasattr(os, "posix_fallocate"):  # not on every system
        return
    try:
        os.posix_fallocate(handle, 0, size + (1 << 16))
    except OSError as error:
        if error.errno not in _NO_ALLOCATION:
            raise


@contextlib.contextmanager
def open_hdf5(path: str, name_of: Callable[[str], str] = str) -> Iterator[Arrays]:
    """Opens an HDF5 file; yields its datasets as arrays by name, each of which is read when it is looked up.

    Args:
        path: the file.
        name_of: turns the full name of a dataset into the name of the array.

    Raises:
        InputError: the file is missing, is no HDF5 file, is cut short or damaged, or an array does not hold numbers.
    """
    check_readable(path)
    with contextlib.ExitStack() as stack:
        with _translate_errors(path):
            file = stack.enter_context(h5py.File(path, "r"))
            keys = _find_datasets(file, path, name_of)
            shapes = {name: file[key].shape for name, key in keys.items()}

        def read(name: str) -> tf.Tensor:
            array = page_buffer(shapes[name])
            with _translate_errors(path):
                if array.size:
                    file[keys[name]].read_direct(array)
            return as_tensor(array)

        yield Arrays(path, shapes, read, keys)


def _find_datasets(file: h5py.File, path: str, name_of: Callable[[str], str]) -> dict[str, str]:
    """The full names of all datasets, by the names of their arrays; checks that they hold numbers."""
    keys: dict[str, str] = {}

    def collect(key: str | bytes, item: object) -> None:
        if isinstance(key, bytes):  # h5py gives bytes for a damaged name
            raise InputError(f"{path}: array {key!r}: a damaged name", path=path)
        if isinstance(item, h5py.Dataset):
            found = describe_non_numeric(item.id.get_type())
            if found is not None:
                what = "expected numbers (float16, float32, float64 or whole ones)"
                raise InputError(f"{path}: array {key}: {what}, got {found}", path=path)
            if item.shape is None:  # an empty dataset
                raise InputError(f"{path}: array {key}: expected numbers, got none", path=path)
            _check_storage(item, path, key)
            name = name_of(key)
            if name in keys:
                raise InputError(f"{path}: arrays {keys[name]} and {key} are of the same weight", path=path)
            keys[name] = key

    file.visititems(collect)
    return keys


def _check_storage(dataset: h5py.Dataset, path: str, key: str) -> None:
    """Raises an `InputError` if the file does not hold the numbers that a dataset's header promises.

    HDF5 would give zeros for numbers that were never written, in as much memory as the header asks for, and would read
    numbers that the header places in other files.
    """
    if dataset.external or dataset.is_virtual:
        raise InputError(f"{path}: array {key}: expected its numbers in this file, got those of other files", path=path)
    held, size = dataset.id.get_storage_size(), dataset.size * dataset.dtype.itemsize
    is_compressed = dataset.id.get_create_plist().get_nfilters() > 0
    if held * (_MOST_COMPRESSED if is_compressed else 1) < size:
        raise InputError(
            f"{path}: array {key}: expected {size:,} bytes by its header, got {held:,}: not all of it was written",
            path=path,
        )


@contextlib.contextmanager
def _translate_errors(path: str) -> Iterator[None]:
    """Turns h5py's errors into an `InputError` that names the file."""
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

_NON_NUMERIC = {
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
    """The type of a dataset's elements in words, where they are not numbers that can be read; None where they are.

    Args:
        kind: the dataset's type, `dataset.id.get_type()`; numbers of either byte order are read.

    Example:

    >>> describe_non_numeric(h5t.IEEE_F32BE), describe_non_numeric(h5t.C_S1)
    (None, 'text, of 1 byte each')
    """
    if any(kind.equal(number) for number in _NUMBERS):
        return None
    size = kind.get_size()
    return f"{_NON_NUMERIC.get(kind.get_class(), 'another type')}, of {size} byte{'' if size == 1 else 's'} each"
