"""Sentences of text files and CoNLL-U as tables: each once with its number, wherever the files are divided."""

import gzip
import itertools

import pytest
from refusals import refused

from elmo_tf.bulk import ray_text as module
from elmo_tf.bulk.blocks import Share
from elmo_tf.bulk.ray_text import Piece, count_rows, lines_of, pieces_of, rows_of, tables_of
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
    assert sum(map(count_rows, pieces)) == 2 * len(LINES)
    assert (Piece(files[1], 0, None) in pieces, size < 10) == (True, len(pieces) > 8)


def test_tables_have_the_numbers_of_the_lines_and_errors_for_bad_ones(tmp_path, monkeypatch):
    pytest.importorskip("pyarrow")
    monkeypatch.setattr(module, "_TABLE_ROWS", 2)
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


TREES = (
    "\n# a comment\n1-2\tvámonos{0}\n1\tvamos{0}\n2\tnos{0}\n2.1\tempty{0}\n\n\n" + "1\tw{0}\n \n" * 9 + "1\tlast{0}"
).format("\t_" * 8)
"""Trees with a multiword token, an empty node, and blank lines before, between and in place of sentences."""


@pytest.mark.parametrize("size", [1, 7, 30, 1000])
def test_the_sentences_of_conllu_are_those_of_one_process_wherever_the_files_are_divided(tmp_path, size):
    pytest.importorskip("pyarrow")
    (tmp_path / "a.conllu").write_text(TREES)
    (tmp_path / "b.gz").write_bytes(gzip.compress(TREES.replace("\n", "\r\n").encode()))
    paths = [str(tmp_path / name) for name in ("a.conllu", "b.gz")]
    wanted = [sentence for block in Share(paths, "conllu", 1 << 17).blocks() for sentence in block.sentences]
    assert (wanted[0], len(wanted)) == (["vamos", "nos"], 22)
    pieces = pieces_of(paths, size, "conllu")
    firsts = itertools.accumulate(map(count_rows, pieces), initial=0)
    tables = [table for piece, first in zip(pieces, firsts, strict=False) for table in tables_of(piece, first)]
    rows = [row for table in tables for row in table.to_pylist()]
    assert rows == [{"id": number, "tokens": tokens, "error": None} for number, tokens in enumerate(wanted)]


def test_a_mistake_in_conllu_is_named_with_its_line(tmp_path):
    path = tmp_path / "a.conllu"
    path.write_text(TREES + "\n\n1\tw\n")
    (*_, last) = pieces_of([str(path)], 30, "conllu")
    line = TREES.count("\n") + 3
    assert refused(count_rows, last).startswith(
        f"{path}, line {line}: expected 10 columns with tabs between them, got 2"
    )
    path.write_bytes(b"1\tbl\xe5" + b"\t_" * 8)
    assert "a.conllu, line 1: not UTF-8 text" in refused(lambda: list(rows_of(Piece(str(path), 0, None, "conllu"))))
