"""Other processes are kept out, where the system and the file system have such locks (Windows has none of these)."""

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
"""What a file system says that has no locks."""


@contextlib.contextmanager
def lock(path: str) -> Iterator[None]:
    """Keeps other processes that ask for the same lock out, until it is done or the process ends; they wait.

    Where there are no such locks it does nothing.

    Args:
        path: a file for the lock, made if it is missing, and left there.

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


@contextlib.contextmanager
def lock_folder(folder: str) -> Iterator[None]:
    """As `lock`, with a folder itself for the lock, so that nothing is left there; does nothing where that cannot be
    opened or locked.

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
