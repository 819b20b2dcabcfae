"""The input in blocks of about the same size, and the share of them that one process embeds.

Which sentences form a block depends on their places in the files alone, so a run that goes on, and a share, form the
same batches as a run over everything: the vectors are the same to the last bit.
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
    """A block: the number of its file, and its own in the file."""

    file: int
    number: int


class Block(NamedTuple):
    """The sentences of a block, in order."""

    place: Place
    sentences: list[list[str]]


@dataclass(frozen=True)
class _Range:
    """The bytes of a file that belong to a share; `end` is None for all that follows."""

    start: int
    end: int | None


class Share:
    """One of `num_shards` shares of the input, contiguous and of about the same number of bytes.

    A plain file is divided between blocks, so that a share need not read the rest. A .gz file cannot be read from its
    middle and belongs to one share whole.

    Args:
        paths: the files, or "-" for standard input.
        input_format: "text" or "conllu".
        block_bytes: unpacked text of a block; a block holds the sentences that begin in it.
        num_shards: how many shares.
        shard_index: which of them, from 0.

    Raises:
        InputError: a file cannot be read, or a stream shall be divided.
    """

    def __init__(
        self, paths: Sequence[str], input_format: str, block_bytes: int, num_shards: int = 1, shard_index: int = 0
    ) -> None:
        if num_shards < 1:
            raise InputError(f"num_shards: expected a number from 1, got {num_shards}")
        if not 0 <= shard_index < num_shards:
            raise InputError(f"shard_index: expected a number from 0 to {num_shards - 1}, got {shard_index}")
        self._texts = [InputText(path, input_format) for path in paths]
        self._block_bytes, self._format = block_bytes, input_format
        self.num_shards, self.shard_index = num_shards, shard_index
        self.is_stream = any(text.is_stream for text in self._texts)
        if self.is_stream and num_shards > 1:
            raise InputError("num_shards: expected files, for a stream cannot be divided, got standard input or a pipe")
        total = sum(text.size for text in self._texts)
        self._limits = total * shard_index // num_shards, total * (shard_index + 1) // num_shards
        self._is_last = shard_index == num_shards - 1
        offsets = itertools.accumulate((text.size for text in self._texts), initial=0)
        self._ranges = [self._range(text, offset) for text, offset in zip(self._texts, offsets, strict=False)]
        self._bytes_before = 0

    def _range(self, text: InputText, offset: int) -> _Range:
        """The part of a file that begins so many bytes after the first file's beginning."""
        if text.is_stream:
            return _Range(0, None)
        size = 1 if text.is_packed else self._block_bytes  # for a packed file, the one block that is the whole file
        low, high = (max(0, -(-(limit - offset) // size)) for limit in self._limits)
        if text.is_packed:
            return _Range(0, None if low == 0 and (high > 0 or self._is_last) else 0)
        ends_here = self._is_last or high * size >= text.size
        return _Range(low * size, None if ends_here else high * size)

    @property
    def bytes_total(self) -> int | None:
        """Bytes of the share on disk; None of a stream."""
        return None if self.is_stream else sum(self._length(*pair) for pair in enumerate(self._ranges))

    def _length(self, number: int, part: _Range) -> int:
        size = self._texts[number].size
        return max(0, (size if part.end is None else min(part.end, size)) - part.start)

    @property
    def bytes_read(self) -> int:
        """How many bytes of the share have been read, or were done before."""
        return self._bytes_before

    @property
    def is_empty_input(self) -> bool:
        """Whether no file holds a byte."""
        return not self.is_stream and not any(text.size for text in self._texts)

    def blocks(self, done: Place | None = None) -> Iterator[Block]:
        """The blocks of the share that hold a sentence, in order.

        Args:
            done: the last block that need not be given any more; all before it are left out too.
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
        """The SHA-256 of what the share reads, and of the sizes of all files: equal if the input is."""
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
        """The sizes of all files, of whose share this is."""
        return [text.size for text in self._texts]

    def empty(self) -> InputError:
        """The error where the input holds no sentence."""
        name = self._texts[0].name if len(self._texts) == 1 else f"{self._texts[0].name} and the other input files"
        verb = "is" if len(self._texts) == 1 else "are"
        if self._format == "conllu":
            return InputError(
                f"{name} {verb} without sentences: expected CoNLL-U, a word a line", path=self._texts[0].path
            )
        return InputError(f"{name} {verb} empty: expected a tokenised sentence a line", path=self._texts[0].path)

    def check_output(self, output_file: str) -> None:
        """An `InputError` where the output is one of the files."""
        for text in self._texts:
            if text.path != STANDARD_INPUT and os.path.realpath(text.path) == os.path.realpath(output_file):
                raise InputError(f"{output_file} is the input; expected the name of a new file", path=output_file)
