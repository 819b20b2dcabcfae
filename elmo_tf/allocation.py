"""The C library's memory: what a step frees, the next one needs again."""

import ctypes
import os
import sys

_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD = -1, -2, -3  # of malloc.h

_SETTINGS = {_MMAP_THRESHOLD: 32 * 2**20, _TRIM_THRESHOLD: 2**31 - 1, _TOP_PAD: 64 * 2**20}
"""The first is the largest that glibc takes; the others keep a step's memory from going back and forth."""


def keep_freed_memory() -> bool:
    """Lets glibc keep what is freed instead of giving it back to the system, and taking it again page by page.

    TensorFlow on a CPU frees and allocates every tensor of every step. With glibc's own settings a step of some hundred
    megabytes takes tens of thousands of page faults, a fifth of the time of training at lstm 512 on two cores. Nothing
    is done elsewhere, or where the environment has settings of its own (MALLOC_..., GLIBC_TUNABLES, LD_PRELOAD).

    Returns:
        Whether it was done.
    """
    own = ("MALLOC_TRIM_THRESHOLD_", "MALLOC_TOP_PAD_", "MALLOC_MMAP_THRESHOLD_", "GLIBC_TUNABLES", "LD_PRELOAD")
    if not sys.platform.startswith("linux") or any(name in os.environ for name in own):
        return False
    try:
        mallopt = ctypes.CDLL("libc.so.6").mallopt
    except (OSError, AttributeError):
        return False  # another C library
    return all(mallopt(name, value) == 1 for name, value in _SETTINGS.items())
