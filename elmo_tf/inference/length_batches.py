"""Batches of sentences of like length, so that little of a batch is padding."""

import itertools
from collections.abc import Iterable, Iterator

_SORTED_TOGETHER = 1024
"""Lines among which batches of like length are formed."""

BATCH_TOKENS = 4096


def batches(numbered: Iterable[tuple[int, list[str]]], batch_tokens: int) -> Iterator[list[tuple[int, list[str]]]]:
    """Groups sentences of like length, so that little is padded.

    Args:
        numbered: sentences with their numbers.
        batch_tokens: the most tokens of a group, counting each sentence as long as the longest, boundaries included.

    Example:

    >>> [[n for n, _ in batch] for batch in batches(enumerate([["a"] * 5, ["a"], ["a"] * 4, ["a"]]), batch_tokens=15)]
    [[1, 3], [2, 0]]
    """
    iterator = iter(numbered)
    while some := list(itertools.islice(iterator, _SORTED_TOGETHER)):
        some.sort(key=lambda item: len(item[1]))
        batch: list[tuple[int, list[str]]] = []
        for item in some:
            if batch and (len(batch) + 1) * (len(item[1]) + 2) > batch_tokens:
                yield batch
                batch = []
            batch.append(item)
        yield batch
