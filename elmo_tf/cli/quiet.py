"""Starts TensorFlow without the log lines that it writes before its log level can be set."""

import contextlib
import os
import sys
from collections.abc import Iterator


@contextlib.contextmanager
def _silence_stderr() -> Iterator[None]:
    """Discards what is written to file descriptor 2 during the block; exceptions are raised as usual."""
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
    """Imports TensorFlow and looks for GPUs, without the log lines of its C++ code (on oneDNN, on a missing CUDA).

    With TF_CPP_MIN_LOG_LEVEL=0 in the environment these lines are shown.
    """
    if os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2") == "0":
        return
    with _silence_stderr():
        import tensorflow as tf

        tf.config.list_physical_devices()
