"""The sentences of files and streams, each with its place, from any place on; read as they are asked for."""

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
    """Reads the tokens of every sentence of files, or of standard input, one after the other.

    Args:
        patterns: file names or glob patterns; or "-" alone for standard input.
        input_format: "text" or "conllu".
        name: what the user calls the patterns, for an error: `"--input_file"`.

    Raises:
        InputError: a pattern matches nothing (at once), or a file cannot be read (when its turn comes).
    """
    if STANDARD_INPUT in patterns and len(patterns) > 1:
        raise InputError(f"{name}: expected files, or - alone for standard input, got {', '.join(patterns)}")
    paths = [STANDARD_INPUT] if STANDARD_INPUT in patterns else expand_patterns(patterns, name)
    texts = [InputText(path, input_format) for path in paths]
    return (sentence.tokens for text in texts for sentence in text.sentences())


class Sentence(NamedTuple):
    """A sentence, and the byte of the unpacked text that decides to which block it belongs."""

    place: int
    tokens: list[str]


class InputText:
    """A file, plain or .gz (by its first two bytes), or a stream: standard input or a pipe.

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
        """How far the file has been read, as it lies on disk."""
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
        """The sentences whose places are from `start` on and before `end`.

        The place of a line of text is its first byte. That of a sentence of CoNLL-U is the first byte of the blank line
        before it, and 0 of the file's first.

        Raises:
            InputError: the file cannot be read, is cut short (.gz), not UTF-8 or no CoNLL-U; with file and line.
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
        """The lines that begin at `start` or later: first byte, number from 1 among them, and text."""
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
        """Skips to the first line that begins at `start` or later; gives its place."""
        if not start:
            return 0
        file.seek(start - 1)
        return start - 1 + len(file.readline())

    @contextlib.contextmanager
    def _unpacked(self) -> Iterator[tuple[BinaryIO, BinaryIO]]:
        """The unpacked text, and the file or stream below it."""
        with contextlib.ExitStack() as stack:
            is_standard = self.path == STANDARD_INPUT
            raw = cast(BinaryIO, sys.stdin.buffer) if is_standard else stack.enter_context(self._open())
            if self.is_stream:
                buffered = io.BufferedReader(cast(io.RawIOBase, raw))
                stack.callback(buffered.detach)  # standard input stays open
                self.is_packed = buffered.peek(2)[:2] == b"\x1f\x8b"
                yield (cast(BinaryIO, gzip.GzipFile(fileobj=buffered)) if self.is_packed else buffered), raw
                return
            yield (cast(BinaryIO, gzip.GzipFile(fileobj=raw)) if self.is_packed else raw), raw

    def _counted(self, start: int, number: int) -> int:
        """The number in the file of a line that is the `number`th of those that begin at `start` or later."""
        before = place = 0
        if start:
            with contextlib.suppress(*UNREADABLE), self._unpacked() as (file, _):
                while place < start and (line := file.readline()):
                    place += len(line)
                    before += 1
        return before + number
