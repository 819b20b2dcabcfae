"""Reads and writes whole HDF5 weight files as dictionaries of arrays."""

import numpy as np

from elmo_tf.errors import InputError
from elmo_tf.formats.array_checks import check_shapes
from elmo_tf.formats.arrays import Arrays
from elmo_tf.formats.hdf5 import open_hdf5, write_hdf5
from elmo_tf.models.tf1_weight_names import our_name
from elmo_tf.system.atomic_files import atomic_write


def write_arrays(path, arrays):
    """Writes arrays by name into a file, atomically, after reading them back and comparing them."""
    wanted = arrays if isinstance(arrays, Arrays) else Arrays.of(f"{path} was not written", arrays)
    with atomic_write(path) as temporary:
        write_hdf5(temporary, wanted, path)
        with open_hdf5(temporary) as written:
            for name in wanted:
                if not np.array_equal(written[name], wanted[name]):
                    raise InputError(f"{path}: array {name} read back differs from what was written")


def read_arrays(path):
    """Reads all arrays by our names, in float32."""
    with open_hdf5(path, our_name) as arrays:
        return {name: arrays[name] for name in arrays}


def read_weights(path, expected):
    """Compares the names and shapes of a file's arrays with the expected ones; returns the arrays."""
    with open_hdf5(path, our_name) as arrays:
        check_shapes(expected, arrays.shapes, path)
        return {name: arrays[name] for name in expected}
