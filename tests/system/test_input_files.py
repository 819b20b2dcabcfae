"""Reading files that the user names: JSON, and the checks that a path can be read."""

import hashlib

import pytest

from elmo_tf.errors import InputError, escape
from elmo_tf.system import input_files


def test_json_reads(tmp_path):
    (tmp_path / "x.json").write_text('{"a": [1, "æ"]}', "utf-8")
    assert input_files.read_json(str(tmp_path / "x.json")) == {"a": [1, "æ"]}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"a": 1,\n "b" 2}', r"x\.json, line 2: not valid JSON"),
        (b"", r"x\.json, line 1: not valid JSON"),
        (b'{"a": "\xff"}', r"x\.json is not UTF-8 text: .* at byte 7"),
        (None, r"x\.json cannot be read: No such file"),
        (b'{"a": {"b": 1, "c": 2, "b": 3}}', r"x\.json: 'b' stands twice in one object"),
    ],
)
def test_a_file_that_is_no_json_is_refused_by_name(tmp_path, content, message):
    path = tmp_path / "x.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=message):
        input_files.read_json(str(path))


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ((b'{"a": ', 100_000), "objects or lists nested too deeply to be read"),
        ((b"[", 100_000), "objects or lists nested too deeply to be read"),
        ((b"9", 5000), "a number with too many digits to be read"),
    ],
)
def test_json_that_python_does_not_read_is_refused_by_name(tmp_path, parts, message):
    content, times = parts
    (tmp_path / "x.json").write_bytes(content * times)
    with pytest.raises(InputError, match=rf"x\.json: expected a JSON file, got {message}$"):
        input_files.read_json(str(tmp_path / "x.json"))


def test_a_missing_path_or_a_folder_is_refused_by_name(tmp_path):
    (tmp_path / "file").touch()
    input_files.check_readable(str(tmp_path / "file"))
    with pytest.raises(InputError, match=r"none cannot be read: No such file or directory$"):
        input_files.check_readable(str(tmp_path / "none"))
    with pytest.raises(InputError, match=f"^{tmp_path} cannot be read: Is a directory$"):
        input_files.check_readable(str(tmp_path))


def test_the_hash_is_that_of_the_whole_content(tmp_path):
    content = b"0123456789" * 100_000
    (tmp_path / "file").write_bytes(content)
    assert input_files.sha256(str(tmp_path / "file")) == hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize(("name", "what"), [(b"m\xffdel", "the byte 0xff"), (b"\x80", "the byte 0x80")])
def test_a_name_that_is_not_utf_8_is_one_sentence(name, what):
    path = name.decode("utf-8", "surrogateescape")
    with pytest.raises(InputError) as caught:
        input_files.check_utf8_name(path)
    assert str(caught.value) == f"{escape(path)}: expected a name in UTF-8, got {what} in it: rename it"
    assert caught.value.begins_with(path)
