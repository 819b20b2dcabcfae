"""One file over HTTP: it goes on where it broke off, and appears whole and checked, or not at all.

`keras.utils.get_file` does not do for files of hundreds of megabytes (its `file_utils.py`, Keras 3.15): it begins anew
after a break, waits for ever on a silent server, writes under the final name while it reads, so that a killed run or a
second process leaves half a file that later counts as whole, checks no size, and leaves a file of the wrong hash there.
"""

import contextlib
import http.client
import json
import os
import re
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from elmo_tf.errors import InputError
from elmo_tf.system.atomic_files import sha256
from elmo_tf.version import __version__

Progress = Callable[[int, int | None], None]
"""Called with the bytes that are there and the bytes of the whole file, None where the server does not say."""

TIMEOUT = 30.0
"""Seconds without a byte after which a connection counts as broken."""

TRIES = 3
"""Connections in a row that come no further than those before, after which it is given up."""

PAUSE = 1.0
"""Seconds before the second of them; the third waits twice as long."""

_CHUNK = 1 << 20
_PASSING_STATUS = (408, 416, 429, 500, 502, 503, 504)
_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+)")


class DownloadError(Exception):
    """A file that cannot be had: what the address answered, or what is wrong with what came."""


@dataclass(frozen=True)
class Expected:
    """What a file must be; None where that is not known.

    Args:
        size: its bytes.
        sha256: the hash of its content, as 64 hexadecimal digits.
        form: raises an `InputError` or `OSError` where a file, given by its path, is not of the kind it should be.
    """

    size: int | None = None
    sha256: str | None = None
    form: Callable[[str], None] | None = None

    def fault(self, path: str) -> str | None:
        """What is wrong with a file, such as "expected 10 bytes, got 9"; None where nothing is.

        >>> Expected(size=10).fault("/dev/null")
        'expected 10 bytes, got 0'
        """
        size = os.path.getsize(path)
        if self.size is not None and size != self.size:
            return f"expected {self.size:,} bytes, got {size:,}"
        if self.sha256 is not None:
            found = sha256(path)
            if found != self.sha256:
                return f"expected the sha256 {self.sha256}, got {found}"
        try:
            if self.form is not None:
                self.form(path)
        except (InputError, OSError) as error:
            return f"{' '.join(str(error).split())} ({size:,} bytes)"
        return None


def download(url: str, path: str, expected: Expected | None = None, progress: Progress | None = None) -> None:
    """Gets `url` into `path`, whose folder is there; an old file of that name is replaced.

    What has come stays beside it as `.NAME.part` when the connection, the process or the machine breaks off, and the
    next try goes on there: at once, or in the next call. It begins anew where the server cannot send parts, or says
    that its file is another one by now. One process at a time: see `elmo_tf.system.locks`.

    Args:
        url: http, https or file.
        path: the file to write.
        expected: what it must be.
        progress: called with every piece.

    Raises:
        DownloadError: the address does not give the file, or gives another one, of which nothing is kept.
        InputError: the file cannot be written.
    """
    expected = expected or Expected()
    transfer = _Transfer(url, path, expected, progress)
    try:
        transfer.run()
    except _ProgressError as error:
        raise error.error from None
    fault = expected.fault(transfer.part)
    if fault is not None:
        transfer.discard()
        raise DownloadError(f"{url}: {fault}")
    with _writing(path):
        os.replace(transfer.part, path)
    transfer.discard()


