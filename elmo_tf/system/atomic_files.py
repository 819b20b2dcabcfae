"""Files that appear whole or not at all: write to a temporary name beside the target, then rename."""

import contextlib
import hashlib
import json
import os
import re
import secrets
import shutil
import stat
from collections.abc import Iterator
from typing import Any, TypeGuard

from elmo_tf.errors import InputError

_OPERATION = re.compile(r"\[*\{\{.*?\}\}\]*|\[Op:\w+\].*|Error while serializing: I/O error: | \(os error \d+\)")
"""What TensorFlow and safetensors say beside the reason."""

_LONGEST = 300
"""Letters of another program's words in a sentence of ours."""


@contextlib.contextmanager
def atomic_write(path: str | os.PathLike[str]) -> Iterator[str]:
    """Yields a temporary path in the folder of `path`; on success it is renamed to `path`, on any error removed.

    The folder of `path` is made if it is missing. Of a symbolic link the file that it names is written. The temporary
    name keeps the ending of `path`, so that libraries which look at it (`.hdf5`, `.gz`) see the right one. A full disk
    is an `InputError` that names `path`.

    Example:

    >>> with atomic_write("/tmp/elmo_tf_doc/numbers.txt") as temporary:
    ...     with open(temporary, "w") as file:
    ...         _ = file.write("1 2 3")
    >>> open("/tmp/elmo_tf_doc/numbers.txt").read()
    '1 2 3'
    """
    path = os.fspath(path)
    target = os.path.realpath(path) if os.path.islink(path) else path
    folder = os.path.dirname(target) or "."
    make_folder(folder)
    check_regular(path)
    stem, ending = os.path.splitext(os.path.basename(target))
    temporary = temporary_name(folder, stem, ending)
    try:
        os.close(os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666))
        with rename_in_errors(path, temporary):
            yield temporary
        os.replace(temporary, target)
    except BaseException as error:  # also on Ctrl-C: nothing half-written stays behind
        with contextlib.suppress(OSError):  # it may not have come to be
            os.remove(temporary)
        if _is_of(error, temporary):
            raise InputError(f"{path} cannot be written: {reason(error)}") from error
        raise


def check_regular(path: str) -> None:
    """An `InputError` where `path` is there, or is a symbolic link to what is there, and is no regular file.

    To rename a file over a device would take the device away from everybody.

    >>> check_regular("/dev/null")
    Traceback (most recent call last):
    elmo_tf.errors.InputError: /dev/null is a device, a pipe or a socket; expected the name of a file to write
    """
    if os.path.isdir(path):
        raise InputError(f"{path} is a folder; expected the name of a file to write")
    if os.path.exists(path) and not os.path.isfile(path):
        raise InputError(f"{path} is a device, a pipe or a socket; expected the name of a file to write")


@contextlib.contextmanager
def rename_in_errors(path: str, *temporary: str) -> Iterator[None]:
    """An `InputError` that names something temporary, which nobody will find, says `path` instead.

    Args:
        path: what the user knows.
        temporary: what stands for it, the longer names first.

    Example:

    >>> with rename_in_errors("model.zip", "/tmp/x"):
    ...     raise InputError("/tmp/x/vocab.txt is empty")
    Traceback (most recent call last):
    elmo_tf.errors.InputError: model.zip/vocab.txt is empty
    """
    try:
        yield
    except InputError as error:
        told = str(error)
        for name in temporary:
            told = told.replace(name, path)
        if told == str(error):
            raise
        raise InputError(told) from error


def _is_of(error: BaseException, path: str) -> TypeGuard[OSError]:
    """Whether the system refused to write this file; not where it is about another one, or the output's reader left."""
    return isinstance(error, OSError) and not isinstance(error, BrokenPipeError) and error.filename in (None, path)


def temporary_name(folder: str, stem: str, ending: str = "") -> str:
    """A hidden name that nobody has. It is known before the file or folder is made, or a signal that comes just then
    would leave it behind."""
    return os.path.join(folder, f".{stem}.{secrets.token_urlsafe(6)}{ending}")


