"""Files of PyTorch in both formats are read without PyTorch; damaged and foreign files are one clear error."""

import io
import os
import pickle
import struct
import zipfile

import manylangs_models
import numpy as np
import pytest
from manylangs_models import Build, Call, Name, Persistent, pickled
from refusals import refused

from elmo_tf.formats.pytorch_files import open_pytorch

ARRAYS = {
    "a.weight": np.arange(6, dtype="f4").reshape(2, 3) / 7,
    "a.bias": np.array([-1.5, 2.25], "f4"),
    "scalar": np.array(3.0, "f4"),
    "empty": np.zeros((0, 4), "f4"),
}


def read(path):
    with open_pytorch(str(path)) as arrays:
        return {name: arrays[name] for name in arrays}


def opened(path):
    with open_pytorch(str(path)):
        pass


@pytest.mark.parametrize("zipped", [False, True])
def test_arrays_come_back_as_they_were(tmp_path, zipped):
    manylangs_models.write_pytorch(tmp_path / "x.pkl", ARRAYS, zipped)
    came = read(tmp_path / "x.pkl")
    assert list(came) == list(ARRAYS)
    for name, array in ARRAYS.items():
        assert came[name].dtype == np.float32
        np.testing.assert_array_equal(came[name], array, strict=True)


def view(start, shape, strides, stored=6, kind="FloatStorage", key="0", module="torch", rebuild="_rebuild_tensor_v2"):
    """A tensor as `torch.save` pickles it."""
    storage = Persistent(("storage", Name(module, kind), key, "cpu", stored, None))
    return Call("torch._utils", rebuild, storage, start, shape, strides, False, Call("collections", "OrderedDict"))


def write(path, content, numbers=range(6), dtype="<f4", keys=("0",)):
    """Writes a legacy file of one storage with a dictionary of its tensors."""
    order, little = dtype[0], dtype[0] == "<"
    parts = (0x1950A86A20F9469CFC6C, 1001, {"little_endian": little}, content, list(keys))
    data = struct.pack(f"{order}q", len(numbers)) + np.asarray(numbers).astype(dtype).tobytes()
    path.write_bytes(b"".join(map(pickled, parts)) + data)
    return path


def test_views_of_one_storage_are_read_by_start_and_strides(tmp_path):
    content = {"rows": view(0, (2, 3), (3, 1)), "columns": view(0, (3, 2), (1, 3)), "end": view(4, (2,), (1,))}
    came = read(write(tmp_path / "x.pkl", content))
    np.testing.assert_array_equal(came["rows"], np.arange(6).reshape(2, 3))
    np.testing.assert_array_equal(came["columns"], np.arange(6).reshape(2, 3).T)
    np.testing.assert_array_equal(came["end"], [4, 5])


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize(("kind", "dtype"), [("Half", "f2"), ("Float", "f4"), ("Double", "f8")])
@pytest.mark.parametrize("module", ["torch", "torch.cuda"])
def test_every_size_and_order_of_floating_point_numbers_is_read(tmp_path, order, kind, dtype, module):
    content = {"x": view(1, (5,), (1,), kind=f"{kind}Storage", module=module)}
    came = read(write(tmp_path / "x.pkl", content, np.arange(6) / 4, order + dtype))
    np.testing.assert_array_equal(came["x"], np.arange(1, 6) / 4)


