"""Transfers one file over several connections; each begins at the byte at which the last one broke off."""

import contextlib
import http.client
import json
import os
import re
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

from elmo_tf.errors import InputError
from elmo_tf.version import __version__

Progress = Callable[[int, int | None], None]
"""A function that is called with the bytes received so far and the size of the file, None if that is not known."""

TIMEOUT = 30.0
"""Seconds without a byte after which a connection counts as broken."""

TRIES = 3
"""The number of connections in a row without a new byte after which the transfer is given up."""

PAUSE = 1.0
"""Seconds of waiting after the first connection that brought no new byte; twice as long after the second."""

_CHUNK = 1 << 20
_RETRY_STATUS = (408, 416, 429, 500, 502, 503, 504)
"""HTTP status codes after which another try may succeed."""

_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+)")


class DownloadError(Exception):
    """A file cannot be downloaded; the message is the server's answer, or says what is wrong with the received file."""


class ResumableTransfer:
    """The transfer of one file into `part`, beside a small JSON note that says which file on which server it is from.

    A later transfer of the same address, perhaps in another process, continues the part of an earlier one.

    Args:
        url: http, https or file.
        path: the file to be; `part` and the note lie beside it as `.NAME.part` and `.NAME.part.json`.
        expected_size: its bytes; None where they are not known.
        progress: called with every piece that is received.

    Attributes:
        part: the path of the bytes received so far.
    """

    def __init__(self, url: str, path: str, expected_size: int | None, progress: Progress | None) -> None:
        self.url, self.path, self._expected_size, self._progress = url, path, expected_size, progress
        folder, name = os.path.split(path)
        self.part = os.path.join(folder, f".{name}.part")
        self._note = self.part + ".json"

    def run(self) -> None:
        """Connects until the file is complete.

        Raises:
            DownloadError: the server refuses, or `TRIES` connections in a row brought no new byte.
            InputError: the part or its note cannot be written.
            ProgressError: the callback failed.
        """
        n_futile, has_begun, furthest = 0, False, self._received_bytes()
        while (reason := self._connect(has_begun)) is not None:
            received = self._received_bytes()
            has_begun, n_futile = has_begun or received > 0, 0 if received > furthest else n_futile + 1
            furthest = max(furthest, received)
            if n_futile >= TRIES:
                raise DownloadError(f"{self.url}: {reason} after {received:,} bytes, where the next try goes on")
            time.sleep(PAUSE * n_futile)

    def _connect(self, has_begun: bool) -> str | None:
        """Opens one connection and receives what it brings.

        Returns:
            None where the file is complete now, or the reason why it is not, where another connection may help.
        """
        try:
            return None if self._receive() else "the connection broke off"
        except urllib.error.HTTPError as error:
            error.close()
            reason = f"the answer is {error.code} {error.reason}"
            if error.code not in _RETRY_STATUS:
                raise DownloadError(f"{self.url}: {reason}") from error
            if error.code == 416:  # the part is at least as long as the file: it is of another one
                self.discard()
            return reason
        except _BrokenOffError as error:
            return str(error)
        except (OSError, OverflowError, http.client.HTTPException) as error:  # OverflowError for a port over 65535
            if isinstance(error, urllib.error.URLError) and not has_begun:  # no server answers, so waiting is no use
                raise DownloadError(f"{self.url}: {_network_reason(error)}") from error
            return _network_reason(error)

    def discard(self) -> None:
        """Removes the part and its note."""
        for path in (self._note, self.part):
            with writing_errors(self.path), contextlib.suppress(FileNotFoundError):
                os.remove(path)

    def _received_bytes(self) -> int:
        return os.path.getsize(self.part) if os.path.exists(self.part) else 0

    def _read_note(self) -> dict[str, Any]:
        """Reads the note on the part; empty if there is none, if it is damaged, or if it names another address."""
        try:
            with open(self._note, encoding="utf-8") as file:
                note = json.load(file)
        except (OSError, ValueError):
            return {}
        return note if isinstance(note, dict) and note.get("url") == self.url else {}

    def _receive(self) -> bool:
        """Requests the bytes that are still missing and writes them; returns whether the file is complete now."""
        note = self._read_note()
        start = self._received_bytes() if note else 0
        if start and start == note.get("total"):
            return True
        headers = {"User-Agent": f"elmo_tf/{__version__}", "Accept-Encoding": "identity"}
        if start:
            headers["Range"] = f"bytes={start}-"
            if note.get("version"):
                headers["If-Range"] = note["version"]
        with urllib.request.urlopen(urllib.request.Request(self.url, headers=headers), timeout=TIMEOUT) as response:
            start, total = self._start_and_total(response, start, note)
            if total is not None and self._expected_size not in (None, total):
                self.discard()
                raise DownloadError(f"{self.url}: expected {self._expected_size:,} bytes, got {total:,}")
            return self._store(response, start, total)

    def _start_and_total(self, response: Any, start: int, note: dict[str, Any]) -> tuple[int, int | None]:
        """The first byte that the answer holds, and the size of the whole file, None where it is not known.

        Where the server sends the whole file instead of the missing bytes, the part is removed and a new note written.
        """
        if response.status == 206:
            found = _RANGE.fullmatch(response.headers.get("Content-Range", ""))
            if found and int(found[1]) == start and note.get("total") in (None, int(found[2])):
                return start, int(found[2])
            self.discard()
            raise http.client.HTTPException("the server sends another part than was asked for")
        self.discard()
        length = response.headers.get("Content-Length")
        total = int(length) if length and length.isdigit() else self._expected_size
        version = response.headers.get("ETag") or ""
        if not version or version.startswith("W/"):  # a weak ETag does not promise that the bytes are equal
            version = response.headers.get("Last-Modified")
        with writing_errors(self.path), open(self._note, "w", encoding="utf-8") as file:
            json.dump({"url": self.url, "version": version, "total": total}, file)
        return 0, total

    def _store(self, response: Any, start: int, total: int | None) -> bool:
        """Appends the answer to the part; returns whether the file is complete now."""
        received = start
        for received in self._append(response, start):
            self._report(received, total)
        return total is None or received == total

    def _report(self, received: int, total: int | None) -> None:
        try:
            if self._progress is not None:
                self._progress(received, total)
        except OSError as error:
            raise ProgressError(error) from error

    def _append(self, response: Any, received: int) -> Iterator[int]:
        """Appends piece after piece to the part; yields the number of bytes received after each piece."""
        with writing_errors(self.path), open(self.part, "ab") as file:
            while piece := _next_piece(response):
                file.write(piece)
                received += len(piece)
                yield received


