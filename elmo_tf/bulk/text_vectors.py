"""Writes vectors as text, for programs that read lines and for pipes."""

import contextlib
import shutil
import sys
from collections.abc import Sequence
from typing import BinaryIO

import numpy as np

from elmo_tf.bulk.settings import EmbedSettings
from elmo_tf.bulk.vector_file import VectorFile
from elmo_tf.errors import InputError

STANDARD_OUTPUT = "-"


def text_of(tokens: Sequence[str], vectors: np.ndarray, pooled: bool) -> str:
    """Formats the vectors of a sentence as lines of text.

    Each token has a line: the token, a tab, and its numbers, separated by spaces. Each number has just as many digits
    as are needed to read the same number back. If there are several layers, their numbers follow one another. A blank
    line ends the sentence. A pooled sentence has a single line: its tokens, separated by spaces, a tab, and its
    numbers.

    Args:
        tokens: the tokens of the sentence.
        vectors: an array `([layers,] tokens, size)`, or `([layers,] size)` if it is pooled.
        pooled: whether the vectors are pooled over the tokens.

    Example:

    >>> text_of(["a", "cat"], np.array([[0.5, 1], [2, -0.1]], np.float32), pooled=False)
    'a\\t0.5 1.0\\ncat\\t2.0 -0.1\\n\\n'
    >>> text_of(["a", "cat"], np.array([0.5, 1], np.float32), pooled=True)
    'a cat\\t0.5 1.0\\n'
    """
    if pooled:
        return f"{' '.join(tokens)}\t{' '.join(vectors.reshape(-1).astype(str))}\n"
    by_token = vectors if vectors.ndim == 2 else np.swapaxes(vectors, 0, 1)
    lines = [
        f"{token}\t{' '.join(numbers.reshape(-1).astype(str))}\n"
        for token, numbers in zip(tokens, by_token, strict=True)
    ]
    return "".join([*lines, "\n"])


class TextVectors(VectorFile):
    """Writes vectors as lines of text, to a file or to standard output.

    Args:
        path: the path of the file; "-" for standard output.
        settings: the settings, of which `pooling` is used.
    """

    def __init__(self, path: str, settings: EmbedSettings) -> None:
        self._pooled = settings.pooling != "none"
        self._is_stream = path == STANDARD_OUTPUT
        self._file: BinaryIO = sys.stdout.buffer if self._is_stream else open(path, "wb")  # noqa: SIM115

    def add(self, tokens: Sequence[str], vectors: np.ndarray) -> None:
        """See `VectorFile`."""
        self._file.write(text_of(tokens, vectors, self._pooled).encode("utf-8"))

    def append(self, path: str) -> None:
        """See `VectorFile`."""
        try:
            file = open(path, "rb")  # noqa: SIM115 - opened apart, so that errors in writing do not name it
        except OSError as error:
            raise InputError(f"{path} cannot be read: {error.strerror}", path=path) from error
        with file:
            shutil.copyfileobj(file, self._file, 1 << 20)

    def close(self) -> None:
        """See `VectorFile`."""
        self._file.flush()
        if not self._is_stream:
            self._file.close()

    def discard(self) -> None:
        """See `VectorFile`."""
        if not self._is_stream:
            with contextlib.suppress(OSError):
                self._file.close()
