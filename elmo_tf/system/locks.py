"""Locks between processes, where the operating system and the file system have them (Windows does not)."""

import contextlib
import errno
import os
from collections.abc import Iterator

from elmo_tf.errors import InputError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL)
"""Error numbers of a file system that has no locks."""


@contextlib.contextmanager
def lock(path: str) -> Iterator[None]:
    """Holds a lock during the block; other processes and threads that ask for the same lock wait for its end.

    The system releases the lock, too, when the process ends. Where there are no locks, the block runs without one.

    Args:
        path: a file that stands for the lock; it is made if it is missing, and stays.

    Raises:
        InputError: the file cannot be made or locked.

    >>> with lock("/tmp/elmo_tf_doc.lock"):
    ...     print("alone")
    alone
    """
    with contextlib.ExitStack() as stack:
        try:
            file = stack.enter_context(open(path, "a"))
            _lock(file.fileno())
        except OSError as error:
            raise InputError(f"{path} cannot be locked: {error.strerror}", path=path) from error
        yield


def _lock(handle: int) -> None:
    if fcntl is None:
        return
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise


def try_lock(handle: int) -> bool | None:
    """Locks an open file without waiting.

    Returns:
        True where it is locked now, False where it is locked already, None where there are no locks.
    """
    if fcntl is None:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
            return False
        if error.errno in _NO_LOCKS:
            return None
        raise
    return True


@contextlib.contextmanager
def lock_folder(folder: str) -> Iterator[None]:
    """Holds a lock on a folder during the block, as `lock` does on a file, without leaving a file there.

    Where the folder cannot be opened or locked, the block runs without a lock.

    >>> with lock_folder("/tmp"):
    ...     print("alone")
    alone
    """
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError):
            handle = os.open(folder, os.O_RDONLY)
            stack.callback(os.close, handle)
            _lock(handle)
        yield
