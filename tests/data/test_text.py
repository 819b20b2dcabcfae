import gzip

import pytest

from elmo_tf.data import text
from elmo_tf.errors import InputError


@pytest.fixture
def corpus(tmp_path, monkeypatch):
    """A working directory with b.txt, a.txt, sub/c.txt and the empty folder folder.txt/."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sub").mkdir()
    (tmp_path / "folder.txt").mkdir()
    for name in ("b.txt", "a.txt", "sub/c.txt", "odd[1].txt"):
        (tmp_path / name).write_text("words\n")
    return tmp_path


@pytest.mark.parametrize(
    ("patterns", "files"),
    [
        (["b.txt", "a.txt"], ["a.txt", "b.txt"]),
        (["?.txt", "a.txt", "a.txt"], ["a.txt", "b.txt"]),
        (["f*.txt", "[ab].txt"], None),
        (["*.txt"], ["a.txt", "b.txt", "odd[1].txt"]),
        (["**/c.txt"], ["sub/c.txt"]),
        (["odd[1].txt"], ["odd[1].txt"]),
    ],
)
def test_patterns_expand_to_a_sorted_list_without_repeats(corpus, patterns, files):
    if files is None:
        with pytest.raises(InputError, match="only folders match"):
            text.expand_patterns(patterns, "--files")
    else:
        assert text.expand_patterns(patterns, "--files") == files


def test_home_folder_is_expanded(corpus, monkeypatch):
    monkeypatch.setenv("HOME", str(corpus))
    assert text.expand_patterns(["~/a.txt"], "--files") == [str(corpus / "a.txt")]


@pytest.mark.parametrize(
    ("patterns", "message"),
    [
        (["a.txt", "none*.txt"], r"--files=none\*\.txt: no such file"),
        (["folder.txt"], r"--files=folder\.txt: only folders match"),
        ([], "--files names no files"),
    ],
)
def test_a_pattern_without_a_file_is_refused_by_flag(corpus, patterns, message):
    with pytest.raises(InputError, match=message):
        text.expand_patterns(patterns, "--files")


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "packed"])
@pytest.mark.parametrize(
    ("content", "lines"),
    [
        (b"", []),
        (b"one", ["one"]),
        (b"one\n\n two \n", ["one", "", " two "]),
        (b"one\r\ntwo\r\n", ["one", "two"]),
        (b"\xef\xbb\xbfone\n\xef\xbb\xbftwo\n", ["one", "\ufefftwo"]),
        ("no\u2028break\u0085here\x0b\n".encode(), ["no\u2028break\u0085here\x0b"]),
    ],
    ids=["empty", "no line end", "inner and outer space", "carriage returns", "byte order mark", "odd separators"],
)
def test_lines_are_read_without_their_line_ends(tmp_path, pack, content, lines):
    path = tmp_path / "any.name"  # packed or not shows in the bytes, not in the name
    path.write_bytes(pack(content))
    assert list(text.iterate_lines(str(path))) == lines
    assert text.is_gzip(str(path)) == (pack is gzip.compress)


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "packed"])
def test_bytes_that_are_not_utf8_are_refused_with_their_line(tmp_path, pack):
    path = tmp_path / "latin.txt"
    path.write_bytes(pack("én\n".encode() + "blåbær\n".encode("latin-1")))
    lines = text.iterate_lines(str(path))
    assert next(lines) == "én"
    with pytest.raises(InputError, match=r"latin\.txt, line 2: not UTF-8 text: .* at byte 2"):
        next(lines)


def _cut_short(packed):
    return packed[: len(packed) // 2]


def _damaged(packed):
    return packed[:20] + b"\xff" * 40 + packed[60:]


def _wrong_checksum(packed):
    return packed[:-8] + b"\0" * 8


@pytest.mark.parametrize("damage", [_cut_short, _damaged, _wrong_checksum])
def test_a_broken_gzip_file_is_refused_by_name(tmp_path, damage):
    path = tmp_path / "broken.gz"
    content = "".join(f"line {number} {number * 7919 % 1009}\n" for number in range(3000))
    path.write_bytes(damage(gzip.compress(content.encode())))
    with pytest.raises(InputError, match=r"broken\.gz cannot be read past line \d+"):
        list(text.iterate_lines(str(path)))


def test_a_missing_file_is_refused_by_name(tmp_path):
    with pytest.raises(InputError, match=r"none\.txt cannot be read: No such file"):
        list(text.iterate_lines(str(tmp_path / "none.txt")))
