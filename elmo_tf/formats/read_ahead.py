"""Arrays that are read while those before them are put to use."""

import collections
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

_READERS = 2
"""Arrays that are read at a time: what they hold is all that reading ahead costs in memory."""


def read_ahead(read: Callable[[str], Any], names: Iterable[str]) -> Iterator[Any]:
    """What `read` gives for each of `names`, in their order, by threads that are a little ahead.

    An error of a reading is raised where its turn comes; whoever stops early waits for what is being read just then.

    Args:
        read: called from several threads at a time.
        names: of arrays, for one.

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
                    yield readings.popleft().result()  # of which nothing is kept here
            while readings:
                yield readings.popleft().result()
        finally:
            for reading in readings:
                reading.cancel()