def flush_to_disk(path: str) -> None:
    """Waits until a file is on the disk: a name that outlives a power cut is worth nothing without what it names."""
    try:
        with open(path, "rb+") as file:
            os.fsync(file.fileno())
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror}") from error


def give_usual_permissions(path: str) -> None:
    """Gives a file the permissions that a new file in its folder has; safetensors makes files for the owner alone.

    They are read off a new file: asking for the process's mask means to change it, for all threads.
    """
    probe = temporary_name(os.path.dirname(path), os.path.basename(path))
    try:
        with open(probe, "wb") as file:
            mode = os.fstat(file.fileno()).st_mode
        os.chmod(path, stat.S_IMODE(mode))
    finally:
        with contextlib.suppress(OSError):
            os.remove(probe)


def make_folder(folder: str) -> None:
    """Makes `folder` and its parents; an `InputError` where a file is in the way or the right to write is missing."""
    try:
        os.makedirs(folder, exist_ok=True)
    except FileExistsError as error:  # a file, or a symbolic link to nothing
        raise InputError(f"the folder {folder} cannot be made: something else of that name is there") from error
    except OSError as error:
        raise InputError(f"the folder {folder} cannot be made: {error.strerror}") from error


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Writes `text` to `path` in UTF-8, whole or not at all."""
    with atomic_write(path) as temporary, open(temporary, "w", encoding="utf-8", newline="\n") as file:
        file.write(text)


def copy(source: str, target: str) -> None:
    """Copies a file, whole or not at all; nothing is done where both are the same file."""
    if os.path.exists(target) and os.path.samefile(source, target):
        return
    try:
        file = open(source, "rb")  # noqa: SIM115 - apart from the writing, whose errors are of the target
    except OSError as error:
        raise InputError(f"{source} cannot be read: {error.strerror}") from error
    with file, atomic_write(target) as temporary, open(temporary, "wb") as copied:
        shutil.copyfileobj(file, copied, 1 << 20)


def check_readable(path: str) -> None:
    """An `InputError` where a file is missing, a folder or not ours to read: libraries say that less plainly."""
    try:
        with open(path, "rb"):
            pass
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error


def sha256(path: str) -> str:
    """The SHA-256 of a file's content, as 64 hexadecimal digits.

    >>> sha256("/dev/null")[:8]
    'e3b0c442'
    """
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def reason(error: Exception) -> str:
    """What the system said of a file that could not be written, without the paths and names of operations that
    TensorFlow puts around it.

    Example:

    >>> reason(OSError(28, "No space left on device"))
    'No space left on device'
    >>> reason(RuntimeError("{{node save/SaveV2}} /a/.b/c.tempstate1; No space left on device [Op:SaveV2]"))
    'No space left on device'
    """
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return _plain_line(error).rsplit("; ", 1)[-1].strip()[:_LONGEST]


def first_line(error: Exception) -> str:
    """The first line of what TensorFlow says, without the names of operations and cut to a length for people; the
    error's name where it says nothing.

    >>> first_line(ValueError("{{function_node a_/job:localhost/task:0}} Read less bytes [Op:RestoreV2]"))
    'Read less bytes'
    """
    return _plain_line(error)[:_LONGEST]


def _plain_line(error: Exception) -> str:
    line = (str(error).strip() or type(error).__name__).splitlines()[0]
    return _OPERATION.sub("", line).strip() or type(error).__name__


def read_json(path: str) -> Any:
    """The content of a JSON file; an `InputError` that names the file, and the line, where it is none."""
    try:
        with open(path, encoding="utf-8") as file:
            return json.load(file)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8 text: {error.reason} at byte {error.start}") from error
    except json.JSONDecodeError as error:
        raise InputError(f"{path}, line {error.lineno}: not valid JSON: {error.msg}") from error
    except RecursionError as error:
        raise InputError(f"{path}: expected a JSON file, got objects or lists nested too deeply to be read") from error
    except ValueError as error:  # Python reads no whole number of more than 4300 digits
        raise InputError(f"{path}: expected a JSON file, got a number with too many digits to be read") from error
