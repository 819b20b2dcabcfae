"""Files of vectors, a sentence after the other: the interface of all formats."""

import abc
from collections.abc import Sequence
from typing import Any, Self

import numpy as np


class VectorFile(abc.ABC):
    """A file that is being written; a context manager, at whose end the file is whole.

    Sentences are numbered from 0 as they come, whether they are added or come from finished files. So files of parts of
    a text, appended in order, make the very bytes that the whole text makes.
    """

    @abc.abstractmethod
    def add(self, tokens: Sequence[str], vectors: np.ndarray) -> None:
        """Adds a sentence: its tokens, with the boundaries if they are kept, and `([layers,] [tokens,] size)`."""

    @abc.abstractmethod
    def append(self, path: str) -> None:
        """Adds all sentences of a finished file of the same settings.

        Raises:
            InputError: that file cannot be read.
        """

    @abc.abstractmethod
    def close(self) -> None:
        """Writes what is left, and closes the file."""

    @abc.abstractmethod
    def discard(self) -> None:
        """Closes the file as it is, after an error."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: Any) -> None:
        if kind is None:
            self.close()
        else:
            self.discard()
