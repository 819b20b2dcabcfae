"""Text files as a dataset of Ray: a row a line, with the number of the line. A line that is not UTF-8 is a bad row."""

import functools
import gzip
import itertools
import os
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from elmo_tf.bulk.vector_column import pyarrow
from elmo_tf.data.text import BYTE_ORDER_MARK, UNREADABLE, is_gzip
from elmo_tf.errors import InputError

ID, TEXT, ERROR = "id", "text", "error"
"""The columns of the dataset: the number of a line, the line, and what is wrong with it, null for a good one."""

PIECE_BYTES = 8 << 20
"""The text that one task reads, in bytes; a .gz file is read by one task as a whole."""

_TABLE_LINES = 16_384
"""The lines of a table that a task yields, which bounds its memory."""


class Piece(NamedTuple):
    """A piece of a file: the lines that begin at `start` or later and before `end`; None is the end of the file."""

    path: str
    start: int
    end: int | None


def pieces_of(paths: Sequence[str], piece_bytes: int = PIECE_BYTES) -> list[Piece]:
    """Divides files into pieces, in order; raises an `InputError` if a file cannot be read."""
    found = []
    for path in paths:
        if is_gzip(path):
            found.append(Piece(path, 0, None))
            continue
        size = os.path.getsize(path)
        found += [Piece(path, start, start + piece_bytes) for start in range(0, size, piece_bytes)]
    return found


def lines_of(piece: Piece) -> Iterator[bytes]:
    """Yields the lines of a piece without their ends.

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


def tables_of(piece: Piece, first: int) -> Iterator[Any]:
    """Yields the lines of a piece as Arrow tables with the columns `id`, `text` and `error`.

    Args:
        piece: the piece.
        first: the number of its first line.
    """
    arrow = pyarrow()
    schema = arrow.schema([(ID, arrow.int64()), (TEXT, arrow.string()), (ERROR, arrow.string())])
    numbered = enumerate(lines_of(piece), first)
    while some := list(itertools.islice(numbered, _TABLE_LINES)):
        texts: list[str | None] = []
        errors: list[str | None] = []
        for _, line in some:
            try:
                texts.append(line.decode("utf-8"))
                errors.append(None)
            except UnicodeDecodeError as error:
                texts.append(None)
                errors.append(f"not UTF-8 text: {error.reason} at byte {error.start}")
        columns = {ID: [number for number, _ in some], TEXT: texts, ERROR: errors}
        yield arrow.table(columns, schema=schema)


def count_lines(piece: Piece) -> int:
    """The number of lines of a piece."""
    return sum(1 for _ in lines_of(piece))


def read_lines(ray: Any, paths: Sequence[str], piece_bytes: int = PIECE_BYTES) -> Any:
    """Makes the dataset of all lines of files, with the columns `id`, `text` and `error`.

    The lines are counted first, by tasks of Ray, so that every line has the same id in each run: its number in all
    files together, from 0.

    Args:
        ray: the module `ray`, connected to a cluster on which the files have the same paths.
        paths: the files, plain or .gz.
        piece_bytes: the text that one task reads, in bytes.

    Raises:
        InputError: a file cannot be read.
    """
    pieces = pieces_of(paths, piece_bytes)
    count = ray.remote(num_cpus=1)(count_lines)
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

    class Lines(Datasource):
        """Lines of files."""

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

    return Lines()


def _size(piece: Piece) -> int:
    end = os.path.getsize(piece.path)
    return (end if piece.end is None else min(end, piece.end)) - piece.start
