"""The wording of errors: the reason that the system or a library gave, in short, and paths as the user knows them."""

import contextlib
import re
from collections.abc import Iterator

from elmo_tf.errors import InputError

_OPERATION = re.compile(r"\[*\{\{.*?\}\}\]*|\[Op:\w+\].*|Error while serializing: I/O error: | \(os error \d+\)")
"""Text that TensorFlow and safetensors put around the reason."""

_MAX_LENGTH = 300
"""Characters of a library's message that a message of ours may hold."""


@contextlib.contextmanager
def rename_in_errors(path: str, *temporary: str) -> Iterator[None]:
    """Puts `path` in place of temporary paths, which the user does not know, in the message of an `InputError`.

    Args:
        path: the file or folder that the user named.
        temporary: the temporary paths that stand for it. If one path begins with another one, the longer comes first.

    Example:

    >>> with rename_in_errors("model.zip", "/tmp/x"):
    ...     raise InputError("/tmp/x/vocab.txt is empty")
    Traceback (most recent call last):
    elmo_tf.errors.InputError: model.zip/vocab.txt is empty
    """
    try:
        yield
    except InputError as error:
        renamed = error
        for name in temporary:
            renamed = renamed.replace(name, path)
        if (str(renamed), renamed.path) == (str(error), error.path):
            raise
        raise renamed from error


def reason(error: Exception) -> str:
    """The reason why a file cannot be written, without the paths and operations that TensorFlow puts around it.

    Example:

    >>> reason(OSError(28, "No space left on device"))
    'No space left on device'
    >>> reason(RuntimeError("{{node save/SaveV2}} /a/.b/c.tempstate1; No space left on device [Op:SaveV2]"))
    'No space left on device'
    """
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return _plain_line(error).rsplit("; ", 1)[-1].strip()[:_MAX_LENGTH]


def first_line(error: Exception) -> str:
    """The first line of TensorFlow's message, without names of operations, cut to 300 characters.

    The name of the error's class where the message is empty.

    >>> first_line(ValueError("{{function_node a_/job:localhost/task:0}} Read less bytes [Op:RestoreV2]"))
    'Read less bytes'
    """
    return _plain_line(error)[:_MAX_LENGTH]


def _plain_line(error: Exception) -> str:
    line = (str(error).strip() or type(error).__name__).splitlines()[0]
    return _OPERATION.sub("", line).strip() or type(error).__name__
