"""`weights.hdf5` of bilm-tf and AllenNLP: written whole or not at all, read with every name and shape checked."""

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
        InputError: a number is not finite, the folder cannot be written, or the disk is full.
    """
    for name, array in arrays.items():
        if not np.isfinite(array).all():
            raise InputError(f"array {name} holds numbers that are not finite; {path} was not written")
    try:
        with replacing(path) as temporary:
            with h5py.File(temporary, "w") as file:
                for name, array in arrays.items():
                    file.create_dataset(name, data=array, dtype="float32")
            written = read_arrays(temporary)
            for name, array in arrays.items():
                if not np.array_equal(written[name], array.astype(np.float32)):
                    raise InputError(f"{path}: array {name} read back differs from what was written: a bad disk?")
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error}") from error


def read_arrays(path: str) -> dict[str, np.ndarray]:
    """All datasets of an HDF5 file by their full names, in float32.

    Raises:
        InputError: there is no such file, it is no HDF5 file, or it is cut short.
    """
    arrays: dict[str, np.ndarray] = {}

    def collect(name: str, item: object) -> None:
        if isinstance(item, h5py.Dataset):
            arrays[name] = np.asarray(item, np.float32)

    try:
        with h5py.File(path, "r") as file:
            file.visititems(collect)
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file") from error
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read as HDF5, it is another kind of file or cut short: {error}") from error
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
