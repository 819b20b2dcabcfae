"""Grids of settings for tests: `make test` runs a sample with every value, `make test-all` all combinations."""

import itertools
from collections.abc import Collection
from typing import Any

import pytest


def grid(*axes: Collection[Any]) -> list[Any]:
    """Combines the values of several axes, for `pytest.mark.parametrize`.

    The combinations that make up a sample, in which every value of every axis occurs, run always; the others are marked
    as exhaustive.

    >>> [("exhaustive" if case.marks else "always", *case.values) for case in grid("ab", [0, 1])]
    [('always', 'a', 0), ('exhaustive', 'a', 1), ('exhaustive', 'b', 0), ('always', 'b', 1)]
    """
    longest = max(map(len, axes))
    sample = {tuple(number % len(axis) for axis in axes) for number in range(longest)}
    return [
        pytest.param(*values, marks=_marks(at in sample))
        for at, values in (zip(*case, strict=True) for case in itertools.product(*map(enumerate, axes)))
    ]


def rarely(*values: Any) -> Any:
    """A case that runs in `make test-all` alone."""
    return pytest.param(*values, marks=pytest.mark.exhaustive)


def _marks(always: bool) -> Any:
    return () if always else pytest.mark.exhaustive
