"""Reads arrays in threads, while the caller uses the arrays that were read before."""

import collections
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

_READERS = 2
"""Arrays that are read at a time; reading ahead needs the memory of so many arrays."""


def read_ahead(read: Callable[[str], Any], names: Iterable[str]) -> Iterator[Any]:
    """Yields `read(name)` for each of `names`, in their order; threads call `read` a few names ahead.

    An error of `read` is raised when its name's turn comes. A caller that stops early waits for the calls under way.

    Args:
        read: called from several threads at a time.
        names: the arguments of `read`, such as names of arrays.

    Example:

    >>> list(read_ahead(str.upper, ["w_0", "b"]))
    ['W_0', 'B']
    """
    readings: collections.deque[Future[Any]] = collections.deque()
    with ThreadPoolExecutor(_READERS, "elmo_tf_reader") as readers:
        try:
            for name in names:
                readings.append(readers.submit(read, name))
                if len(readings) > _READERS:
                    yield readings.popleft().result()  # no reference to the result is kept
            while readings:
                yield readings.popleft().result()
        finally:
            for reading in readings:
                reading.cancel()
