"""Blocks of text files: whole lines, about a megabyte, so that only a few blocks are in memory."""

import functools
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from elmo_tf.data.text import (
    BYTE_ORDER_MARK,
    LONGEST_LINE,
    UNREADABLE,
    long_line_error,
    open_bytes,
    read_line,
    utf8_error,
)
from elmo_tf.errors import InputError

BLOCK_BYTES = 1 << 20


@dataclass(frozen=True)
class Block:
    """A part of one file: whole lines, about a megabyte.

    Args:
        path: the file.
        start: offset of the first byte in the decompressed text.
        size: decompressed bytes.
        sentences: number of lines that are not blank; with `blank_lines` of all lines.
        words: number of tokens, which white space separates.
        is_gzip: whether the file is gzip-compressed, so that it is read from its start on.
        blank_lines: whether a blank line counts as a sentence without words.
        digest: the hash of the bytes, by which a change to as many other bytes is noticed; empty if it is not known.
    """

    path: str
    start: int
    size: int
    sentences: int
    words: int
    is_gzip: bool
    blank_lines: bool = False
    digest: bytes = b""


@dataclass(frozen=True)
class Piece:
    """The bytes of a block as they are read, blocks without a sentence included.

    Args:
        path: the file.
        start: offset of the first byte in the decompressed text.
        lines_before: number of lines of the file before it.
        data: the bytes: whole lines.
    """

    path: str
    start: int
    lines_before: int
    data: bytes

    @functools.cached_property
    def digest(self) -> bytes:
        """The hash of the bytes."""
        return digest_of(self.data)

    @property
    def body(self) -> bytes:
        """The bytes without a byte order mark."""
        return self.data if self.start else self.data.removeprefix(BYTE_ORDER_MARK)

    def decode(self) -> str:
        """The text; an error names file and line."""
        data = self.body
        try:
            return data.decode("utf-8")
        except UnicodeDecodeError as error:
            line = self.lines_before + data.count(b"\n", 0, error.start) + 1
            raise utf8_error(self.path, line, error.start - data.rfind(b"\n", 0, error.start) - 1, error) from error


def digest_of(data: bytes) -> bytes:
    """The hash of some bytes, 8 bytes."""
    return hashlib.blake2b(data, digest_size=8).digest()


def read_pieces(path: str, block_bytes: int = BLOCK_BYTES) -> Iterator[Piece]:
    """Reads a file piece by piece, as `Corpus.scan` divides it into blocks.

    Raises:
        InputError: the file cannot be read.
    """
    start, lines_before = 0, 0
    with open_bytes(path) as file:
        while data := _read(file, path, block_bytes, lines_before):
            yield Piece(path, start, lines_before, data)
            start += len(data)
            lines_before += data.count(b"\n")


def _read(file: BinaryIO, path: str, size: int, lines_before: int) -> bytes:
    """Reads about `size` bytes, up to the end of a line; `lines_before` lines come before them."""
    try:
        data, rest = file.read(size), read_line(file)
        if len(rest) > LONGEST_LINE:
            raise long_line_error(path, lines_before + data.count(b"\n") + 1)
        return data + rest
    except UNREADABLE as error:
        raise InputError(f"{path} cannot be read to its end: {error}", path=path) from error


def split_sentences(text: str, blank_lines: bool) -> list[str]:
    """Splits a text into the lines that count as sentences; blank lines do so only with `blank_lines`."""
    if blank_lines:
        return text.removesuffix("\n").split("\n")
    return [line for line in text.split("\n") if line and not line.isspace()]


class BlockReader:
    """Reads blocks; keeps a .gz file open, so that it is decompressed only once if its blocks are read in order."""

    def __init__(self) -> None:
        self._open: tuple[str, BinaryIO] | None = None

    def lines(self, block: Block) -> list[str]:
        """The sentences of a block.

        Raises:
            InputError: the file has changed since it was scanned, or can no longer be read.
        """
        data = self._bytes(block)
        try:
            lines = split_sentences(Piece(block.path, block.start, 0, data).body.decode("utf-8"), block.blank_lines)
        except UnicodeDecodeError:  # it was UTF-8 when it was scanned
            lines = []
        if len(data) != block.size or len(lines) != block.sentences or block.digest not in (b"", digest_of(data)):
            raise InputError(
                f"{block.path} has changed while it was in use: expected the same {block.size} bytes at {block.start} "
                "as when it was counted",
                path=block.path,
            )
        return lines

    def _bytes(self, block: Block) -> bytes:
        if not block.is_gzip:
            with open_bytes(block.path) as file:
                return _read_block(file, block)
        if self._open is None or self._open[0] != block.path:
            self.close()
            self._open = block.path, open_bytes(block.path)
        return _read_block(self._open[1], block)

    def close(self) -> None:
        """Closes the .gz file that is open, if any."""
        if self._open is not None:
            self._open[1].close()
            self._open = None


def _read_block(file: BinaryIO, block: Block) -> bytes:
    try:
        file.seek(block.start)  # in a .gz file, seeking backwards begins again at the start
        return file.read(block.size)
    except UNREADABLE as error:
        raise InputError(f"{block.path} cannot be read: {error}", path=block.path) from error
