"""Shows the progress of downloads on stderr.

Keras's `Progbar` does not fit: it writes to stdout, among a command's results, and a command that only downloads would
wait for TensorFlow's import.
"""

import contextlib
import shutil
import sys
import time
from collections.abc import Callable, Iterator

from elmo_tf.system.download import Progress

INTERVAL = 0.2
"""Seconds after which the line on the terminal is written again."""


@contextlib.contextmanager
def display_download(what: str, address: str, folder: str) -> Iterator[Callable[[str], Progress]]:
    """Writes one line when a download begins and one line when it has ended.

    In between, where stderr is a terminal, one line shows the bytes received so far and is written over and over. It is
    cleared when the block ends. Where an error ends the block, the last line is not written.

    Args:
        what: what is downloaded, such as "the published model small".
        address: the server's address.
        folder: the folder that the files are downloaded into.

    Yields:
        A function that makes the progress callback of a file, from the file's name; see
        `elmo_tf.system.download.download`.

    >>> import contextlib
    >>> with contextlib.redirect_stderr(sys.stdout):
    ...     with display_download("a model", "https://host/", "cache") as progress_of:
    ...         progress_of("weights.hdf5")(500, 1000)
    fetching a model from https://host/ into cache
    fetched a model in 0 s
    """
    started = time.monotonic()
    _write(f"fetching {what} from {address} into {folder}\n")
    line = _Line()
    try:
        yield lambda name: lambda done, total: line.show(name, done, total)
    finally:
        line.clear()
    _write(f"fetched {what} in {time.monotonic() - started:.0f} s\n")


class _Line:
    """The last line of the terminal, which is written over; does nothing where stderr is no terminal."""

    def __init__(self) -> None:
        self._is_terminal = sys.stderr is not None and not sys.stderr.closed and sys.stderr.isatty()
        self._is_open, self._shown = False, 0.0

    def show(self, name: str, done: int, total: int | None) -> None:
        now = time.monotonic()
        if not self._is_terminal or (now - self._shown < INTERVAL and done != total):
            return
        share = f" of {total:,} bytes, {100 * done // total} %" if total else " bytes"
        width = shutil.get_terminal_size().columns - 1  # a line that wraps could not be written over
        _write(f"\r{f'{name}: {done:,}{share}'[:width]}\033[K")
        self._is_open, self._shown = True, now

    def clear(self) -> None:
        if self._is_open:
            _write("\r\033[K")
            self._is_open = False


def _write(text: str) -> None:
    if sys.stderr is None:  # under pythonw
        return
    with contextlib.suppress(OSError, ValueError):  # a terminal that was closed does not end the download
        sys.stderr.write(text)
        sys.stderr.flush()
