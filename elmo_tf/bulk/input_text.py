"""Reads the sentences of files and streams lazily, each with its position; reading can begin at any position."""

import contextlib
import gzip
import io
import os
import sys
from collections.abc import Iterator, Sequence
from typing import BinaryIO, NamedTuple, cast

from elmo_tf.bulk.conllu import add_word
from elmo_tf.data.text import BYTE_ORDER_MARK, UNREADABLE, expand_patterns, utf8_error
from elmo_tf.errors import InputError

STANDARD_INPUT = "-"


def read_sentences(patterns: Sequence[str], input_format: str, name: str) -> Iterator[list[str]]:
    """Yields the tokens of every sentence of the files, in order, or of standard input.

    Args:
        patterns: file names or glob patterns; or "-" alone for standard input.
        input_format: "text" or "conllu".
        name: the name of the argument or flag that holds the patterns, for error messages: `"--input_file"`.

    Raises:
        InputError: a pattern matches no file, or a file cannot be read. The call itself raises the first error; the
            second is raised during iteration.
    """
    if STANDARD_INPUT in patterns and len(patterns) > 1:
        raise InputError(f"{name}: expected files, or - alone for standard input, got {', '.join(patterns)}")
    paths = [STANDARD_INPUT] if STANDARD_INPUT in patterns else expand_patterns(patterns, name)
    texts = [InputText(path, input_format) for path in paths]
    return (sentence.tokens for text in texts for sentence in text.sentences())


class Sentence(NamedTuple):
    """A sentence, and its place: the byte position in the uncompressed text that decides to which block it belongs."""

    place: int
    tokens: list[str]


class InputText:
    """A text in a file or in a stream (standard input or a pipe); gzip is recognised by the first two bytes.

    Args:
        path: the file; "-" for standard input.
        input_format: "text" or "conllu".

    Raises:
        InputError: the file cannot be read.
    """

    def __init__(self, path: str, input_format: str = "text") -> None:
        self.path, self._format = path, input_format
        self.name = "standard input" if path == STANDARD_INPUT else path
        self.is_stream = path == STANDARD_INPUT or (os.path.exists(path) and not os.path.isfile(path))
        self.bytes_read = 0
        """The number of bytes that have been read; for a .gz file, of compressed bytes."""
        self.size = 0 if self.is_stream else self._size()
        self.is_packed = not self.is_stream and self._starts_packed()

    def _size(self) -> int:
        try:
            return os.path.getsize(self.path)
        except OSError as error:
            raise InputError(f"{self.path} cannot be read: {error.strerror}", path=self.path) from error

    def _starts_packed(self) -> bool:
        with self._open() as raw:
            return raw.read(2) == b"\x1f\x8b"

    def _open(self) -> BinaryIO:
        try:
            return open(self.path, "rb")
        except OSError as error:
            raise InputError(f"{self.path} cannot be read: {error.strerror}", path=self.path) from error

    def sentences(self, start: int = 0, end: int | None = None) -> Iterator[Sentence]:
        """Yields the sentences whose place is at least `start` and less than `end`, both in bytes of uncompressed text.

        The place of a line of plain text is the position of its first byte. The place of a sentence of CoNLL-U is the
        first byte of the blank line before it, and 0 for the first sentence of the file.

        Raises:
            InputError: the file cannot be read, is a truncated .gz file, is not UTF-8, or is not valid CoNLL-U. The
                error names the file and, for errors in the text, the line.
        """
        read = self._conllu if self._format == "conllu" else self._text
        for sentence in read(start):
            if end is not None and sentence.place >= end:
                return
            yield sentence

    def _text(self, start: int) -> Iterator[Sentence]:
        for place, _, line in self._lines(start):
            yield Sentence(place, line.split())

    def _conllu(self, start: int) -> Iterator[Sentence]:
        before: int | None = None if start else 0
        words: list[str] = []
        number = 0
        for place, number, line in self._lines(start):
            if not line.strip():
                if words and before is not None:
                    yield Sentence(before, words)
                before, words = place, []
            elif before is not None:
                try:
                    add_word(words, line)
                except InputError as error:
                    counted = self._counted(start, number)
                    raise InputError(f"{self.name}, line {counted}: {error}", path=self.name, line=counted) from error
        if words and before is not None:
            yield Sentence(before, words)

    def _lines(self, start: int) -> Iterator[tuple[int, int, str]]:
        """Yields the lines that begin at `start` or later: first byte, number among these lines (from 1), and text."""
        number = 0
        with self._unpacked() as (file, raw):
            try:
                place = self._skip_to(file, start)
                for number, line in enumerate(file, 1):
                    self.bytes_read = raw.tell() if self.is_packed and not self.is_stream else place + len(line)
                    text = line.removeprefix(BYTE_ORDER_MARK) if place == 0 else line
                    yield place, number, text.decode("utf-8").rstrip("\r\n")
                    place += len(line)
            except UnicodeDecodeError as error:
                raise utf8_error(self.name, self._counted(start, number), error.start, error) from error
            except UNREADABLE as error:
                line_number = self._counted(start, number)
                message = f"{self.name} cannot be read past line {line_number}: {error}"
                raise InputError(message, path=self.name, line=line_number) from error

    def _skip_to(self, file: BinaryIO, start: int) -> int:
        """Skips to the first line that begins at `start` or later, and returns the position of its first byte."""
        if not start:
            return 0
        file.seek(start - 1)
        return start - 1 + len(file.readline())

    @contextlib.contextmanager
    def _unpacked(self) -> Iterator[tuple[BinaryIO, BinaryIO]]:
        """Opens the file or stream; yields its uncompressed text, and the file or stream itself."""
        with contextlib.ExitStack() as stack:
            is_standard = self.path == STANDARD_INPUT
            raw = cast(BinaryIO, sys.stdin.buffer) if is_standard else stack.enter_context(self._open())
            if self.is_stream:
                buffered = io.BufferedReader(cast(io.RawIOBase, raw))
                stack.callback(buffered.detach)  # detached, so that standard input stays open
                self.is_packed = buffered.peek(2)[:2] == b"\x1f\x8b"
                yield (cast(BinaryIO, gzip.GzipFile(fileobj=buffered)) if self.is_packed else buffered), raw
                return
            yield (cast(BinaryIO, gzip.GzipFile(fileobj=raw)) if self.is_packed else raw), raw

    def _counted(self, start: int, number: int) -> int:
        """The number of a line within the file, given its number among the lines that begin at `start` or later."""
        before = place = 0
        if start:
            with contextlib.suppress(*UNREADABLE), self._unpacked() as (file, _):
                while place < start and (line := file.readline()):
                    place += len(line)
                    before += 1
        return before + number
