"""Groups sentences of similar length into batches, so that little of a batch is padding."""

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np

_SORTED_TOGETHER = 1024
"""The number of sentences that are sorted by length together and then cut into batches."""

BATCH_TOKENS = 8192
"""The usual number of tokens in a batch, padding and boundaries included: some 300 sentences. The matrix products of a
step are twice as fast with them as with 150 (`docs/performance.md`)."""


def batches(numbered: Iterable[tuple[int, list[str]]], batch_tokens: int) -> Iterator[list[tuple[int, list[str]]]]:
    """Groups sentences of similar length, the longest first.

    The last batch of a group of sentences is seldom full. It holds the shortest ones, because a batch of few long
    sentences would take many steps of small, slow matrix products.

    Args:
        numbered: sentences with their numbers.
        batch_tokens: the largest number of tokens in a batch, padding and boundaries included. A sentence that is
            longer than this is a batch of its own.

    Example:

    >>> [[n for n, _ in batch] for batch in batches(enumerate([["a"] * 5, ["a"], ["a"] * 4, ["a"]]), batch_tokens=15)]
    [[0, 2], [1, 3]]
    """
    iterator = iter(numbered)
    while some := list(itertools.islice(iterator, _SORTED_TOGETHER)):
        some.sort(key=lambda item: -len(item[1]))
        batch: list[tuple[int, list[str]]] = []
        for item in some:
            if batch and (len(batch) + 1) * (len(batch[0][1]) + 2) > batch_tokens:
                yield batch
                batch = []
            batch.append(item)
        yield batch


def embed_batches(
    embed: Callable[[list[list[str]]], Sequence[np.ndarray]],
    sentences: Iterable[list[str]],
    batch_tokens: int = BATCH_TOKENS,
) -> Iterator[list[tuple[int, list[str], np.ndarray]]]:
    """Embeds sentences in batches of similar length.

    Args:
        embed: computes the vectors of each sentence of a batch.
        sentences: the sentences; they are read as they are needed.
        batch_tokens: the largest number of tokens in a batch, as for `batches`.

    Yields:
        For each batch, its sentences with their numbers and vectors.

    Example:

    >>> lengths = lambda batch: [np.array(len(tokens)) for tokens in batch]
    >>> [[(number, int(value)) for number, _, value in batch] for batch in embed_batches(lengths, [["a", "b"], ["a"]])]
    [[(0, 2), (1, 1)]]
    """
    for batch in batches(enumerate(sentences), batch_tokens):
        vectors = embed([tokens for _, tokens in batch])
        yield [(number, tokens, own) for (number, tokens), own in zip(batch, vectors, strict=True)]
