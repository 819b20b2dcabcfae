"""What people see on stderr while files come: that they do and from where, on a terminal how far they are, the end.

Not Keras's `Progbar`: it writes to stdout, among a command's results, and whoever only fetches waits for no TensorFlow.
"""

import contextlib
import shutil
import sys
import time
from collections.abc import Callable, Iterator

from elmo_tf.system.download import Progress

INTERVAL = 0.2
"""Seconds between two states of the line."""


@contextlib.contextmanager
def display_download(what: str, address: str, folder: str) -> Iterator[Callable[[str], Progress]]:
    """Says that something is fetched, and at the end that it has been, in a line each.

    Between the two there is, where stderr is a terminal, a line that is written over and over: bytes of bytes. It is
    gone at the end, and where an error ends the block, which then has the last word.

    Args:
        what: such as "the published model small".
        address: from where.
        folder: where to.

    Yields:
        What gives a callback for `elmo_tf.system.download.download` by a file's name.

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
    """The last line of a terminal; nothing where there is none."""

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
    if sys.stderr is None:  # as under pythonw
        return
    with contextlib.suppress(OSError, ValueError):  # a terminal that has gone, or is closed, ends no download
        sys.stderr.write(text)
        sys.stderr.flush()
