"""Other processes are kept out for a moment, where the system has such locks (Windows has none of these)."""

import contextlib
import os
from collections.abc import Iterator

from elmo_tf.errors import InputError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]


@contextlib.contextmanager
def locked(path: str) -> Iterator[None]:
    """Keeps other processes that ask for the same lock out, until it is done or the process ends; they wait.

    Where the system has no such locks (Windows) it does nothing, and the file's size, hash and form have to tell.

    Args:
        path: a file for the lock, made if it is missing, and left there.

    Raises:
        InputError: the file cannot be made or locked.

    >>> with locked("/tmp/elmo_tf_doc.lock"):
    ...     print("alone")
    alone
    """
    if fcntl is None:
        yield
        return
    with contextlib.ExitStack() as stack:
        try:
            file = stack.enter_context(open(path, "a"))
            fcntl.flock(file, fcntl.LOCK_EX)
        except OSError as error:
            raise InputError(f"{path} cannot be locked: {error.strerror}") from error
        yield


@contextlib.contextmanager
def locked_folder(folder: str) -> Iterator[None]:
    """As `locked`, with a folder itself for the lock, so that nothing is left there; does nothing where a file system
    cannot do it.

    >>> with locked_folder("/tmp"):
    ...     print("alone")
    alone
    """
    with contextlib.ExitStack() as stack:
        if fcntl is not None:
            with contextlib.suppress(OSError):
                handle = os.open(folder, os.O_RDONLY)
                stack.callback(os.close, handle)
                fcntl.flock(handle, fcntl.LOCK_EX)
        yield
