"""Memory that a file is read into and that TensorFlow takes over as it is.

`tf.constant`, and a variable that is made of a NumPy array, copy it twice (measured with TensorFlow 2.21): once, for
the array might change, and once more, for NumPy's memory seldom lies where TensorFlow wants it.
"""

import math
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

_ALIGNMENT = 64
"""TensorFlow copies what does not begin at a multiple of so many bytes (EIGEN_MAX_ALIGN_BYTES)."""


def aligned(shape: Sequence[int]) -> np.ndarray:
    """A float32 array whose numbers are still to be written, and that `taken_over` need not copy.

    >>> aligned((2, 3)).shape
    (2, 3)
    """
    size = 4 * math.prod(shape)
    memory = np.empty(size + _ALIGNMENT, np.uint8)
    start = -memory.ctypes.data % _ALIGNMENT
    return memory[start : start + size].view(np.float32).reshape(shape)


def taken_over(array: np.ndarray) -> tf.Tensor:
    """A tensor, and if need be a variable, in the memory of an array, which nobody may write to any more.

    >>> taken_over(np.ones(3, np.float32)).shape
    TensorShape([3])
    """
    return tf.experimental.dlpack.from_dlpack(array.__dlpack__())