class _BrokenOffError(Exception):
    """The connection ended in an error of the network, as against one of the disk: both are OSErrors."""


class ProgressError(Exception):
    """The progress callback raised an OSError, `error`, which is none of the network or of the disk."""

    def __init__(self, error: OSError) -> None:
        super().__init__(str(error))
        self.error = error


def _next_piece(response: Any) -> bytes:
    """The next bytes that have arrived; empty at the end, and where the server closed the connection."""
    try:
        # not `read`, which waits for the whole piece and loses the bytes that arrived before the connection broke
        return bytes(response.read1(_CHUNK))
    except (OSError, http.client.HTTPException) as error:
        raise _BrokenOffError(_network_reason(error)) from error


@contextlib.contextmanager
def writing_errors(path: str) -> Iterator[None]:
    """Raises an `InputError` that names `path` where the block cannot write a file."""
    try:
        yield
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror or error}", path=path) from error


def _network_reason(error: Exception) -> str:
    """The reason of an error of the network, in a few words."""
    reason = getattr(error, "reason", error)
    if isinstance(reason, TimeoutError):
        return f"no answer in {TIMEOUT:.0f} seconds"
    if isinstance(reason, OSError) and reason.strerror:
        return reason.strerror
    return str(reason) or type(reason).__name__
