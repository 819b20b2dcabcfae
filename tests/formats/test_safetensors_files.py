"""Safetensors files: numbers of every type are read; anything else is one error that names file and array."""

import json
import struct

import numpy as np
import pytest
from refusals import refused

from elmo_tf.errors import InputError
from elmo_tf.formats.arrays import Arrays
from elmo_tf.formats.safetensors_files import open_safetensors, write_safetensors

safetensors = pytest.importorskip("safetensors")

VALUES = np.array([[0.0, -0.0, 1.5], [-3.25, 100.0, 2.0]])
EXPECTED = "numbers (bfloat16, float16, float32, float64 or whole ones)"


def made(path, kind, shape, content, name="x"):
    """Writes a file byte by byte, for types that NumPy lacks."""
    header = json.dumps({name: {"dtype": kind, "shape": shape, "data_offsets": [0, len(content)]}}).encode()
    header += b" " * (-len(header) % 8)
    path.write_bytes(struct.pack("<Q", len(header)) + header + content)
    return str(path)


def read(path):
    with open_safetensors(path) as arrays:
        return dict(arrays.items())


@pytest.mark.parametrize("kind", ["f2", "f4", "f8"])
def test_floats_of_every_width_are_read(tmp_path, kind):
    path = made(tmp_path / "a.safetensors", f"F{8 * int(kind[1])}", [2, 3], VALUES.astype(f"<{kind}").tobytes())
    found = read(path)["x"]
    assert found.dtype == np.float32
    assert found.tobytes() == VALUES.astype("f4").tobytes()


@pytest.mark.parametrize("sign", "iu")
@pytest.mark.parametrize("width", [1, 2, 4, 8])
def test_whole_numbers_of_every_width_are_read(tmp_path, sign, width):
    values = np.array([0, 1, 127], f"<{sign}{width}")
    path = made(tmp_path / "a.safetensors", f"{sign.upper()}{8 * width}", [3], values.tobytes())
    np.testing.assert_array_equal(read(path)["x"], [0, 1, 127])


def test_bfloat16_is_read_to_the_last_bit_wherever_it_lies(tmp_path):
    random = np.random.default_rng(0)
    wanted = {name: random.normal(size=(3, 5)).astype("f4") for name in "abc"}
    halves = {name: (array.view("<u4") >> 16).astype("<u2") for name, array in wanted.items()}
    header = {"__metadata__": {"format": "pt"}}
    for number, name in enumerate(wanted):
        header[name] = {"dtype": "BF16", "shape": [3, 5], "data_offsets": [30 * number, 30 * number + 30]}
    text = json.dumps(header).encode()
    content = struct.pack("<Q", len(text)) + text + b"".join(array.tobytes() for array in halves.values())
    (tmp_path / "a.safetensors").write_bytes(content)
    found = read(str(tmp_path / "a.safetensors"))
    for name, array in wanted.items():
        assert found[name].dtype == np.float32
        np.testing.assert_array_equal(found[name].view("u4"), array.view("u4") & 0xFFFF0000)
        np.testing.assert_allclose(found[name], array, rtol=2**-7)


@pytest.mark.parametrize("shape", [[], [0], [2, 0]])
def test_bfloat16_of_one_number_or_none_keeps_its_shape(tmp_path, shape):
    content = b"\x80\x3f" if not shape else b""  # 1.0
    found = read(made(tmp_path / "a.safetensors", "BF16", shape, content))["x"]
    assert found.shape == tuple(shape)
    assert (found == 1).all()


def test_bfloat16_that_is_not_finite_is_named(tmp_path):
    path = made(tmp_path / "a.safetensors", "BF16", [1], b"\xc0\x7f")
    assert refused(read, path) == f"{path}: array x holds numbers that are not finite in float32"


@pytest.mark.parametrize(
    ("kind", "numbers", "size"),
    [
        ("BOOL", 4, 4),
        ("F8_E4M3", 4, 4),
        ("F8_E5M2", 4, 4),
        ("F8_E8M0", 4, 4),
        ("F4", 8, 4),
        ("F6_E2M3", 4, 3),
        ("C64", 1, 8),
    ],
)
def test_an_array_without_numbers_or_with_too_few_bits_is_refused_by_name(tmp_path, kind, numbers, size):
    path = made(tmp_path / "a.safetensors", kind, [numbers], bytes(size))
    message = refused(read, path)
    # an older package knows fewer kinds, and says which they are
    of_package = message.startswith(f"{path} cannot be read as safetensors") and kind in message
    assert of_package or message == f"{path}: array x: expected {EXPECTED}, got {kind}"


def test_an_array_that_the_package_cannot_read_is_named(tmp_path, monkeypatch):
    path = made(tmp_path / "a.safetensors", "F32", [1], bytes(4))
    real = safetensors.safe_open

    class Broken:
        def __init__(self, *arguments, **keywords):
            self._file = real(*arguments, **keywords)

        def __enter__(self):
            self._file.__enter__()
            return self

        def __exit__(self, *error):
            return self._file.__exit__(*error)

        def __getattr__(self, name):
            return getattr(self._file, name)

        def get_tensor(self, name):
            raise self.error

    monkeypatch.setattr(safetensors, "safe_open", Broken)
    for error in (safetensors.SafetensorError("odd"), AttributeError("odd"), TypeError("odd"), OSError(5, "odd")):
        Broken.error = error
        assert refused(read, path) == f"{path}: array x cannot be read: odd"


@pytest.mark.parametrize("content", [b"", b"no safetensors", b"\xff" * 8, struct.pack("<Q", 99) + b"{}"])
def test_another_kind_of_file_is_named(tmp_path, content):
    path = tmp_path / "a.safetensors"
    path.write_bytes(content)
    assert refused(read, str(path)).startswith(
        f"{path} cannot be read as safetensors, it is another kind of file or damaged"
    )


def test_a_missing_file_or_a_folder_is_a_plain_error(tmp_path):
    assert refused(read, str(tmp_path)) == f"{tmp_path} cannot be read: Is a directory"
    assert refused(read, f"{tmp_path}/none") == f"{tmp_path}/none cannot be read: No such file or directory"


def test_a_name_with_a_line_break_does_not_break_the_sentence(tmp_path):
    path = made(tmp_path / "a.safetensors", "BOOL", [1], bytes(1), name="a\nb")
    assert refused(read, path) == rf"{path}: array a\nb: expected {EXPECTED}, got BOOL"


def test_a_damaged_file_is_read_or_is_an_error_that_names_it(tmp_path):
    path = str(tmp_path / "a.safetensors")
    write_safetensors(path, Arrays.of("x", {"a/b": np.ones((3, 2), "f4"), "c": np.zeros(5, "f4")}), {"options": "{}"})
    content, random, messages = (tmp_path / "a.safetensors").read_bytes(), np.random.default_rng(0), []
    for _ in range(400):
        damaged = bytearray(content)
        for place in random.integers(0, len(content), 2):
            damaged[place] = random.integers(256)
        (tmp_path / "a.safetensors").write_bytes(damaged)
        try:
            read(path)
        except InputError as error:
            messages.append(str(error))
    assert len(messages) > 100
    assert all(message.startswith(path) and len(message.splitlines()) == 1 for message in messages)
