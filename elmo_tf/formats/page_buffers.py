"""Memory that a file is read into and that becomes a tensor without a copy.

`tf.constant`, and a variable made of a NumPy array, copy the array twice (measured with TensorFlow 2.21): once because
the array might change, and once more because NumPy's memory is seldom aligned as TensorFlow needs it.
"""

import contextlib
import math
import mmap
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

_HUGE_PAGES = getattr(mmap, "MADV_HUGEPAGE", None)
_PRIVATE = {"flags": mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS} if hasattr(mmap, "MAP_ANONYMOUS") else {}
"""Private pages: pages shared with child processes, Python's default, are never huge and take six times as long."""


def page_buffer(shape: Sequence[int]) -> np.ndarray:
    """An uninitialized float32 array, which `as_tensor` turns into a tensor without a copy.

    The array has memory pages of its own, which the system gets back when the array is deleted; `malloc` would keep
    tens of megabytes for later. The pages begin at a multiple of 64 bytes, as TensorFlow needs (EIGEN_MAX_ALIGN_BYTES).

    >>> page_buffer((2, 3)).shape
    (2, 3)
    """
    count = math.prod(shape)
    pages = mmap.mmap(-1, max(4 * count, 1), **_PRIVATE)
    if _HUGE_PAGES is not None:
        with contextlib.suppress(OSError):  # a system without huge pages
            pages.madvise(_HUGE_PAGES)
    return np.frombuffer(pages, np.float32, count).reshape(shape)


def as_tensor(array: np.ndarray) -> tf.Tensor:
    """A tensor in the memory of an array, which must not be written to from then on.

    >>> as_tensor(np.ones(3, np.float32)).shape
    TensorShape([3])
    """
    return tf.experimental.dlpack.from_dlpack(array.__dlpack__())
