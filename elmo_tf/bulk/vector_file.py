"""The common interface of all formats in which vectors are written, sentence by sentence."""

import abc
from collections.abc import Sequence
from typing import Any, Self

import numpy as np


class VectorFile(abc.ABC):
    """A file of vectors that is being written; a context manager, which completes the file when its block ends.

    Sentences are numbered from 0 in the order in which they are written, whether by `add` or by `append`. Appending the
    files of the parts of a text in order therefore gives the same bytes as adding all sentences of the text.
    """

    @abc.abstractmethod
    def add(self, tokens: Sequence[str], vectors: np.ndarray) -> None:
        """Adds a sentence.

        Args:
            tokens: the tokens, including the boundaries if they get vectors.
            vectors: the vectors `([layers,] [tokens,] size)`.
        """

    @abc.abstractmethod
    def append(self, path: str) -> None:
        """Adds all sentences of a finished file that was written with the same settings.

        Raises:
            InputError: the finished file cannot be read.
        """

    @abc.abstractmethod
    def close(self) -> None:
        """Writes everything that is still in memory, and closes the file."""

    @abc.abstractmethod
    def discard(self) -> None:
        """Closes the file after an error, without completing it."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: Any) -> None:
        if kind is None:
            self.close()
        else:
            self.discard()
