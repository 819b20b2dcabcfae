"""Caches the vectors of recently used words, so that a frequent word is encoded only once in a run."""

from collections import OrderedDict
from collections.abc import Callable, Sequence

import numpy as np


class WordCache:
    """A cache of the vectors of at most `size` words, which drops the least recently used words first.

    Args:
        size: the most words that are kept between two batches. A word takes the memory of its vector and some 200
            bytes: at the original vector size (512 floats), 100,000 words take 225 MB.

    Example:

    >>> cache = WordCache(size=2)
    >>> encode = lambda words: np.array([[len(word)] for word in words], np.float32)
    >>> cache([b"a", b"cat"], encode).tolist()
    [[1.0], [3.0]]
    >>> cache.encoded_words, len(cache)
    (2, 2)
    """

    def __init__(self, size: int) -> None:
        if size < 1:
            raise ValueError(f"size: expected at least one word, got {size}")
        self.size = size
        self.encoded_words = 0
        self._vectors: OrderedDict[bytes, np.ndarray] = OrderedDict()

    def __len__(self) -> int:
        return len(self._vectors)

    def __call__(self, words: Sequence[bytes], encode: Callable[[Sequence[bytes]], np.ndarray]) -> np.ndarray:
        """Returns the vectors `(U, D)` of U distinct words, of which there may be more than `size`.

        Args:
            words: distinct words, at least one.
            encode: a function that computes the vectors `(u, D)` of the u words that are not in the cache. The
                attribute `encoded_words` counts these words.
        """
        missing = [word for word in words if word not in self._vectors]
        if missing:
            self.encoded_words += len(missing)
            # each row is copied; otherwise it would keep the array of the whole batch in memory
            self._vectors.update((word, row.copy()) for word, row in zip(missing, encode(missing), strict=True))
        for word in words:
            self._vectors.move_to_end(word)
        found = np.stack([self._vectors[word] for word in words])
        while len(self._vectors) > self.size:
            self._vectors.popitem(last=False)
        return found
