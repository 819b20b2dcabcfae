"""A lock that one process holds for hours: its file says who holds it, and no dead process holds it.

While a process holds the lock it has locked the file by `flock`, where the file system can, and sets the file's time
anew every few seconds. So a process that died is told from one that lives: on the same host by its `flock` or its
number, on another host, which may not see its `flock`, by the file's time, which stands still.
"""

import contextlib
import datetime
import json
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

from elmo_tf.errors import InputError
from elmo_tf.system import locks
from elmo_tf.system.atomic_files import temporary_name

HEARTBEAT = 5.0
"""Seconds from one time that the holder sets to the next."""

SILENCE = 30.0
"""Seconds without a new time after which a holder on another host counts as dead."""

_handles: set[int] = set()
"""The locked files of this process. A child that is forked closes them, or it would go on holding the locks."""


class Holder(NamedTuple):
    """The process that holds a lock.

    Args:
        host: the name of its host.
        process: its number.
        since: the date and time at which it got the lock.
        start: the time at which it began, by the clock of its system, which tells it from a later process of the same
            number; empty where the system does not say it.
    """

    host: str
    process: int
    since: str
    start: str

    @classmethod
    def this_process(cls) -> "Holder":
        """This process, now."""
        now = datetime.datetime.now(datetime.UTC)
        return cls(socket.gethostname(), os.getpid(), f"{now:%Y-%m-%d %H:%M:%S} UTC", _start_and_state(os.getpid())[0])

    def is_here(self) -> bool:
        """Whether it is a process of this host."""
        return self.host == socket.gethostname()

    def is_alive(self) -> bool:
        """Whether it is still there; it must be a process of this host, which must not be Windows."""
        try:
            os.kill(self.process, 0)
        except ProcessLookupError:
            return False
        except OSError:  # it is another user's
            pass
        start, state = _start_and_state(self.process)
        return start == self.start and state != "Z"

    def __str__(self) -> str:
        return f"process {self.process} on {self.host}, since {self.since}"


@contextlib.contextmanager
def process_lock(path: str, folder: str, report: Callable[[str], None] = print) -> Iterator[None]:
    """Holds a lock during the block, and removes its file at the end.

    Args:
        path: the lock's file.
        folder: what the lock is for, which the error begins with.
        report: takes a line for people where the lock of another host must be watched to tell whether its holder lives.

    Raises:
        InputError: another process holds the lock, or the file cannot be written.

    Example:

    >>> with process_lock("/tmp/elmo_tf_doc.train.lock", "/tmp"):
    ...     os.path.exists("/tmp/elmo_tf_doc.train.lock")
    True
    >>> os.path.exists("/tmp/elmo_tf_doc.train.lock")
    False
    """
    try:
        handle = _acquire(path, folder, report)
    except OSError as error:
        raise InputError(f"{folder} cannot be locked: {error.strerror}", path=folder) from error
    _handles.add(handle)
    ended = threading.Event()
    thread = threading.Thread(target=_beat, args=(handle, path, ended), daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        with contextlib.suppress(OSError):
            if _is_same_file(handle, path):
                os.remove(path)
        _handles.discard(handle)
        os.close(handle)


def _acquire(path: str, folder: str, report: Callable[[str], None]) -> int:
    """Locks the file and writes this process into it; returns the open file."""
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            locked = locks.try_lock(handle)
            holder = _read(handle)
            if locked is False or (holder is not None and _is_held(holder, locked, path, report)):
                raise InputError(
                    f"{folder} is in use by {holder or 'another process'}: wait for its end, or stop it", path=folder
                )
            if _is_same_file(handle, path):
                os.ftruncate(handle, 0)
                os.pwrite(handle, json.dumps(Holder.this_process()._asdict()).encode(), 0)
                return handle
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)  # its holder has just ended and removed it


def _is_held(holder: Holder, locked: bool | None, path: str, report: Callable[[str], None]) -> bool:
    """Whether a process that is written in the file lives; `locked` says whether this process has locked the file."""
    if holder.is_here() and locked:
        return False  # the system has released the lock at its end
    if holder.is_here() and os.name != "nt":
        return holder.is_alive()
    before = _file_time(path)
    if _time_of_file_system(path) - before > 2 * SILENCE:
        return False
    report(f"note: {path} is of {holder}: waiting {SILENCE:.0f} s for a sign that it lives")
    end = time.monotonic() + SILENCE
    while time.monotonic() < end:
        time.sleep(min(1.0, HEARTBEAT / 5))
        if _file_time(path) != before:
            return os.path.exists(path)
    return False


def _beat(handle: int, path: str, ended: threading.Event) -> None:
    while not ended.wait(HEARTBEAT):
        with contextlib.suppress(OSError):
            os.utime(handle if os.utime in os.supports_fd else path)


def _read(handle: int) -> Holder | None:
    """The holder that the file names; None where it names none, for example since a kill cut it short."""
    try:
        values = json.loads(os.pread(handle, 4096, 0))
        return Holder(str(values["host"]), int(values["process"]), str(values["since"]), str(values["start"]))
    except (ValueError, KeyError, TypeError):
        return None


def _is_same_file(handle: int, path: str) -> bool:
    try:
        return os.path.samestat(os.fstat(handle), os.stat(path))
    except FileNotFoundError:
        return False


def _file_time(path: str) -> float:
    """The time of a file, 0 where it is gone; it is opened for that, so that a network file system asks its server."""
    try:
        with open(path, "rb") as file:
            return os.fstat(file.fileno()).st_mtime
    except FileNotFoundError:
        return 0.0


def _time_of_file_system(path: str) -> float:
    """The time now by the clock that sets the times of files in the folder of `path`."""
    probe = temporary_name(os.path.dirname(path), os.path.basename(path))
    try:
        with open(probe, "wb"):
            return _file_time(probe)
    finally:
        os.remove(probe)


def _start_and_state(process: int) -> tuple[str, str]:
    """The time at which a process began and the letter of its state, from Linux's `/proc`; empty texts elsewhere."""
    try:
        with open(f"/proc/{process}/stat", encoding="utf-8", errors="replace") as file:
            fields = file.read().rpartition(")")[2].split()
    except OSError:
        return "", ""
    return fields[19], fields[0]


def _close_in_child() -> None:
    while _handles:
        os.close(_handles.pop())


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_close_in_child)
