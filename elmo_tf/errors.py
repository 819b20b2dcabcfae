"""The exception for a mistake that the user can correct."""

import contextlib
import os
from collections.abc import Iterator
from typing import Self

_ESCAPES = {
    code: repr(chr(code))[1:-1] for code in (*range(32), *range(127, 160), 0x2028, 0x2029, *range(0xD800, 0xE000))
}
"""Python's escape sequences of control characters, of the other characters that break a line, and of surrogates.

Python has the bytes of a file's name that are no UTF-8 as surrogates, which not every terminal or log file takes.
"""


class InputError(ValueError):
    """A mistake in the input: in a file, a flag, an option or a line of text.

    The message is one sentence. It names the file, line, flag or option, and says what was expected and what was
    found. The command line prints the sentence and exits with 1; every other exception is a defect of this package
    and keeps its traceback.

    Args:
        message: the sentence, complete in itself: it names the path, line and option where there are any. A sentence
            on a file usually begins with its path; the command line then puts before it the flag that gave the path.
            Names in it may come from files, so control characters, which could break the line or colour the
            terminal, are escaped.
        path: the file or folder, or the name of a published model, that the error is about, as the caller gave it.
        line: the number of the line in that file, from 1.
        option: the option of `options.json`, such as "lstm.dim", or the flag without its hyphens, that the error is
            about.

    Example:

    >>> error = InputError("vocab.txt, line 3: the line is empty", path="vocab.txt", line=3)
    >>> print(error)
    vocab.txt, line 3: the line is empty
    >>> error.path, error.line, error.option
    ('vocab.txt', 3, None)
    >>> print(InputError("weights.hdf5: array a\\nb has no place in a model of these options"))
    weights.hdf5: array a\\nb has no place in a model of these options
    """

    def __init__(
        self,
        message: str,
        *,
        path: str | os.PathLike[str] | None = None,
        line: int | None = None,
        option: str | None = None,
    ) -> None:
        super().__init__(escape(message))
        self.path = None if path is None else os.fspath(path)
        self.line = line
        self.option = option

    def begins_with(self, path: str) -> bool:
        """Whether the error is about `path` and its message begins with it.

        >>> error = InputError("vocab.txt is empty", path="vocab.txt")
        >>> error.begins_with("vocab.txt"), error.begins_with("vocab")
        (True, False)
        """
        return path == self.path and str(self).startswith(escape(path))

    def replace(self, old: str, new: str) -> Self:
        """Returns a copy of the error with `new` in place of `old` in its message and its path.

        >>> error = InputError("/tmp/x/vocab.txt is empty", path="/tmp/x/vocab.txt").replace("/tmp/x", "model.zip")
        >>> print(error)
        model.zip/vocab.txt is empty
        >>> error.path
        'model.zip/vocab.txt'
        """
        message = str(self).replace(escape(old), new)
        path = None if self.path is None else self.path.replace(old, new)
        return type(self)(message, path=path, line=self.line, option=self.option)


@contextlib.contextmanager
def errors_about(path: str, line: int | None = None) -> Iterator[None]:
    """Gives `path`, and `line` where it is known, to an `InputError` of the block that has no path yet.

    Example:

    >>> try:
    ...     with errors_about("options.json"):
    ...         raise InputError("options.json: lstm.dim is missing", option="lstm.dim")
    ... except InputError as error:
    ...     error.path, error.option
    ('options.json', 'lstm.dim')
    """
    try:
        yield
    except InputError as error:
        if error.path is None:
            error.path = path
            error.line = error.line if line is None else line
        raise


def escape(text: str) -> str:
    """Replaces control characters, others that break a line, and surrogates by Python's escape sequences.

    >>> escape("two\\nlines")
    'two\\\\nlines'
    """
    return text.translate(_ESCAPES)
