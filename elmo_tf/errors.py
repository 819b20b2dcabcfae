"""The one exception that means: the user can mend this."""

_ESCAPED = {code: repr(chr(code))[1:-1] for code in (*range(32), *range(127, 160), 0x2028, 0x2029)}
"""Control characters, and what else breaks a line, as Python writes them in a text."""


class InputError(ValueError):
    """A mistake in what was given: a file, a flag, an option, a line of text.

    Its message is one sentence that names the file, line, flag or option, what was expected and what came. The command
    line prints that sentence and exits with 1; every other exception is a defect of this package and keeps its
    traceback.

    Args:
        message: the sentence. Names inside it come from files too: control characters among them, which would break
            the line or turn a terminal's colours, are escaped.

    Example:

    >>> print(InputError("weights.hdf5: array a\\nb has no place in a model of these options"))
    weights.hdf5: array a\\nb has no place in a model of these options
    """

    def __init__(self, message: str) -> None:
        super().__init__(message.translate(_ESCAPED))
