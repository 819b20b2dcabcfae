"""Writes a file whole or not at all: under a temporary name beside the target, which is then renamed."""

import contextlib
import os
import secrets
import shutil
import stat
from collections.abc import Iterator
from typing import TypeGuard

from elmo_tf.errors import InputError
from elmo_tf.system.error_text import reason, rename_in_errors


@contextlib.contextmanager
def atomic_write(path: str | os.PathLike[str], temporary_folder: str | None = None) -> Iterator[str]:
    """Yields a temporary path beside `path`; renames it to `path` when the block ends, removes it on an error.

    The content is on the disk before the file is renamed, and the new name before the block is left, so after a power
    cut the file is the old one or the new one.

    The folder of `path` is made if it is missing. Of a symbolic link the file that it names is written. The temporary
    path keeps the ending of `path`, for libraries that look at it (`.hdf5`, `.gz`).

    Args:
        path: the file.
        temporary_folder: the folder of the temporary path, on the file system of `path`: one whose left-over files a
            later run removes, if this process is killed. By default, and for a symbolic link, which may lead to another
            file system, the folder of the file.

    Raises:
        InputError: the file cannot be written, for example because the disk is full; the message names `path`.

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
    temporary = temporary_name(folder if target != path else temporary_folder or folder, stem, ending)
    try:
        os.close(os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666))
        with rename_in_errors(path, temporary):
            yield temporary
            _flush(temporary)
        os.replace(temporary, target)
        flush_folder(folder)
    except BaseException as error:  # also on Ctrl-C: nothing half-written stays behind
        with contextlib.suppress(OSError):  # the temporary file may not exist yet
            os.remove(temporary)
        if _is_refusal_to_write(error, temporary):
            raise InputError(f"{path} cannot be written: {reason(error)}", path=path) from error
        raise


def check_regular(path: str) -> None:
    """Refuses a path, or a symbolic link, at which something other than a regular file lies.

    A file that is renamed over a device takes the device away from every program.

    >>> check_regular("/dev/null")
    Traceback (most recent call last):
    elmo_tf.errors.InputError: /dev/null is a device, a pipe or a socket; expected the name of a file to write
    """
    if os.path.isdir(path):
        raise InputError(f"{path} is a folder; expected the name of a file to write", path=path)
    if os.path.exists(path) and not os.path.isfile(path):
        raise InputError(f"{path} is a device, a pipe or a socket; expected the name of a file to write", path=path)


def check_output(path: str, overwrite: bool) -> None:
    """Refuses a path that exists, unless it shall be overwritten, and one at which no regular file lies.

    >>> check_output("/tmp", overwrite=True)
    Traceback (most recent call last):
    elmo_tf.errors.InputError: /tmp is a folder; expected the name of a file to write
    """
    check_regular(path)
    if os.path.lexists(path) and not overwrite:
        raise InputError(f"{path} exists; give --overwrite to replace it (overwrite=True from Python)", path=path)


def _is_refusal_to_write(error: BaseException, path: str) -> TypeGuard[OSError]:
    """Whether an error says that this file cannot be written; no error of another file or of a closed pipe is one."""
    return isinstance(error, OSError) and not isinstance(error, BrokenPipeError) and error.filename in (None, path)


def temporary_name(folder: str, stem: str, ending: str = "") -> str:
    """A hidden path that no file has, `.STEM.RANDOM` with the ending.

    The caller knows the path before the file or folder is made, so it can be removed even after a signal that arrives
    while it is being made.
    """
    return os.path.join(folder, f".{stem}.{secrets.token_urlsafe(6)}{ending}")


def flush_to_disk(path: str) -> None:
    """Waits until the content of a file is on the disk, where it outlives a power cut."""
    try:
        _flush(path)
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror}", path=path) from error


def flush_folder(folder: str) -> None:
    """Waits until the names of a folder's files are on the disk; does nothing where the system cannot do that."""
    with contextlib.suppress(OSError):  # Windows, and some network file systems
        _flush(folder, os.O_RDONLY)


def _flush(path: str, flags: int = os.O_RDWR if os.name == "nt" else os.O_RDONLY) -> None:
    """Waits until the content of a file is on the disk. Windows asks for the right to write for that."""
    handle = os.open(path, flags)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def give_usual_permissions(path: str) -> None:
    """Gives a file the permissions that a new file in its folder has; safetensors makes files for the owner alone.

    The permissions are those of a new file made for the purpose: the process's mask cannot be read without changing it,
    for all threads.
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
        raise InputError(
            f"the folder {folder} cannot be made: something else of that name is there", path=folder
        ) from error
    except OSError as error:
        raise InputError(f"the folder {folder} cannot be made: {error.strerror}", path=folder) from error


def write_text(path: str | os.PathLike[str], text: str, temporary_folder: str | None = None) -> None:
    """Writes `text` to `path` in UTF-8, whole or not at all; the arguments are those of `atomic_write`."""
    with (
        atomic_write(path, temporary_folder) as temporary,
        open(temporary, "w", encoding="utf-8", newline="\n") as file,
    ):
        file.write(text)


def copy(source: str, target: str) -> None:
    """Copies a file, whole or not at all; does nothing where both paths are the same file."""
    if os.path.exists(target) and os.path.samefile(source, target):
        return
    try:
        file = open(source, "rb")  # noqa: SIM115 - opened outside the block of the target, whose errors name the target
    except OSError as error:
        raise InputError(f"{source} cannot be read: {error.strerror}", path=source) from error
    with file, atomic_write(target) as temporary, open(temporary, "wb") as copied:
        shutil.copyfileobj(file, copied, 1 << 20)
