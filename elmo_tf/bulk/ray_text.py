"""Text files and CoNLL-U as a dataset of Ray: a row a sentence, with the number of the sentence.

A line of text that is not UTF-8 is a bad row. A mistake in CoNLL-U is an error, as it is without Ray; it is found when
the sentences are counted, before anything is computed.
"""

import functools
import gzip
import itertools
import os
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from elmo_tf.bulk.input_text import InputText
from elmo_tf.bulk.vector_column import pyarrow
from elmo_tf.data.text import BYTE_ORDER_MARK, UNREADABLE, is_gzip
from elmo_tf.errors import InputError

ID, TEXT, TOKENS, ERROR = "id", "text", "tokens", "error"
"""The columns of the dataset: the number of a sentence; a line of text, or the words of a sentence of CoNLL-U; and what
is wrong with it, null for a good one."""

PIECE_BYTES = 8 << 20
"""The text that one task reads, in bytes; a .gz file is read by one task as a whole."""

_TABLE_ROWS = 16_384
"""The rows of a table that a task yields, which bounds its memory."""


class Piece(NamedTuple):
    """A piece of a file: the sentences whose place is at `start` or later and before `end`; None for the file's end.

    The place of a line of text is its first byte; that of a sentence of CoNLL-U is the first byte of the blank line
    before it, as in `InputText.sentences`.
    """

    path: str
    start: int
    end: int | None
    input_format: str = "text"


def pieces_of(paths: Sequence[str], piece_bytes: int = PIECE_BYTES, input_format: str = "text") -> list[Piece]:
    """Divides files into pieces, in order; raises an `InputError` if a file cannot be read."""
    found = []
    for path in paths:
        if is_gzip(path):
            found.append(Piece(path, 0, None, input_format))
            continue
        size = os.path.getsize(path)
        found += [Piece(path, start, start + piece_bytes, input_format) for start in range(0, size, piece_bytes)]
    return found


def lines_of(piece: Piece) -> Iterator[bytes]:
    """Yields the lines of a piece of text without their ends.

    Raises:
        InputError: the file cannot be read, or is a damaged .gz file.
    """
    try:
        is_packed = is_gzip(piece.path)
        with gzip.open(piece.path) if is_packed else open(piece.path, "rb") as file:
            place = 0
            if piece.start:  # the line that the byte before belongs to begins in an earlier piece
                file.seek(piece.start - 1)
                place = piece.start - 1 + len(file.readline())
            for line in file:
                if piece.end is not None and place >= piece.end:
                    return
                yield (line.removeprefix(BYTE_ORDER_MARK) if place == 0 else line).rstrip(b"\r\n")
                place += len(line)
    except UNREADABLE as error:
        raise InputError(f"{piece.path} cannot be read: {error}", path=piece.path) from error


def rows_of(piece: Piece) -> Iterator[tuple[Any, str | None]]:
    """Yields the rows of a piece: a line of text or the words of a sentence, None for a bad one; and what is wrong.

    Raises:
        InputError: the file cannot be read, or is no valid CoNLL-U.
    """
    if piece.input_format == "conllu":
        for _, tokens in InputText(piece.path, piece.input_format).sentences(piece.start, piece.end):
            yield tokens, None
        return
    for line in lines_of(piece):
        try:
            yield line.decode("utf-8"), None
        except UnicodeDecodeError as error:
            yield None, f"not UTF-8 text: {error.reason} at byte {error.start}"


def column_of(input_format: str) -> str:
    """The column of the dataset that holds the sentences."""
    return TOKENS if input_format == "conllu" else TEXT


def tables_of(piece: Piece, first: int) -> Iterator[Any]:
    """Yields the rows of a piece as Arrow tables with the columns `id`, `text` or `tokens`, and `error`.

    Args:
        piece: the piece.
        first: the number of its first row.
    """
    arrow = pyarrow()
    column = column_of(piece.input_format)
    kind = arrow.list_(arrow.string()) if column == TOKENS else arrow.string()
    schema = arrow.schema([(ID, arrow.int64()), (column, kind), (ERROR, arrow.string())])
    numbered = enumerate(rows_of(piece), first)
    while some := list(itertools.islice(numbered, _TABLE_ROWS)):
        values = {column: [value for _, (value, _) in some], ERROR: [error for _, (_, error) in some]}
        yield arrow.table({ID: [number for number, _ in some], **values}, schema=schema)


def count_rows(piece: Piece) -> int:
    """The number of rows of a piece."""
    return sum(1 for _ in (rows_of(piece) if piece.input_format == "conllu" else lines_of(piece)))


def read_files(ray: Any, paths: Sequence[str], piece_bytes: int = PIECE_BYTES, input_format: str = "text") -> Any:
    """Makes the dataset of all sentences of files, with the columns `id`, `text` or `tokens`, and `error`.

    The sentences are counted first, by tasks of Ray, so that each has the same id in each run: its number in all files
    together, from 0.

    Args:
        ray: the module `ray`, connected to a cluster on which the files have the same paths.
        paths: the files, plain or .gz.
        piece_bytes: the text that one task reads, in bytes.
        input_format: "text" or "conllu".

    Raises:
        InputError: a file cannot be read, or is no valid CoNLL-U.
    """
    pieces = pieces_of(paths, piece_bytes, input_format)
    count = ray.remote(num_cpus=1)(count_rows)
    try:
        counts = ray.get([count.remote(piece) for piece in pieces])
    except ray.exceptions.RayTaskError as error:
        if isinstance(error.cause, InputError):
            raise error.cause from error
        raise
    firsts = itertools.accumulate(counts, initial=0)
    return ray.data.read_datasource(_datasource(ray, list(zip(pieces, firsts, counts, strict=False))))


def _datasource(ray: Any, numbered: list[tuple[Piece, int, int]]) -> Any:
    from ray.data.block import BlockMetadata
    from ray.data.datasource import Datasource, ReadTask

    class Sentences(Datasource):
        """Sentences of files."""

        def estimate_inmemory_data_size(self) -> int:
            return sum(_size(piece) for piece, _, _ in numbered)

        def get_read_tasks(
            self, parallelism: int, per_task_row_limit: int | None = None, data_context: Any = None
        ) -> list[Any]:
            return [
                ReadTask(
                    functools.partial(tables_of, piece, first),
                    BlockMetadata(count, _size(piece), None, (piece.path,)),
                    per_task_row_limit=per_task_row_limit,
                )
                for piece, first, count in numbered
            ]

    return Sentences()


def _size(piece: Piece) -> int:
    end = os.path.getsize(piece.path)
    return (end if piece.end is None else min(end, piece.end)) - piece.start
