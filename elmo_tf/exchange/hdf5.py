"""`weights.hdf5` of bilm-tf and AllenNLP: written whole or not at all, read with every name and shape checked."""

import io
from collections.abc import Mapping

import h5py
import numpy as np

from elmo_tf.errors import InputError
from elmo_tf.exchange.names import check_shapes
from elmo_tf.files import replacing


def write_arrays(path: str, arrays: Mapping[str, np.ndarray]) -> None:
    """Writes arrays by name as float32 datasets; slashes in a name make groups.

    The file appears only after it was read back to the same numbers.

    Raises:
        InputError: a number is not finite in float32, the folder cannot be written, or the disk is full.
    """
    with np.errstate(over="ignore"):
        singles = {name: np.asarray(array, np.float32) for name, array in arrays.items()}
    for name, array in singles.items():
        if not np.isfinite(array).all():
            raise InputError(f"array {name} holds numbers that are not finite in float32; {path} was not written")
    try:
        with replacing(path) as temporary:
            with open(temporary, "wb") as file:
                file.write(_image(singles))
            written = read_arrays(temporary)
            for name, array in singles.items():
                if not np.array_equal(written[name], array):
                    raise InputError(f"{path}: array {name} read back differs from what was written: a bad disk?")
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror or error}") from error


def _image(arrays: Mapping[str, np.ndarray]) -> memoryview:
    """The bytes of the file. Made in memory, for on a full disk h5py raises other errors, some only when it closes."""
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        for name, array in arrays.items():
            file.create_dataset(name, data=array)
    return buffer.getbuffer()


def read_arrays(path: str) -> dict[str, np.ndarray]:
    """All datasets of an HDF5 file by their full names, in float32.

    Raises:
        InputError: there is no such file, it is no HDF5 file, it is cut short or damaged, or an array holds no numbers.
    """
    arrays: dict[str, np.ndarray] = {}

    def collect(name: str, item: object) -> None:
        if isinstance(item, h5py.Dataset):
            if item.dtype.kind not in "fiu":
                raise InputError(f"{path}: array {name}: expected numbers, got {item.dtype}")
            arrays[name] = np.asarray(item, np.float32)

    try:
        with open(path, "rb"):  # what is missing, a folder or not ours to read shows here, in plain words
            pass
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error
    try:
        with h5py.File(path, "r") as file:
            file.visititems(collect)
    except InputError:
        raise
    except (OSError, RuntimeError, ValueError, KeyError) as error:  # h5py has one of these for each kind of damage
        reason = " ".join(str(error).split())
        raise InputError(f"{path} cannot be read as HDF5, it is another kind of file or cut short: {reason}") from error
    return arrays


def read_weights(path: str, expected: Mapping[str, tuple[int, ...]]) -> dict[str, np.ndarray]:
    """The arrays of a `weights.hdf5`, after every name and shape was compared with what the options ask for.

    Args:
        path: the file.
        expected: names and shapes, from `elmo_tf.exchange.names.expected_shapes`.

    Raises:
        InputError: as `read_arrays`, and where an array is missing, misshapen, too many or not finite.
    """
    arrays = read_arrays(path)
    check_shapes(expected, {name: array.shape for name, array in arrays.items()}, path)
    for name, array in arrays.items():
        if not np.isfinite(array).all():
            raise InputError(f"{path}: array {name} holds numbers that are not finite")
    return arrays
