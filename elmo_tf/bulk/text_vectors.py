"""Text files of vectors, for programs that read lines and for pipes."""

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
    """The lines of a sentence.

    Each token has one: the token, a tab, and its numbers with spaces between them, in as many digits as tell a number
    from its neighbours; of several layers one behind the other. A blank line ends the sentence. A pooled sentence has
    one line: its tokens with spaces between them, a tab, and the numbers.

    Args:
        tokens: the sentence.
        vectors: `([layers,] tokens, size)`, pooled `([layers,] size)`.
        pooled: whether they are.

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
    """Writes a text file, or lines to standard output.

    Args:
        path: the file; "-" for standard output.
        settings: `pooling` counts.
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
            file = open(path, "rb")  # noqa: SIM115 - apart from the writing, whose errors are of the new file
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