def test_tensors_of_versions_before_0_4_are_read(tmp_path):
    came = read(write(tmp_path / "x.pkl", {"x": view(0, (6,), (1,), rebuild="_rebuild_tensor")}))
    np.testing.assert_array_equal(came["x"], np.arange(6))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([1], "it holds no dictionary of tensors"),
        (view(0, (6,), (1,)), "it holds no dictionary of tensors"),
        ({1: view(0, (6,), (1,))}, "it holds no dictionary of tensors"),
        ({"x": 1}, "array x: expected a tensor of float16, float32 or float64"),
        ({"x": view(0, (6,), (1,), kind="LongStorage")}, "it names torch LongStorage"),
        ({"x": view(0, (6,), (1,), kind="_rebuild_tensor", module="torch._utils")}, "array x: expected a tensor"),
        ({"x": view(0, (6,), (1, 1))}, "array x: expected a tensor"),
        ({"x": view(-1, (6,), (1,))}, "array x: expected a tensor"),
        ({"x": view(5, (6,), (-1,))}, "array x: expected a tensor"),
        ({"x": view(True, (6,), (1,))}, "array x: expected a tensor"),
        ({"x": view(1, (6,), (1,))}, "array x does not lie within its storage"),
        ({"x": view(0, (7,), (0,))}, "array x does not lie within its storage"),
        ({"x": view(0, (2, 3), (4, 1))}, "array x does not lie within its storage"),
        ({"x": view(0, (6,), (1,), stored=7)}, "a storage has 6 elements, expected 7"),
        ({"x": view(0, (6,), (1,)), "y": view(0, (5,), (1,), stored=5)}, "two tensors differ about their storage"),
        ({"x": view(0, (6,), (1,), key="1")}, "its list of storages is damaged"),
        ({"x": view(0, (6,), (1,)), "y": Build({}, {}, {})}, "array y: expected a tensor"),
    ],
)
def test_a_file_that_is_not_of_tensors_within_their_storages_is_refused(tmp_path, content, message):
    path = write(tmp_path / "x.pkl", content)
    assert refused(opened, path).startswith(
        f"{path} cannot be read as weights of PyTorch, it is another kind of file or damaged: {message}"
    )


@pytest.mark.parametrize("zipped", [False, True])
def test_a_file_that_is_cut_short_is_refused_wherever_it_is_cut(tmp_path, zipped):
    manylangs_models.write_pytorch(tmp_path / "x.pkl", {"x": np.arange(3, dtype="f4")}, zipped)
    content = (tmp_path / "x.pkl").read_bytes()
    for length in range(0, len(content), 3):
        (tmp_path / "x.pkl").write_bytes(content[:length])
        assert "cannot be read as weights of PyTorch" in refused(opened, tmp_path / "x.pkl")


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({}, "without data.pkl"),
        ({"a/data.pkl": b"", "b/data.pkl": b""}, "without data.pkl"),
        ({"a/data.pkl": pickled({"x": view(0, (6,), (1,))})}, "the storage 0 is missing or has another size than 24"),
        ({"a/data.pkl": pickled({"x": view(0, (6,), (1,))}), "a/data/0": b"12"}, "the storage 0 is missing or has"),
    ],
)
def test_a_zip_file_that_lacks_a_part_is_refused(tmp_path, members, message):
    path = tmp_path / "x.pkl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("other", "text")
        for name, content in members.items():
            archive.writestr(name, content)
    assert message in refused(opened, path)


def test_a_missing_file_and_a_folder_are_named(tmp_path):
    assert refused(opened, tmp_path / "x.pkl") == f"{tmp_path}/x.pkl cannot be read: No such file or directory"
    assert refused(opened, tmp_path) == f"{tmp_path} cannot be read: Is a directory"


class Evil:
    """An object whose pickle runs a command where `pickle.load` reads it."""

    def __init__(self, marker):
        self.command = f"touch {marker}"

    def __reduce__(self):
        return os.system, (self.command,)


def evil_files(marker):
    """The bytes of files of both formats with a command in each of their pickles."""
    evil = pickle.dumps({"weights": Evil(marker)}, 2)
    harmless = [pickled(part) for part in (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}, {}, [])]
    for number in range(len(harmless)):
        yield b"".join([*harmless[:number], evil, *harmless[number + 1 :]])
    yield evil
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("a/data.pkl", evil)
    yield packed.getvalue()


def test_a_malicious_file_is_refused_and_runs_nothing(tmp_path):
    marker, files = tmp_path / "marker", 0
    for content in evil_files(marker):
        (tmp_path / "x.pkl").write_bytes(content)
        assert "it names posix system, which no file of weights needs" in refused(opened, tmp_path / "x.pkl")
        files += 1
    assert files == 7
    assert not marker.exists()
    pickle.loads(pickle.dumps(Evil(marker), 2))
    assert marker.exists(), "the object of the test does nothing"
