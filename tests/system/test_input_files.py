import pytest

from elmo_tf.errors import InputError
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
