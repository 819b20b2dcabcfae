"""Static word vectors as word2vec, GloVe and gensim write them: text with or without a header, and binary."""

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
"""Bytes without a space in a binary file that are no word, but a sign that the file is another one."""

Vectors = tuple[list[str], npt.NDArray[np.float32]]


def read_word_vectors(path: str | os.PathLike[str], limit: int | None = None) -> Vectors:
    """Reads a file of word vectors, plain or .gz, whatever of the three forms it has.

    Text has a word and its numbers a line; word2vec's begins with a line of the two counts, GloVe's does not. Binary
    has that line, and then a word, a space and little-endian float32 numbers. A word may hold spaces in text. Of a
    word that comes twice the first vector counts; bytes that are not UTF-8 become U+FFFD.

    Args:
        path: the file.
        limit: reads the first words alone; the frequent ones, as these files are sorted.

    Returns:
        Distinct words, and float32 `(words, size)`.

    Raises:
        InputError: the file cannot be read, or is none of these; with file and line or word.
    """
    path = os.fspath(path)
    try:
        with text.open_bytes(path) as file:
            first = file.readline()
            header = _header(first)
            if header is None:
                size = len(first.split()) - 1
                pairs = _of_text(file, path, size, first, 1)
            else:
                count, size = header
                second = file.readline()
                is_text = _is_text(file, size, second) or (count == 0 and not second)
                pairs = (
                    _of_text(file, path, size, second, 2) if is_text else _of_binary(file, path, count, size, second)
                )
            if size < 1:
                raise InputError(
                    f"{path}, line 1: expected a word and its numbers, or two counts, got {first[:60]!r}",
                    path=path,
                    line=1,
                )
            return _collected(pairs, path, size, limit)
    except text.UNREADABLE as error:
        raise InputError(f"{path} cannot be read: {error}", path=path) from error


def _header(line: bytes) -> tuple[int, int] | None:
    """Number of words and size, where a line is these two."""
    parts = line.split()
    if len(parts) == 2 and all(part.isdigit() for part in parts):
        return int(parts[0]), int(parts[1])
    return None


def _numbers(line: bytes, size: int) -> tuple[bytes, list[float]] | None:
    """A line of text as its word and numbers; None where it is none."""
    parts = line.rstrip().rsplit(b" ", size)
    if size < 1 or len(parts) != size + 1:
        return None
    try:
        return parts[0], [float(part) for part in parts[1:]]
    except ValueError:
        return None


def _is_text(file: BinaryIO, size: int, line: bytes) -> bool:
    """Whether text follows the header, for `line` does: the file stays where it is.

    A line of too few or too many numbers is text, too, or else its error would be that of a binary file. So of as many
    bytes as a binary vector has none may be what text does not hold, and something has to be a number. A line that is
    right needs no more: a short vector of a few small numbers may be followed by anything.
    """
    if _numbers(line, size) is not None:
        return True
    place = file.tell()
    behind = (line + file.read(4 * size)).split(None, 1)[1:]
    file.seek(place)
    numbers = b"".join(behind)[: 4 * size]
    try:
        shown = codecs.getincrementaldecoder("utf-8")().decode(numbers)  # the last character may be cut
    except UnicodeDecodeError:
        return False
    return all(c.isprintable() or c.isspace() for c in shown) and any(map(_is_number, shown.split()))


def _is_number(part: str) -> bool:
    with contextlib.suppress(ValueError):
        float(part)
        return True
    return False


def _of_text(file: BinaryIO, path: str, size: int, first: bytes, number: int) -> Iterator[tuple[bytes, object]]:
    line = first
    while line:
        found = _numbers(line, size)
        if found is None and line.strip():
            raise InputError(
                f"{path}, line {number}: expected a word and {size} numbers, got {line[:60]!r}", path=path, line=number
            )
        if found is not None:
            yield found
        line, number = file.readline(), number + 1


def _of_binary(file: BinaryIO, path: str, count: int, size: int, read: bytes) -> Iterator[tuple[bytes, object]]:
    """Pairs of word and numbers; `read` are the bytes behind the header that were read already."""
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
    # a line end may follow; and only at its end does a .gz file tell that it is damaged
    behind = itertools.chain([rest], iter(lambda: file.read(1 << 16), b""))
    if any(part.strip() for part in behind):
        raise InputError(
            f"{path}: expected {count} words with {size} float32 numbers each, got more behind them", path=path
        )


def _collected(pairs: Iterator[tuple[bytes, object]], path: str, size: int, limit: int | None) -> Vectors:
    rows: dict[str, npt.NDArray[np.float32]] = {}
    for word, numbers in pairs:
        if limit is not None and len(rows) >= limit:
            break
        name = word.decode("utf-8", "replace")
        if name and name not in rows:
            with np.errstate(over="ignore"):  # what is too large becomes infinite, and is refused below
                rows[name] = np.array(numbers, np.float32)
    if not rows:
        raise InputError(f"{path} holds no words; expected word vectors of word2vec, GloVe or gensim", path=path)
    vectors = np.stack(list(rows.values())).reshape(len(rows), size)
    wrong = np.flatnonzero(~np.isfinite(vectors).all(1))
    if len(wrong):
        raise InputError(f"{path}: the vector of {list(rows)[wrong[0]]!r} is not finite", path=path)
    return list(rows), vectors
