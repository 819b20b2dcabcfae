"""The machine's own processor, for the whole numbers that decide how a GPU computes."""

from contextlib import AbstractContextManager
from typing import Any

import tensorflow as tf


def on_host() -> AbstractContextManager[Any]:
    """Lets the machine's own processor compute the operations of the block, also where the rest is computed by a GPU.

    Seeds, sizes and positions follow from the input, which lies in the machine's memory, and TensorFlow needs them
    there. If a GPU computed them they would have to come back, and nothing that depends on them could be launched
    before.

    >>> with on_host():
    ...     tf.range(3).device[-12:]
    'device:CPU:0'
    """
    device: AbstractContextManager[Any] = tf.device("CPU:0")
    return device
