"""Divides the input into blocks of about the same size, and selects the share of the blocks that one process embeds.

Which sentences form a block depends only on their byte positions in the files. A resumed run and a share therefore form
the same batches as one uninterrupted run over the whole input, and their vectors are equal to the last bit.
"""

import hashlib
import itertools
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from elmo_tf.bulk.input_text import STANDARD_INPUT, InputText
from elmo_tf.errors import InputError

_CHUNK = 1 << 20


class Place(NamedTuple):
    """The place of a block in the input: the number of its file, and its number within that file, both from 0."""

    file: int
    number: int


class Block(NamedTuple):
    """A block: its place, and its sentences in order."""

    place: Place
    sentences: list[list[str]]


@dataclass(frozen=True)
class _Range:
    """The range of bytes of a file that belongs to a share; where `end` is None, it extends to the end of the file."""

    start: int
    end: int | None


class Share:
    """One of `num_shards` shares of the input, contiguous and of about the same number of bytes.

    A plain file is divided at the boundaries of its blocks, so a share does not read the rest of the file. A .gz file
    cannot be read from its middle, so the whole of it belongs to one share.

    Args:
        paths: the files, or "-" for standard input.
        input_format: "text" or "conllu".
        block_bytes: the size of a block in bytes of uncompressed text. A block holds the sentences that begin in it.
        num_shards: the number of shares.
        shard_index: the number of this share, from 0.

    Raises:
        InputError: a file cannot be read, `num_shards` or `shard_index` is out of range, or a stream would have to be
            divided.
    """

    def __init__(
        self, paths: Sequence[str], input_format: str, block_bytes: int, num_shards: int = 1, shard_index: int = 0
    ) -> None:
        if num_shards < 1:
            raise InputError(f"num_shards: expected a number from 1, got {num_shards}", option="num_shards")
        if not 0 <= shard_index < num_shards:
            raise InputError(
                f"shard_index: expected a number from 0 to {num_shards - 1}, got {shard_index}", option="shard_index"
            )
        self._texts = [InputText(path, input_format) for path in paths]
        self._block_bytes, self._format = block_bytes, input_format
        self.num_shards, self.shard_index = num_shards, shard_index
        self.is_stream = any(text.is_stream for text in self._texts)
        if self.is_stream and num_shards > 1:
            raise InputError(
                "num_shards: expected files, for a stream cannot be divided, got standard input or a pipe",
                option="num_shards",
            )
        total = sum(text.size for text in self._texts)
        self._limits = total * shard_index // num_shards, total * (shard_index + 1) // num_shards
        self._is_last = shard_index == num_shards - 1
        offsets = itertools.accumulate((text.size for text in self._texts), initial=0)
        self._ranges = [self._range(text, offset) for text, offset in zip(self._texts, offsets, strict=False)]
        self._bytes_before = 0

    def _range(self, text: InputText, offset: int) -> _Range:
        """The range of a file that belongs to the share; `offset` counts the bytes of all files before this one."""
        if text.is_stream:
            return _Range(0, None)
        size = 1 if text.is_packed else self._block_bytes  # a packed file is a single block
        low, high = (max(0, -(-(limit - offset) // size)) for limit in self._limits)
        if text.is_packed:
            return _Range(0, None if low == 0 and (high > 0 or self._is_last) else 0)
        ends_here = self._is_last or high * size >= text.size
        return _Range(low * size, None if ends_here else high * size)

    @property
    def bytes_total(self) -> int | None:
        """The size of the share on disk, in bytes; None for a stream."""
        return None if self.is_stream else sum(self._length(*pair) for pair in enumerate(self._ranges))

    def _length(self, number: int, part: _Range) -> int:
        size = self._texts[number].size
        return max(0, (size if part.end is None else min(part.end, size)) - part.start)

    @property
    def bytes_read(self) -> int:
        """The number of bytes of the share that have been read, including those that an earlier run has embedded."""
        return self._bytes_before

    @property
    def is_empty_input(self) -> bool:
        """Whether all files are empty; False for a stream."""
        return not self.is_stream and not any(text.size for text in self._texts)

    def blocks(self, done: Place | None = None) -> Iterator[Block]:
        """Yields the blocks of the share that hold at least one sentence, in order.

        Args:
            done: the last block that an earlier run has embedded. This block and all blocks before it are skipped.
        """
        before = 0
        for number, (text, part) in enumerate(zip(self._texts, self._ranges, strict=True)):
            start = part.start
            if done is not None and number <= done.file:
                after = (done.number + 1) * self._block_bytes
                start = max(start, after) if number == done.file else -1
            if start >= 0 and (part.end is None or start < part.end):
                groups = itertools.groupby(
                    text.sentences(start, part.end), lambda found: found.place // self._block_bytes
                )
                for block, sentences in groups:
                    tokens = [sentence.tokens for sentence in sentences]
                    self._bytes_before = before + max(0, text.bytes_read - (0 if text.is_packed else part.start))
                    yield Block(Place(number, block), tokens)
            before += self._length(number, part)
            self._bytes_before = max(self._bytes_before, before) if not text.is_stream else self._bytes_before

    def digest(self) -> str:
        """The SHA-256 of the bytes of the share and of the sizes of all files; equal inputs have equal digests."""
        found = hashlib.sha256()
        for number, (text, part) in enumerate(zip(self._texts, self._ranges, strict=True)):
            found.update(f"{text.size} {part.start} {part.end}\n".encode())
            left = self._length(number, part)
            if not left:
                continue
            with open(text.path, "rb") as file:
                file.seek(part.start)
                while left and (chunk := file.read(min(left, _CHUNK))):
                    found.update(chunk)
                    left -= len(chunk)
        return found.hexdigest()

    @property
    def sizes(self) -> list[int]:
        """The sizes of all input files in bytes, whether or not the share reads them."""
        return [text.size for text in self._texts]

    def empty(self) -> InputError:
        """The error to raise if the input holds no sentence."""
        path = self._texts[0].name
        name = path if len(self._texts) == 1 else f"{path} and the other input files"
        verb = "is" if len(self._texts) == 1 else "are"
        if self._format == "conllu":
            return InputError(f"{name} {verb} without sentences: expected CoNLL-U, a word a line", path=path)
        return InputError(f"{name} {verb} empty: expected a tokenised sentence a line", path=path)

    def check_output(self, output_file: str) -> None:
        """Raises an `InputError` if the output is one of the input files."""
        for text in self._texts:
            if text.path != STANDARD_INPUT and os.path.realpath(text.path) == os.path.realpath(output_file):
                raise InputError(f"{output_file} is the input; expected the name of a new file", path=output_file)
