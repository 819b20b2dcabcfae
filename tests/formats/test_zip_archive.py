"""ZIP files: only the files of the model are unpacked, and an error says what is wrong and what to do."""

import errno
import os
import shutil
import tempfile
import warnings
import zipfile

import pytest
from refusals import refused

from elmo_tf.formats.zip_archive import unpack_zip

MODEL = (("model.hdf5", b"weights"), ("options.json", b"{}"), ("vocab.txt", b"words"))


def zip_of(path, *members):
    with zipfile.ZipFile(path, "w") as archive, warnings.catch_warnings(action="ignore"):  # of names that repeat
        for name, content in members:
            archive.writestr(name, content)
    return str(path)


def names_in(path):
    with unpack_zip(path, "softmax.hdf5") as folder:
        return sorted(os.listdir(folder))


@pytest.mark.parametrize("folder", ["", "11/", "a/b/"])
def test_the_attribute_files_of_macos_are_not_unpacked(tmp_path, folder):
    path = zip_of(
        tmp_path / "a.zip",
        *((folder + name, content) for name, content in MODEL),
        *((f"__MACOSX/{folder}._{name}", b"fork") for name, _ in MODEL),
        (f"__MACOSX/{folder}weights.hdf5", b"fork"),
        (f"{folder}._weights.hdf5", b"fork"),
        (f"{folder}.DS_Store", b"view"),
    )
    assert names_in(path) == ["model.hdf5", "options.json", "vocab.txt"]


@pytest.mark.parametrize("name", ["model.hdf5", "options.json", "vocab.txt"])
def test_a_name_that_occurs_twice_is_refused(tmp_path, name):
    path = zip_of(tmp_path / "a.zip", *MODEL, (name, b"another"))
    assert refused(names_in, path) == f"{path}: the name '{name}' stands in it 2 times; expected every file once"


def test_repeated_names_of_other_files_or_in_another_case_do_no_harm(tmp_path):
    others = (("x/notes.txt", b"1"), ("x/notes.txt", b"2"), ("README", b"1"), ("README", b"2"), ("VOCAB.txt", b"3"))
    path = zip_of(tmp_path / "a.zip", *MODEL, *others)
    assert names_in(path) == ["VOCAB.txt", "model.hdf5", "options.json", "vocab.txt"]


def test_too_little_space_is_an_error_with_advice(tmp_path, monkeypatch):
    path = zip_of(tmp_path / "a.zip", *MODEL)
    usage = shutil.disk_usage(tmp_path)._replace(free=13)
    monkeypatch.setattr("shutil.disk_usage", lambda folder: usage)
    assert refused(names_in, path) == (
        f"{path} needs 14 bytes to be unpacked, the temporary folder {tempfile.gettempdir()} has 13: "
        "set the environment variable TMPDIR to a folder with more room"
    )


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_disk_that_fills_up_while_unpacking_is_an_error_with_advice(tmp_path, monkeypatch, number):
    def copy(source, target, length):
        raise OSError(number, os.strerror(number))

    path = zip_of(tmp_path / "a.zip", *MODEL)
    monkeypatch.setattr("shutil.copyfileobj", copy)
    assert refused(names_in, path) == (
        f"{path} cannot be unpacked: {os.strerror(number)}: "
        "set the environment variable TMPDIR to a folder with more room"
    )


def test_a_missing_temporary_folder_is_an_input_error(tmp_path, monkeypatch):
    path = zip_of(tmp_path / "a.zip", *MODEL)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "none"))
    assert refused(names_in, path).startswith(
        f"{path} cannot be unpacked: No such file or directory: set the environment var"
    )


def test_a_line_break_in_a_name_does_not_break_the_sentence(tmp_path):
    path = zip_of(tmp_path / "a.zip", ("a\nmodel.hdf5", b""), ("b\nmodel.hdf5", b""))
    assert r"holds 2 models, a\nmodel.hdf5, b\nmodel.hdf5: expected one" in refused(names_in, path)
