"""A corpus of text files: scanned once, then read in blocks, so that only a few blocks are in memory."""

import functools
import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO

from elmo_tf.data.text import (
    BYTE_ORDER_MARK,
    LONGEST_LINE,
    UNREADABLE,
    is_gzip,
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


Count = Callable[[Piece, str], tuple[int, int]]
"""Counts the sentences and words of a piece, whose decoded text comes with it."""


@dataclass(frozen=True)
class Corpus:
    """The blocks of some text files in order, with the numbers of sentences and words in them.

    A blank line is not a sentence, unless `scan` is called with `blank_lines`.

    Example:

    >>> from elmo_tf.system.atomic_files import write_text
    >>> write_text("/tmp/elmo_tf_doc/two.txt", "a b c\\n\\nd\\n")
    >>> corpus = Corpus.scan(["/tmp/elmo_tf_doc/two.txt"])
    >>> corpus.sentences, corpus.words, corpus.predictions
    (2, 4, 6)
    """

    blocks: tuple[Block, ...]
    sentences: int = 0
    words: int = 0

    @property
    def predictions(self) -> int:
        """Number of predictions of a language model in one direction: all words, and the end of each sentence."""
        return self.words + self.sentences

    @classmethod
    def scan(
        cls,
        paths: Sequence[str],
        block_bytes: int = BLOCK_BYTES,
        blank_lines: bool = False,
        count: Count | None = None,
    ) -> "Corpus":
        """Reads the files once: divides them into blocks, counts sentences and words, and checks that they are UTF-8.

        Args:
            paths: text files with one tokenised sentence a line, plain or .gz.
            block_bytes: size of a block, which is extended to the end of a line.
            blank_lines: whether a blank line counts as a sentence without words, as in bilm-tf.
            count: counts the sentences and words of each piece of text in order, for a caller who does more with it.

        Raises:
            InputError: a file cannot be read or is not UTF-8, or no file holds a word.
        """

        def count_lines(piece: Piece, text: str) -> tuple[int, int]:
            return len(_split_sentences(text, blank_lines)), len(text.split())

        blocks = [block for path in paths for block in _scan_file(path, block_bytes, blank_lines, count or count_lines)]
        if not any(block.words for block in blocks):
            raise InputError(
                f"{_name_files(paths)}: no text in it; expected a tokenised sentence a line, got blank lines alone",
                path=paths[0],
            )
        return cls.of(blocks)

    @classmethod
    def of(cls, blocks: Sequence[Block]) -> "Corpus":
        """The corpus of some blocks, whose sentences and words are added up."""
        return cls(tuple(blocks), sum(block.sentences for block in blocks), sum(block.words for block in blocks))

    def fingerprint(self) -> str:
        """A description by which a resumed run recognizes its text: counts, sizes and a hash, no names or folders."""
        sizes: dict[str, int] = {}
        for block in self.blocks:
            sizes[block.path] = sizes.get(block.path, 0) + block.size
        counts = f"{len(sizes)} files, {sum(sizes.values())} bytes, {self.sentences} sentences, {self.words} words"
        return f"{counts}{_OF_CONTENT}{digest_of(b''.join(block.digest for block in self.blocks)).hex()}"

    def sample(self, blocks: int = 8) -> list[str]:
        """The tokens of a few blocks, spread evenly over the corpus."""
        step = max(1, len(self.blocks) // blocks)
        reader = BlockReader()
        return [word for block in self.blocks[::step][:blocks] for line in reader.lines(block) for word in line.split()]


_OF_CONTENT = ", content "
"""What stands before the hash in a fingerprint. The fingerprints of earlier releases end there."""


def is_same_text(before: str, now: str) -> bool:
    """Whether two fingerprints are of the same text, as far as both tell; one of an earlier release has no hash.

    >>> is_same_text("1 files, 9 bytes, 2 sentences, 4 words", "1 files, 9 bytes, 2 sentences, 4 words, content 0a1b")
    True
    """
    if _OF_CONTENT in before and _OF_CONTENT in now:
        return before == now
    return before.partition(_OF_CONTENT)[0] == now.partition(_OF_CONTENT)[0]


def digest_of(data: bytes) -> bytes:
    """The hash of some bytes, 8 bytes."""
    return hashlib.blake2b(data, digest_size=8).digest()


def _name_files(paths: Sequence[str]) -> str:
    return paths[0] if len(paths) == 1 else f"{paths[0]} and {len(paths) - 1} more files"


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


def _scan_file(path: str, block_bytes: int, blank_lines: bool, count: Count) -> list[Block]:
    gzipped = is_gzip(path)
    blocks = []
    for piece in read_pieces(path, block_bytes):
        sentences, words = count(piece, piece.decode())
        if sentences:
            size = len(piece.data)
            blocks.append(Block(path, piece.start, size, sentences, words, gzipped, blank_lines, piece.digest))
    return blocks


def _read(file: BinaryIO, path: str, size: int, lines_before: int) -> bytes:
    """Reads about `size` bytes, up to the end of a line; `lines_before` lines come before them."""
    try:
        data, rest = file.read(size), read_line(file)
        if len(rest) > LONGEST_LINE:
            raise long_line_error(path, lines_before + data.count(b"\n") + 1)
        return data + rest
    except UNREADABLE as error:
        raise InputError(f"{path} cannot be read to its end: {error}", path=path) from error


def _split_sentences(text: str, blank_lines: bool) -> list[str]:
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
            lines = _split_sentences(Piece(block.path, block.start, 0, data).body.decode("utf-8"), block.blank_lines)
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
