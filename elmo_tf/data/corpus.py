"""Text files as a corpus: counted once, then read in blocks, so that no more than a few blocks are in memory."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import BinaryIO

from elmo_tf.data.text import BYTE_ORDER_MARK, UNREADABLE, is_packed, not_utf8, open_bytes
from elmo_tf.errors import InputError

BLOCK_BYTES = 1 << 20


@dataclass(frozen=True)
class Block:
    """Whole lines of one file, about a megabyte.

    Args:
        path: the file.
        start: offset of the first byte, in the unpacked text.
        size: bytes, unpacked.
        sentences: lines that are not blank; with `blank_lines` all lines.
        words: tokens between white space.
        packed: whether the file is .gz and so cannot be read but from its start.
        blank_lines: whether a blank line is a sentence, of no words.
    """

    path: str
    start: int
    size: int
    sentences: int
    words: int
    packed: bool
    blank_lines: bool = False


@dataclass(frozen=True)
class Corpus:
    """The blocks of some files, in order, and what was counted in them.

    Blank lines are no sentences, unless it is asked for.

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
        """What a language model predicts in one direction: every word, and the end of every sentence."""
        return self.words + self.sentences

    @classmethod
    def scan(cls, paths: Sequence[str], block_bytes: int = BLOCK_BYTES, blank_lines: bool = False) -> "Corpus":
        """Reads the files once, counts, checks that they are text, and notes where their blocks are.

        Args:
            paths: files, a tokenised sentence a line, plain or .gz.
            block_bytes: size of a block; a block ends with a line.
            blank_lines: whether a blank line is a sentence, of no words, as in bilm-tf.

        Raises:
            InputError: a file cannot be read or is not UTF-8, or none holds a single word.
        """
        blocks = tuple(block for path in paths for block in _scan_file(path, block_bytes, blank_lines))
        if not any(block.words for block in blocks):
            raise InputError(
                f"{_some(paths)}: no text in it; expected a tokenised sentence a line, got blank lines alone",
                path=paths[0],
            )
        return cls(blocks, sum(block.sentences for block in blocks), sum(block.words for block in blocks))

    def fingerprint(self) -> str:
        """A short description by which a resumed run knows its text again; folders may move, sizes may not change."""
        sizes: dict[str, int] = {}
        for block in self.blocks:
            sizes[block.path] = sizes.get(block.path, 0) + block.size
        return f"{len(sizes)} files, {sum(sizes.values())} bytes, {self.sentences} sentences, {self.words} words"

    def sample(self, blocks: int = 8) -> list[str]:
        """The tokens of a few blocks spread over the corpus."""
        step = max(1, len(self.blocks) // blocks)
        reader = BlockReader()
        return [word for block in self.blocks[::step][:blocks] for line in reader.lines(block) for word in line.split()]


def _some(paths: Sequence[str]) -> str:
    return paths[0] if len(paths) == 1 else f"{paths[0]} and {len(paths) - 1} more files"


def _scan_file(path: str, block_bytes: int, blank_lines: bool) -> list[Block]:
    packed = is_packed(path)
    blocks, start, lines_before = [], 0, 0
    with open_bytes(path) as file:
        while data := _read(file, path, block_bytes):
            text = _decoded(data, path, start, lines_before)
            sentences = len(_sentences(text, blank_lines))
            if sentences:
                blocks.append(Block(path, start, len(data), sentences, len(text.split()), packed, blank_lines))
            start += len(data)
            lines_before += data.count(b"\n")
    return blocks


def _read(file: BinaryIO, path: str, size: int) -> bytes:
    """About `size` bytes, up to the end of a line."""
    try:
        return file.read(size) + file.readline()
    except UNREADABLE as error:
        raise InputError(f"{path} cannot be read to its end: {error}", path=path) from error


def _decoded(data: bytes, path: str, start: int, lines_before: int) -> str:
    data = _without_mark(data, start)
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = lines_before + data.count(b"\n", 0, error.start) + 1
        raise not_utf8(path, line, error.start - data.rfind(b"\n", 0, error.start) - 1, error) from error


def _without_mark(data: bytes, start: int) -> bytes:
    return data if start else data.removeprefix(BYTE_ORDER_MARK)


def _sentences(text: str, blank_lines: bool) -> list[str]:
    if blank_lines:
        return text.removesuffix("\n").split("\n")
    return [line for line in text.split("\n") if line and not line.isspace()]


class BlockReader:
    """Reads blocks; keeps a .gz file open, so that its blocks are unpacked once if read in order."""

    def __init__(self) -> None:
        self._open: tuple[str, BinaryIO] | None = None

    def lines(self, block: Block) -> list[str]:
        """The sentences of a block.

        Raises:
            InputError: the file has changed since it was scanned, or cannot be read any more.
        """
        data = self._bytes(block)
        try:
            lines = _sentences(_without_mark(data, block.start).decode("utf-8"), block.blank_lines)
        except UnicodeDecodeError:  # it was UTF-8 when it was scanned
            lines = []
        if len(data) != block.size or len(lines) != block.sentences:
            raise InputError(
                f"{block.path} has changed while it was in use: expected {block.size} bytes at {block.start}",
                path=block.path,
            )
        return lines

    def _bytes(self, block: Block) -> bytes:
        if not block.packed:
            with open_bytes(block.path) as file:
                return _part(file, block)
        if self._open is None or self._open[0] != block.path:
            self.close()
            self._open = block.path, open_bytes(block.path)
        return _part(self._open[1], block)

    def close(self) -> None:
        """Closes what is open."""
        if self._open is not None:
            self._open[1].close()
            self._open = None


def _part(file: BinaryIO, block: Block) -> bytes:
    try:
        file.seek(block.start)  # of a .gz: forwards unpacks, backwards begins again
        return file.read(block.size)
    except UNREADABLE as error:
        raise InputError(f"{block.path} cannot be read: {error}", path=block.path) from error


def in_pools(corpus: Corpus, order: Sequence[int], pool_bytes: int) -> list[list[Block]]:
    """Groups of blocks of about `pool_bytes`, taken in `order`: what is shuffled together.

    Args:
        corpus: the text.
        order: a permutation of the numbers of `runs(corpus)`.
        pool_bytes: size of a group.
    """
    pools: list[list[Block]] = []
    filled, in_order = pool_bytes, runs(corpus)
    for block in (block for number in order for block in in_order[number]):
        if filled >= pool_bytes:
            pools.append([])
            filled = 0
        pools[-1].append(block)
        filled += block.size
    return pools


def runs(corpus: Corpus) -> list[list[Block]]:
    """What must be read in order: each block of a plain file for itself, all blocks of a .gz file together."""
    found: list[list[Block]] = []
    for block in corpus.blocks:
        if block.packed and found and found[-1][0].path == block.path:
            found[-1].append(block)
        else:
            found.append([block])
    return found
