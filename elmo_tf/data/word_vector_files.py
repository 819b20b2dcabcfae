"""Reads static word vectors as word2vec, GloVe and gensim write them: text with or without a header, or binary."""

import codecs
import contextlib
import itertools
import os
from collections.abc import Iterator
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from elmo_tf.data import text
from elmo_tf.errors import InputError

_LONGEST_WORD = 10_000
"""Bytes of the longest word in a binary file; more bytes without a space mean that it is another kind of file."""

_LONGEST_VECTOR = 100_000
"""The largest size of a vector; the header of another kind of file may ask for any amount of memory."""

_MOST_DIGITS = 18
"""The most digits of a number in a header; Python reads no number of thousands of digits."""

Vectors = tuple[list[str], npt.NDArray[np.float32]]


def read_word_vectors(path: str | os.PathLike[str], limit: int | None = None) -> Vectors:
    """Reads a file of word vectors, plain or .gz, in any of the three formats.

    A text file has a word and its numbers a line. That of word2vec begins with a header, the number of words and the
    size of the vectors; that of GloVe does not. A binary file has that header, and then for each word the word, a space
    and little-endian float32 numbers. In a text file a word may hold spaces. If a word occurs twice, its first vector
    is used. Bytes that are not UTF-8 become U+FFFD.

    Args:
        path: the file.
        limit: the largest number of words to read; None for all. The files are sorted, the frequent words first.

    Returns:
        Distinct words, and float32 `(words, size)`.

    Raises:
        InputError: the file cannot be read or has none of these formats; the message names the file, and the line or
            the word.
    """
    path = os.fspath(path)
    try:
        with text.open_bytes(path) as file:
            first = file.readline()
            header = _parse_header(first)
            if header is None:
                size = len(first.split()) - 1
                pairs = _read_text(file, path, size, first, 1)
            else:
                count, size = header
                if size > _LONGEST_VECTOR:
                    raise InputError(
                        f"{path}, line 1: expected vectors of at most {_LONGEST_VECTOR:,} numbers, got {size:,}",
                        path=path,
                        line=1,
                    )
                second = file.readline()
                is_text = _is_text(file, size, second) or (count == 0 and not second)
                pairs = (
                    _read_text(file, path, size, second, 2)
                    if is_text
                    else _read_binary(file, path, count, size, second)
                )
            if size < 1:
                raise InputError(
                    f"{path}, line 1: expected a word and its numbers, or two counts, got {first[:60]!r}", path=path
                )
            return _collect(pairs, path, size, limit)
    except text.UNREADABLE as error:
        raise InputError(f"{path} cannot be read: {error}", path=path) from error


def _parse_header(line: bytes) -> tuple[int, int] | None:
    """The number of words and the size of the vectors, where a line is a header; else None."""
    parts = line.split()
    if len(parts) == 2 and all(part.isdigit() and len(part) <= _MOST_DIGITS for part in parts):
        return int(parts[0]), int(parts[1])
    return None


def _parse_line(line: bytes, size: int) -> tuple[bytes, list[float]] | None:
    """The word and the numbers of a line of text; None where the line has another form."""
    parts = line.rstrip().rsplit(b" ", size)
    if size < 1 or len(parts) != size + 1:
        return None
    try:
        return parts[0], [float(part) for part in parts[1:]]
    except ValueError:
        return None


def _is_text(file: BinaryIO, size: int, line: bytes) -> bool:
    """Whether a file with a header is a text file, from `line`, the first after the header.

    A line with a word and `size` numbers is text. A line with too few or too many numbers may be text, too, and then
    its error has to be that of a text file: the file counts as text if the bytes that a binary vector would occupy are
    printable, and at least one number is among them. The position of the file does not change.
    """
    if _parse_line(line, size) is not None:
        return True
    place = file.tell()
    rest = (line + file.read(4 * size)).split(None, 1)[1:]
    file.seek(place)
    numbers = b"".join(rest)[: 4 * size]
    try:
        shown = codecs.getincrementaldecoder("utf-8")().decode(numbers)  # the last character may be incomplete
    except UnicodeDecodeError:
        return False
    return all(c.isprintable() or c.isspace() for c in shown) and any(map(_is_number, shown.split()))


def _is_number(part: str) -> bool:
    with contextlib.suppress(ValueError):
        float(part)
        return True
    return False


def _read_text(file: BinaryIO, path: str, size: int, first: bytes, number: int) -> Iterator[tuple[bytes, object]]:
    """Yields pairs of word and numbers; `first` is line `number`, which was read already."""
    line = first
    while line:
        found = _parse_line(line, size)
        if found is None and line.strip():
            raise InputError(
                f"{path}, line {number}: expected a word and {size} numbers, got {line[:60]!r}", path=path, line=number
            )
        if found is not None:
            yield found
        line, number = file.readline(), number + 1


def _read_binary(file: BinaryIO, path: str, count: int, size: int, read: bytes) -> Iterator[tuple[bytes, object]]:
    """Yields pairs of word and numbers; `read` are the bytes after the header that were read already."""
    rest = read
    for number in range(count):
        while b" " not in rest and len(rest) <= _LONGEST_WORD:
            more = file.read(1 << 16)
            if not more:
                break
            rest += more
        word, space, rest = rest.partition(b" ")
        if len(rest) < 4 * size:
            rest += file.read(max(1 << 16, 4 * size))
        if not space or len(word) > _LONGEST_WORD or len(rest) < 4 * size:
            raise InputError(
                f"{path}, word {number + 1}: expected {count} words with {size} float32 numbers each; cut short?",
                path=path,
            )
        yield word.lstrip(b"\n"), np.frombuffer(rest[: 4 * size], "<f4")
        rest = rest[4 * size :]
    # a line end may follow; reading on to the end shows whether a .gz file is damaged
    remainder = itertools.chain([rest], iter(lambda: file.read(1 << 16), b""))
    if any(part.strip() for part in remainder):
        raise InputError(
            f"{path}: expected {count} words with {size} float32 numbers each, got more behind them", path=path
        )


def _collect(pairs: Iterator[tuple[bytes, object]], path: str, size: int, limit: int | None) -> Vectors:
    """Makes the list of distinct words and the array of their vectors; checks that all numbers are finite."""
    rows: dict[str, npt.NDArray[np.float32]] = {}
    for word, numbers in pairs:
        if limit is not None and len(rows) >= limit:
            break
        name = word.decode("utf-8", "replace")
        if name and name not in rows:
            with np.errstate(over="ignore"):  # numbers that are too large become infinite, and are refused below
                rows[name] = np.array(numbers, np.float32)
    if not rows:
        raise InputError(f"{path} holds no words; expected word vectors of word2vec, GloVe or gensim", path=path)
    vectors = np.stack(list(rows.values())).reshape(len(rows), size)
    wrong = np.flatnonzero(~np.isfinite(vectors).all(1))
    if len(wrong):
        raise InputError(f"{path}: the vector of {list(rows)[wrong[0]]!r} is not finite", path=path)
    return list(rows), vectors
