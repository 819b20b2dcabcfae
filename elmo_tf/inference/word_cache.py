"""Vectors of words that were encoded lately, so that a frequent word is encoded once a run."""

from collections import OrderedDict
from collections.abc import Callable, Sequence

import numpy as np


class WordCache:
    """Vectors of the words that were used last, at most `size` of them: the least recently used go first.

    Args:
        size: the most words that are kept between two batches. A word takes its vector and some 200 bytes: 100,000
            words at the original size (512 floats) 225 MB.

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
        """The vectors `(U, D)` of distinct words; there may be more of them than `size`.

        Args:
            words: distinct words, at least one.
            encode: makes vectors `(u, D)` of words that are not in the cache. `encoded_words` counts these words.
        """
        missing = [word for word in words if word not in self._vectors]
        if missing:
            self.encoded_words += len(missing)
            # each row is copied, or it would keep the whole batch in memory
            self._vectors.update((word, row.copy()) for word, row in zip(missing, encode(missing), strict=True))
        for word in words:
            self._vectors.move_to_end(word)
        found = np.stack([self._vectors[word] for word in words])
        while len(self._vectors) > self.size:
            self._vectors.popitem(last=False)
        return found
