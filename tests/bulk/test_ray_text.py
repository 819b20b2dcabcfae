"""Lines of text files as tables: each line once with its number, wherever the files are divided."""

import gzip
import itertools

import pytest

from elmo_tf.bulk import ray_text as module
from elmo_tf.bulk.ray_text import Piece, count_lines, lines_of, pieces_of, tables_of
from elmo_tf.errors import InputError

LINES = ["one", "", "two three", "x" * 50, "øl", "last"]


@pytest.fixture
def files(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"\xef\xbb\xbf" + "\r\n".join(LINES).encode())
    (tmp_path / "b.gz").write_bytes(gzip.compress("\n".join(LINES).encode() + b"\n"))
    (tmp_path / "c.txt").write_bytes(b"")
    return [str(tmp_path / name) for name in ("a.txt", "b.gz", "c.txt")]


@pytest.mark.parametrize("size", [1, 3, 7, 20, 1000])
def test_every_line_is_in_one_piece(files, size):
    pieces = pieces_of(files, size)
    assert [line.decode() for piece in pieces for line in lines_of(piece)] == LINES * 2
    assert sum(map(count_lines, pieces)) == 2 * len(LINES)
    assert (Piece(files[1], 0, None) in pieces, size < 10) == (True, len(pieces) > 8)


def test_tables_have_the_numbers_of_the_lines_and_errors_for_bad_ones(tmp_path, monkeypatch):
    pytest.importorskip("pyarrow")
    monkeypatch.setattr(module, "_TABLE_LINES", 2)
    (tmp_path / "a").write_bytes(b"one\nbl\xe5\nthree\n")
    tables = list(tables_of(Piece(str(tmp_path / "a"), 0, None), 10))
    assert [len(table) for table in tables] == [2, 1]
    rows = list(itertools.chain.from_iterable(table.to_pylist() for table in tables))
    assert [(row["id"], row["text"]) for row in rows] == [(10, "one"), (11, None), (12, "three")]
    assert [row["error"] for row in rows] == [None, "not UTF-8 text: unexpected end of data at byte 2", None]


def test_a_damaged_file_is_named(tmp_path):
    (tmp_path / "a.gz").write_bytes(gzip.compress(b"a\n" * 1000)[:-9])
    with pytest.raises(InputError, match=r"a\.gz cannot be read: "):
        list(lines_of(Piece(str(tmp_path / "a.gz"), 0, None)))
