"""Text files as they lie on disk: a tokenised sentence a line, UTF-8, plain or .gz; read as a stream, never whole."""

import glob
import gzip
import os
import zlib
from collections.abc import Iterator, Sequence
from typing import BinaryIO, cast

from elmo_tf.errors import InputError

BYTE_ORDER_MARK = b"\xef\xbb\xbf"

UNREADABLE = (EOFError, OSError, zlib.error)
"""What reading a plain or .gz file raises: a .gz file that is cut short, any file, and a .gz file that is damaged."""


def expand_patterns(patterns: Sequence[str], name: str) -> list[str]:
    """The files that names and glob patterns stand for, sorted, each once.

    Args:
        patterns: file names or patterns, such as `["corpus/*.txt", "more.txt.gz"]`.
        name: what the user calls them, for the error: `"--train_files"`.

    Raises:
        InputError: a pattern matches nothing, or a match is a folder.
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
    """Opens a plain or .gz file (by its first two bytes, whatever its name) for reading bytes."""
    return cast(BinaryIO, gzip.open(path, "rb")) if is_packed(path) else open(path, "rb")


def is_packed(path: str) -> bool:
    """Whether a file is gzip-compressed, by its first two bytes; an `InputError` where it cannot be read."""
    try:
        with open(path, "rb") as file:
            return file.read(2) == b"\x1f\x8b"
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}", path=path) from error


def iterate_lines(path: str) -> Iterator[str]:
    """The lines of a UTF-8 file, plain or .gz, without their line ends and without a byte order mark.

    Raises:
        InputError: the file cannot be read, is cut short (.gz) or holds bytes that are not UTF-8; with file and line.
    """
    with open_bytes(path) as file:
        number = 0
        try:
            for number, line in enumerate(file, 1):
                if number == 1:
                    line = line.removeprefix(BYTE_ORDER_MARK)
                yield line.decode("utf-8").rstrip("\r\n")
        except UnicodeDecodeError as error:
            raise not_utf8(path, number, error.start, error) from error
        except UNREADABLE as error:
            raise InputError(f"{path} cannot be read past line {number}: {error}", path=path, line=number) from error


def not_utf8(path: str, line: int, byte: int, error: UnicodeDecodeError) -> InputError:
    """The sentence for a file that holds other bytes than UTF-8, to be raised by who reads it.

    Args:
        path: the file.
        line: counted from 1.
        byte: where in the line, counted from 0; a byte order mark does not count.
        error: of the decoder.
    """
    return InputError(f"{path}, line {line}: not UTF-8 text: {error.reason} at byte {byte}", path=path, line=line)
