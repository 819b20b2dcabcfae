"""Memory that a file is read into and that TensorFlow takes over as it is.

`tf.constant`, and a variable that is made of a NumPy array, copy it twice (measured with TensorFlow 2.21): once, for
the array might change, and once more, for NumPy's memory seldom lies where TensorFlow wants it.
"""

import contextlib
import math
import mmap
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

_HUGE_PAGES = getattr(mmap, "MADV_HUGEPAGE", None)
_PRIVATE = {"flags": mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS} if hasattr(mmap, "MAP_ANONYMOUS") else {}
"""Pages shared with child processes, which Python asks for otherwise, are never huge (and take six times as long)."""


def page_buffer(shape: Sequence[int]) -> np.ndarray:
    """A float32 array whose numbers are still to be written, and that `as_tensor` need not copy.

    Its memory is pages of its own, which go back to the system with it: `malloc` keeps what was tens of megabytes for
    later. They begin where TensorFlow wants memory to, at a multiple of 64 bytes (EIGEN_MAX_ALIGN_BYTES).

    >>> page_buffer((2, 3)).shape
    (2, 3)
    """
    count = math.prod(shape)
    pages = mmap.mmap(-1, max(4 * count, 1), **_PRIVATE)
    if _HUGE_PAGES is not None:
        with contextlib.suppress(OSError):  # a system without them
            pages.madvise(_HUGE_PAGES)
    return np.frombuffer(pages, np.float32, count).reshape(shape)


def as_tensor(array: np.ndarray) -> tf.Tensor:
    """A tensor, and if need be a variable, in the memory of an array, which nobody may write to any more.

    >>> as_tensor(np.ones(3, np.float32)).shape
    TensorShape([3])
    """
    return tf.experimental.dlpack.from_dlpack(array.__dlpack__())
