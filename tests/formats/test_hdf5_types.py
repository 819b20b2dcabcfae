"""Datasets with numbers are distinguished from others by the type in the file."""

import h5py
import numpy as np
import pytest
from h5py import h5t
from hdf5_files import read_arrays

from elmo_tf.errors import InputError


def bfloat16():
    """The HDF5 type of bfloat16, in which TPUs and GPUs compute."""
    kind = h5t.IEEE_F32LE.copy()
    kind.set_fields(15, 7, 8, 0, 7)
    kind.set_size(2)
    kind.set_ebias(127)
    return kind


def of_other_bias():
    kind = h5t.IEEE_F32LE.copy()
    kind.set_ebias(100)
    return kind


def of_24_bits():
    kind = h5t.STD_I32LE.copy()
    kind.set_precision(24)
    return kind


REFUSED = {
    "bfloat16": (bfloat16(), "floats that are none of these, of 2 bytes each"),
    "odd float": (of_other_bias(), "floats that are none of these, of 4 bytes each"),
    "odd whole": (of_24_bits(), "whole numbers of an unusual size, of 4 bytes each"),
    "boolean": (h5t.py_create(np.dtype(bool), logical=True), "named values, such as true and false, of 1 byte each"),
    "enum": (h5t.py_create(h5py.enum_dtype({"a": 0, "b": 1}), logical=True), "named values, such as true and false"),
    "complex": (h5t.py_create(np.dtype("c8")), "records, or complex numbers, of 8 bytes each"),
    "compound": (h5t.py_create(np.dtype([("a", "f4")])), "records, or complex numbers, of 4 bytes each"),
    "text": (h5t.py_create(np.dtype("S3")), "text, of 3 bytes each"),
    "vlen text": (h5t.py_create(h5py.string_dtype(), logical=True), "text"),
    "vlen": (h5t.py_create(h5py.vlen_dtype("f4"), logical=True), "lists of different lengths"),
    "array": (h5t.array_create(h5t.IEEE_F32LE, (3,)), "arrays as elements, of 12 bytes each"),
    "opaque": (h5t.py_create(np.dtype("V4")), "opaque bytes, of 4 bytes each"),
    "bits": (h5t.STD_B8LE, "bits, of 1 byte each"),
    "reference": (h5t.STD_REF_OBJ, "references, of 8 bytes each"),
    "time": (h5t.UNIX_D32LE, "times, of 4 bytes each"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_dataset_without_numbers_is_refused_with_its_name_and_type(tmp_path, name):
    kind, came = REFUSED[name]
    path = str(tmp_path / "weights.hdf5")
    with h5py.File(path, "w") as file:
        h5py.h5d.create(file.id, b"CNN_b", kind, h5py.h5s.create_simple((2,)))
    with pytest.raises(InputError) as caught:
        read_arrays(path)
    expected = f"{path}: array CNN_b: expected numbers (float16, float32, float64 or whole ones), got {came}"
    assert str(caught.value).startswith(expected)


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("kind", ["f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8"])
def test_numbers_of_either_byte_order_are_read_right(tmp_path, kind, order):
    values = np.array([[0, 1, 2], [3, 100, 127]], order + kind)
    if kind.startswith("f"):
        values += np.array(0.5, values.dtype)
    path = str(tmp_path / "weights.hdf5")
    with h5py.File(path, "w") as file:
        file["x"] = values
    found = read_arrays(path)["x"]
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, values.astype("f8"))


def test_a_line_break_in_a_name_does_not_break_the_sentence(tmp_path):
    path = str(tmp_path / "weights.hdf5")
    with h5py.File(path, "w") as file:
        file["a\nb"] = "text"
    with pytest.raises(InputError) as caught:
        read_arrays(path)
    assert str(caught.value).startswith(rf"{path}: array a\nb: expected numbers (")
