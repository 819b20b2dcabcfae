"""Writes lines of results to a file, which appears only when it is complete, or to standard output line by line."""

import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from typing import TextIO

from elmo_tf.bulk.text_vectors import STANDARD_OUTPUT
from elmo_tf.system.atomic_files import atomic_write


@contextlib.contextmanager
def open_output(path: str | os.PathLike[str]) -> Iterator[Callable[[str], None]]:
    """Opens the output, and yields a function that writes one line to it.

    Args:
        path: the path of the file, which is written completely or not at all; "-" for standard output.

    Raises:
        InputError: the file cannot be written.

    Example:

    >>> with open_output("/tmp/elmo_tf_doc/lines.txt") as write_line:
    ...     write_line("one")
    >>> open("/tmp/elmo_tf_doc/lines.txt").read()
    'one\\n'
    """
    path = os.fspath(path)
    if path == STANDARD_OUTPUT:
        yield lambda line: _write_line(sys.stdout, line)
        sys.stdout.flush()
        return
    with atomic_write(path) as temporary, open(temporary, "w", encoding="utf-8", newline="\n") as file:
        yield lambda line: _write_line(file, line)


def _write_line(file: TextIO, line: str) -> None:
    file.write(line + "\n")
