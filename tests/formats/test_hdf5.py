"""HDF5 files: written whole or not at all; read with checks of names, shapes and numbers."""

import resource

import h5py
import numpy as np
import pytest
from hdf5_files import read_arrays, read_weights, write_arrays
from refusals import refused

from elmo_tf.errors import InputError

RANDOM = np.random.default_rng(0)
ARRAYS = {
    "char_embed": RANDOM.normal(size=(261, 4)).astype("float32"),
    "CNN/W_cnn_0": RANDOM.normal(size=(1, 2, 4, 3)).astype("float32"),
    "RNN_0/RNN/MultiRNNCell/Cell0/LSTMCell/B": np.array([0.0, -0.0, 1e-45, 3e38], "float32"),
}
SHAPES = {name: array.shape for name, array in ARRAYS.items()}


@pytest.fixture
def path(tmp_path):
    """A good file."""
    write_arrays(str(tmp_path / "weights.hdf5"), ARRAYS)
    return tmp_path / "weights.hdf5"


def test_a_file_has_exactly_the_arrays_in_float32_to_the_last_bit(path):
    with h5py.File(path) as file:
        names = []
        file.visititems(lambda name, item: names.append(name) if isinstance(item, h5py.Dataset) else None)
        assert sorted(names) == sorted(ARRAYS)
        for name, array in ARRAYS.items():
            assert file[name].dtype == np.dtype("<f4")
            assert file[name][...].tobytes() == array.tobytes()


def test_arrays_read_back_as_written(path):
    arrays = read_weights(str(path), SHAPES)
    assert arrays.keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        assert arrays[name].dtype == np.float32
        assert arrays[name].tobytes() == array.tobytes()


def test_other_types_are_written_as_float32_and_read_as_float32(tmp_path):
    path = str(tmp_path / "weights.hdf5")
    write_arrays(path, {"x": np.array([1 / 3], "float64"), "y": np.arange(3)})
    arrays = read_arrays(path)
    assert arrays["x"][0] == np.float32(1 / 3)
    assert arrays["y"].dtype == np.float32
    with h5py.File(path, "w") as file:
        file["half"] = np.array([0.5], "float16")
    assert read_arrays(path)["half"].dtype == np.float32


def test_the_file_replaces_the_one_before_and_leaves_nothing_beside_it(path):
    write_arrays(str(path), {"x": np.ones(2)})
    assert list(read_arrays(str(path))) == ["x"]
    assert [entry.name for entry in path.parent.iterdir()] == ["weights.hdf5"]


def test_the_folder_is_made(tmp_path):
    write_arrays(str(tmp_path / "new" / "one" / "weights.hdf5"), ARRAYS)
    assert (tmp_path / "new" / "one" / "weights.hdf5").is_file()


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf, 1e39])
def test_numbers_that_are_not_finite_in_float32_are_not_written(path, number):
    before = path.read_bytes()
    message = refused(write_arrays, str(path), {**ARRAYS, "CNN/b_cnn_0": np.array([0.0, number])})
    assert "CNN/b_cnn_0" in message
    assert str(path) in message
    assert path.read_bytes() == before
    assert [entry.name for entry in path.parent.iterdir()] == ["weights.hdf5"]


def test_a_full_disk_leaves_the_file_before_and_nothing_else(path):
    before, usual = path.read_bytes(), resource.getrlimit(resource.RLIMIT_FSIZE)
    big = {"x": np.zeros((300, 1000), "float32")}
    resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, usual[1]))  # as a disk with that much space
    try:
        message = refused(write_arrays, str(path), big)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, usual)
    assert message == f"{path} cannot be written: File too large"
    assert path.read_bytes() == before
    assert [entry.name for entry in path.parent.iterdir()] == ["weights.hdf5"]


def test_a_folder_in_the_place_of_the_file_is_named(tmp_path):
    assert str(tmp_path) in refused(write_arrays, str(tmp_path), ARRAYS)
    assert refused(read_arrays, str(tmp_path)) == f"{tmp_path} cannot be read: Is a directory"


def test_a_missing_file_is_named(tmp_path):
    path = tmp_path / "weights.hdf5"
    assert refused(read_arrays, str(path)) == f"{path} cannot be read: No such file or directory"


@pytest.mark.parametrize("content", [b"", b"no HDF5", b"\x89HDF\r\n\x1a\n", b"\x89HDF\r\n\x1a\n" + bytes(500)])
def test_another_kind_of_file_is_named(tmp_path, content):
    path = tmp_path / "weights.hdf5"
    path.write_bytes(content)
    message = refused(read_arrays, str(path))
    assert message.startswith(f"{path} cannot be read as HDF5")


def test_a_file_cut_short_anywhere_is_named(path):
    content = path.read_bytes()
    for size in [*range(0, len(content), 97), len(content) - 1]:
        path.write_bytes(content[:size])
        assert refused(read_weights, str(path), SHAPES).startswith(f"{path} cannot be read as HDF5")


def test_a_damaged_file_is_read_or_is_an_error_that_names_it(path):
    content, random, messages = path.read_bytes(), np.random.default_rng(1), []
    for _ in range(150):
        damaged = bytearray(content)
        for place in random.integers(0, 4000, 6):
            damaged[place] = random.integers(256)
        path.write_bytes(damaged)
        try:
            read_arrays(str(path))
        except InputError as error:
            messages.append(str(error))
    assert len(messages) > 20
    assert all(message.startswith(str(path)) for message in messages)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"char_embed": None}, ["char_embed", "missing", "(261, 4)"]),
        ({"char_embed": np.zeros((262, 4))}, ["char_embed", "(261, 4)", "(262, 4)"]),
        ({"CNN/W_cnn_0": np.zeros((1, 2, 4, 3, 1))}, ["CNN/W_cnn_0", "(1, 2, 4, 3)", "(1, 2, 4, 3, 1)"]),
        ({"CNN/W_cnn_1": np.zeros(3)}, ["CNN/W_cnn_1", "no place"]),
        ({"char_embed": np.full((261, 4), np.nan)}, ["char_embed", "not finite"]),
        ({"char_embed": np.full((261, 4), np.inf)}, ["char_embed", "not finite"]),
        ({"char_embed": np.full((261, 4), b"x")}, ["char_embed", "expected numbers"]),
        ({"char_embed": h5py.Empty("f4")}, ["char_embed", "expected numbers, got none"]),
    ],
)
def test_a_wrong_array_is_named_with_its_file(path, changes, words):
    with h5py.File(path, "a") as file:
        for name, array in changes.items():
            if name in file:
                del file[name]
            if array is not None:
                file[name] = array
    message = refused(read_weights, str(path), SHAPES)
    assert message.startswith(f"{path}: array ")
    for word in words:
        assert word in message