class _Transfer:
    """The bytes of one file on their way to `part`, with a note of where they come from."""

    def __init__(self, url: str, path: str, expected: Expected, progress: Progress | None) -> None:
        self.url, self.path, self._expected, self._progress = url, path, expected, progress
        folder, name = os.path.split(path)
        self.part = os.path.join(folder, f".{name}.part")
        self._note = self.part + ".json"

    def run(self) -> None:
        """Connects until all is there; gives up after `TRIES` connections in a row that come no further."""
        futile, begun, furthest = 0, False, self._bytes_here()
        while (reason := self._connect(begun)) is not None:
            here = self._bytes_here()
            begun, futile = begun or here > 0, 0 if here > furthest else futile + 1
            furthest = max(furthest, here)
            if futile >= TRIES:
                raise DownloadError(f"{self.url}: {reason} after {here:,} bytes, where the next try goes on")
            time.sleep(PAUSE * futile)

    def _connect(self, begun: bool) -> str | None:
        """One connection: None where the file is complete after it, or why it is not and another may help."""
        try:
            return None if self._receive() else "the connection broke off"
        except urllib.error.HTTPError as error:
            error.close()
            reason = f"the answer is {error.code} {error.reason}"
            if error.code not in _PASSING_STATUS:
                raise DownloadError(f"{self.url}: {reason}") from error
            if error.code == 416:  # what is here cannot be the begin of what is there
                self.discard()
            return reason
        except _BrokenOffError as error:
            return str(error)
        except (OSError, OverflowError, http.client.HTTPException) as error:  # the second for a port over 65535
            if isinstance(error, urllib.error.URLError) and not begun:  # nobody there, so nobody to wait for
                raise DownloadError(f"{self.url}: {_plain(error)}") from error
            return _plain(error)

    def discard(self) -> None:
        """Removes what has come."""
        for path in (self._note, self.part):
            with _writing(self.path), contextlib.suppress(FileNotFoundError):
                os.remove(path)

    def _bytes_here(self) -> int:
        return os.path.getsize(self.part) if os.path.exists(self.part) else 0

    def _noted(self) -> dict[str, Any]:
        """Where the bytes that are here come from; empty where that is another address, or not known."""
        try:
            with open(self._note, encoding="utf-8") as file:
                note = json.load(file)
        except (OSError, ValueError):
            return {}
        return note if isinstance(note, dict) and note.get("url") == self.url else {}

    def _receive(self) -> bool:
        """One connection; whether the file is complete after it."""
        note = self._noted()
        start = self._bytes_here() if note else 0
        if start and start == note.get("total"):
            return True
        headers = {"User-Agent": f"elmo_tf/{__version__}", "Accept-Encoding": "identity"}
        if start:
            headers["Range"] = f"bytes={start}-"
            if note.get("version"):
                headers["If-Range"] = note["version"]
        with urllib.request.urlopen(urllib.request.Request(self.url, headers=headers), timeout=TIMEOUT) as response:
            start, total = self._place(response, start, note)
            if total is not None and self._expected.size not in (None, total):
                self.discard()
                raise DownloadError(f"{self.url}: expected {self._expected.size:,} bytes, got {total:,}")
            return self._store(response, start, total)

    def _place(self, response: Any, start: int, note: dict[str, Any]) -> tuple[int, int | None]:
        """From which byte on the answer is, and of how many; begins anew where the server sends the whole file."""
        if response.status == 206:
            found = _RANGE.fullmatch(response.headers.get("Content-Range", ""))
            if found and int(found[1]) == start and note.get("total") in (None, int(found[2])):
                return start, int(found[2])
            self.discard()
            raise http.client.HTTPException("the server sends another part than was asked for")
        self.discard()
        length = response.headers.get("Content-Length")
        total = int(length) if length and length.isdigit() else self._expected.size
        version = response.headers.get("ETag") or ""
        if not version or version.startswith("W/"):  # a weak one is no promise that bytes are equal
            version = response.headers.get("Last-Modified")
        with _writing(self.path), open(self._note, "w", encoding="utf-8") as file:
            json.dump({"url": self.url, "version": version, "total": total}, file)
        return 0, total

    def _store(self, response: Any, start: int, total: int | None) -> bool:
        done = start
        for done in self._written(response, start):
            self._tell(done, total)
        return total is None or done == total

    def _tell(self, done: int, total: int | None) -> None:
        try:
            if self._progress is not None:
                self._progress(done, total)
        except OSError as error:
            raise _ProgressError(error) from error

    def _written(self, response: Any, done: int) -> Iterator[int]:
        """Writes what comes, and gives the bytes that are there after every piece; errors of the caller are its own."""
        with _writing(self.path), open(self.part, "ab") as file:
            while piece := _next_piece(response):
                file.write(piece)
                done += len(piece)
                yield done


class _BrokenOffError(Exception):
    """The connection ended in an error: told apart from errors of the disk."""


class _ProgressError(Exception):
    """The caller's own progress callback failed: told apart from errors of the network and of the disk."""

    def __init__(self, error: OSError) -> None:
        super().__init__(str(error))
        self.error = error


def _next_piece(response: Any) -> bytes:
    """What has come; empty at the end, and where the connection was closed."""
    try:
        # not `read`, which waits for the whole piece, and loses what there is of it where the connection breaks
        return bytes(response.read1(_CHUNK))
    except (OSError, http.client.HTTPException) as error:
        raise _BrokenOffError(_plain(error)) from error


@contextlib.contextmanager
def _writing(path: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror or error}", path=path) from error


def _plain(error: Exception) -> str:
    """An error of the network in a few words."""
    reason = getattr(error, "reason", error)
    if isinstance(reason, TimeoutError):
        return f"no answer in {TIMEOUT:.0f} seconds"
    if isinstance(reason, OSError) and reason.strerror:
        return reason.strerror
    return str(reason) or type(reason).__name__
