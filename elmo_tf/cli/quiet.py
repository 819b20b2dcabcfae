"""TensorFlow's start without its log lines, which it writes before anything could tell it not to."""

import contextlib
import os
import sys
from collections.abc import Iterator


@contextlib.contextmanager
def _no_stderr() -> Iterator[None]:
    """Sends file descriptor 2 nowhere; Python's own exceptions still come through."""
    sys.stderr.flush()
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def start_tensorflow() -> None:
    """Imports TensorFlow and looks for GPUs; what its C++ side says meanwhile (oneDNN, no CUDA here) is left out.

    Set TF_CPP_MIN_LOG_LEVEL=0 to see it.
    """
    if os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2") == "0":
        return
    with _no_stderr():
        import tensorflow as tf

        tf.config.list_physical_devices()
