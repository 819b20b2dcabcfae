"""Reads text files as a stream of lines: UTF-8, plain or gzip-compressed, one tokenised sentence a line."""

import functools
import glob
import gzip
import os
import zlib
from collections.abc import Iterator, Sequence
from typing import BinaryIO, cast

from elmo_tf.errors import InputError

BYTE_ORDER_MARK = b"\xef\xbb\xbf"

LONGEST_LINE = 1 << 26
"""The largest number of bytes of a line; a small .gz file can hold a line that fills the memory."""

UNREADABLE = (EOFError, OSError, zlib.error)
"""Errors of reading: of a .gz file that is cut short, of any file, and of a .gz file that is damaged."""


def expand_patterns(patterns: Sequence[str], name: str) -> list[str]:
    """Expands file names and glob patterns to a sorted list of files, each listed once.

    Args:
        patterns: file names or patterns, such as `["corpus/*.txt", "more.txt.gz"]`.
        name: the flag or argument that they come from, for error messages: `"--train_files"`.

    Raises:
        InputError: a pattern matches no file.
    """
    found: set[str] = set()
    option = name.removeprefix("--")
    for pattern in patterns:
        matches = [pattern] if os.path.exists(pattern) else glob.glob(os.path.expanduser(pattern), recursive=True)
        files = [match for match in matches if not os.path.isdir(match)]
        if not files:
            what = "only folders match" if matches else "no such file"
            raise InputError(
                f"{name}={pattern}: {what}; expected text files, such as 'corpus/*.txt' in quotes",
                path=pattern,
                option=option,
            )
        found.update(files)
    if not found:
        raise InputError(f"{name} names no files; expected text files, such as 'corpus/*.txt' in quotes", option=option)
    return sorted(found)


def open_bytes(path: str) -> BinaryIO:
    """Opens a plain or gzip-compressed file for reading its decompressed bytes."""
    return cast(BinaryIO, gzip.open(path, "rb")) if is_gzip(path) else open(path, "rb")


def is_gzip(path: str) -> bool:
    """Whether a file is gzip-compressed, by its first two bytes; raises an `InputError` if it cannot be read."""
    try:
        with open(path, "rb") as file:
            return file.read(2) == b"\x1f\x8b"
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}", path=path) from error


def iterate_lines(path: str) -> Iterator[str]:
    """Yields the lines of a UTF-8 file, plain or .gz, without line ends and byte order mark.

    Raises:
        InputError: the file cannot be read, is a damaged .gz file or is not UTF-8; the message names file and line.
    """
    with open_bytes(path) as file:
        number = 0
        try:
            for number, line in enumerate(iter(functools.partial(read_line, file), b""), 1):
                if len(line) > LONGEST_LINE:
                    raise long_line_error(path, number)
                if number == 1:
                    line = line.removeprefix(BYTE_ORDER_MARK)
                yield line.decode("utf-8").rstrip("\r\n")
        except UnicodeDecodeError as error:
            raise utf8_error(path, number, error.start, error) from error
        except UNREADABLE as error:
            raise InputError(f"{path} cannot be read past line {number}: {error}", path=path, line=number) from error


def read_line(file: BinaryIO) -> bytes:
    """Reads a line; of a line that is longer than `LONGEST_LINE` the first bytes, one more than that."""
    return file.readline(LONGEST_LINE + 1)


def long_line_error(path: str, line: int) -> InputError:
    """The error for a line of more than `LONGEST_LINE` bytes; the caller raises it."""
    return InputError(
        f"{path}, line {line}: expected a tokenised sentence a line, got a line of more than {LONGEST_LINE:,} bytes",
        path=path,
        line=line,
    )


def utf8_error(path: str, line: int, byte: int, error: UnicodeDecodeError) -> InputError:
    """The error for a file that is not UTF-8; the caller raises it.

    Args:
        path: the file.
        line: the line, counted from 1.
        byte: the position in the line, counted from 0 without a byte order mark.
        error: the decoder's error.
    """
    return InputError(f"{path}, line {line}: not UTF-8 text: {error.reason} at byte {byte}", path=path, line=line)
