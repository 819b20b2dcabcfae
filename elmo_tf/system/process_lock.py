"""A lock that a process may hold for hours. Its file names the holder, and the lock of a dead process can be taken.

The holder locks the file with `flock`, if the file system supports it, and updates the file's modification time every
few seconds. This shows whether the holder is still alive. A process on the same host checks the `flock` or the number
of the holder's process. A process on another host, where the `flock` may not be visible, checks whether the
modification time still changes.
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
"""Seconds between two updates of the file's modification time by the holder."""

SILENCE = 30.0
"""Seconds without an update of the modification time after which a holder on another host is considered dead."""

_LARGEST_NUMBER = 2**31 - 1
"""The largest number that a process can have."""

_handles: set[int] = set()
"""The file descriptors of the locks of this process. A forked child closes them; otherwise it would keep the locks."""


class Holder(NamedTuple):
    """The process that holds a lock.

    Args:
        host: the name of the host on which the process runs.
        process: the number of the process.
        since: the date and time at which the process acquired the lock.
        start: the time at which the process began, by the clock of its operating system. It distinguishes the process
            from a later one with the same number. It is empty if the operating system does not provide it.
    """

    host: str
    process: int
    since: str
    start: str

    @classmethod
    def this_process(cls) -> "Holder":
        """Makes the holder that describes this process at this time."""
        now = datetime.datetime.now(datetime.UTC)
        return cls(socket.gethostname(), os.getpid(), f"{now:%Y-%m-%d %H:%M:%S} UTC", _start_and_state(os.getpid())[0])

    def is_here(self) -> bool:
        """Whether the holder is a process on this host."""
        return self.host == socket.gethostname()

    def is_alive(self) -> bool:
        """Whether the holder is still running. It must be a process on this host, and the host must not run Windows."""
        try:
            os.kill(self.process, 0)
        except ProcessLookupError:
            return False
        except OSError:  # the process exists but belongs to another user
            pass
        start, state = _start_and_state(self.process)
        return start == self.start and state != "Z"

    def __str__(self) -> str:
        return f"process {self.process} on {self.host}, since {self.since}"


@contextlib.contextmanager
def process_lock(path: str, folder: str, report: Callable[[str], None] = print) -> Iterator[None]:
    """Holds a lock while the `with` block runs, and removes the file of the lock at the end.

    Args:
        path: the path of the file of the lock.
        folder: the folder that the lock protects; error messages begin with it.
        report: a function that is called with a line for the user if it takes some time to find out whether a holder on
            another host is alive.

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
    """Locks the file, writes this process into it as the holder, and returns the file descriptor."""
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
        except BaseException:  # also on Ctrl-C: the handle must not stay open
            os.close(handle)
            raise
        os.close(handle)  # the holder has just ended and removed the file, so try again with a new one


def _is_held(holder: Holder, locked: bool | None, path: str, report: Callable[[str], None]) -> bool:
    """Whether the holder that the file names is alive.

    `locked` is True if this process now has the `flock` of the file, and None if locks are not available.
    """
    if holder.is_here() and locked:
        return False  # the holder has ended, and the operating system has released its lock
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
    """Reads the holder that the file names; returns None if it names none, for example after an interrupted write."""
    try:
        values = json.loads(os.pread(handle, 4096, 0))
        holder = Holder(str(values["host"]), int(values["process"]), str(values["since"]), str(values["start"]))
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return None
    return holder if 0 < holder.process <= _LARGEST_NUMBER else None


def _is_same_file(handle: int, path: str) -> bool:
    try:
        return os.path.samestat(os.fstat(handle), os.stat(path))
    except FileNotFoundError:
        return False


def _file_time(path: str) -> float:
    """The modification time of a file, in seconds; 0 if the file does not exist.

    The file is opened, because a network file system then asks its server for the current time stamp.
    """
    try:
        with open(path, "rb") as file:
            return os.fstat(file.fileno()).st_mtime
    except FileNotFoundError:
        return 0.0


def _time_of_file_system(path: str) -> float:
    """The current time by the clock that sets the modification times of files in the folder of `path`."""
    probe = temporary_name(os.path.dirname(path), os.path.basename(path))
    try:
        with open(probe, "wb"):
            return _file_time(probe)
    finally:
        os.remove(probe)


def _start_and_state(process: int) -> tuple[str, str]:
    """The start time of a process and the letter of its state, from Linux's `/proc`; empty strings on other systems."""
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
