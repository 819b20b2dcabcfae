"""The distinct values of an integer array in order of first occurrence, faster than by `np.unique`."""

import numpy as np


def first_positions(values: np.ndarray) -> np.ndarray:
    """The positions at which a value occurs for the first time, in rising order.

    Args:
        values: integers from 0 on, `(n,)`; n is at least 1.

    >>> first_positions(np.array([7, 3, 7, 5, 3])).tolist()
    [0, 1, 3]
    """
    _, positions, is_first = _sort_stably(values)
    return np.sort(positions[is_first])


def unique_in_order(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The distinct values in order of first occurrence, and for each of `values` its index among them.

    Args:
        values: integers from 0 on, of any shape, at least one.

    Returns:
        `(distinct, index)`, with `distinct[index]` equal to `values`.

    >>> distinct, index = unique_in_order(np.array([[7, 3], [7, 5]]))
    >>> distinct.tolist(), index.tolist()
    ([7, 3, 5], [[0, 1], [0, 2]])
    """
    found, positions, is_first = _sort_stably(values.ravel())
    order = np.argsort(positions[is_first])
    rank = np.empty(len(order), np.int32)
    rank[order] = np.arange(len(order))
    index = np.empty(len(found), np.int32)
    index[positions] = rank[np.cumsum(is_first) - 1]
    return found[is_first][order].astype(values.dtype), index.reshape(values.shape)


def _sort_stably(values: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Sorts values `(n,)`; equal values keep their order.

    Returns:
        The sorted values, their positions before the sorting, and whether each is the first of equal ones.
    """
    # sorting each (value, position) pair as one integer is what makes it fast
    count = len(values)
    found, positions = np.divmod(np.sort(values.astype(np.int64) * count + np.arange(count)), count)
    return found, positions, np.concatenate([[True], found[1:] != found[:-1]])


class DistinctFinder:
    """Finds distinct values as the functions above do, several times as fast, by a table with a place for each value.

    Args:
        size: the number of values that may occur: 0 to size - 1.

    >>> finder = DistinctFinder(10)
    >>> finder.first_positions(np.array([7, 3, 7, 5, 3])).tolist()
    [0, 1, 3]
    >>> distinct, index = finder.unique_in_order(np.array([[7, 3], [7, 5]]))
    >>> distinct.tolist(), index.tolist()
    ([7, 3, 5], [[0, 1], [0, 2]])
    """

    def __init__(self, size: int) -> None:
        # of values that do not occur the table holds anything: it is only read where it was just written
        self._first = np.empty(size, np.int32)

    def first_positions(self, values: np.ndarray) -> np.ndarray:
        """The positions at which a value of `(n,)` occurs for the first time, in rising order."""
        positions = np.arange(len(values), dtype=np.int32)
        return np.flatnonzero(self._find(values.astype(np.intp, copy=False), positions) == positions)

    def unique_in_order(self, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The distinct values in order of first occurrence, and for each of `values` its index among them."""
        flat = values.ravel()
        positions = np.arange(len(flat), dtype=np.int32)
        first = self._find(flat.astype(np.intp, copy=False), positions)
        kept = np.flatnonzero(first == positions)
        index = np.empty(len(flat), np.int32)
        index[kept] = positions[: len(kept)]
        return flat.take(kept), index.take(first).reshape(values.shape)

    def _find(self, values: np.ndarray, positions: np.ndarray) -> np.ndarray:
        """For each value the position at which it occurs for the first time, int32 `(n,)`."""
        # where a value occurs several times, the last assignment counts
        self._first[values[::-1]] = positions[::-1]
        return self._first.take(values)
