"""Starts TensorFlow with oneDNN, and without the log lines that it writes before its log level can be set."""

import contextlib
import gc
import os
import platform
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


def enable_onednn() -> None:
    """Switches oneDNN on for an x86 CPU, where the user has not decided and TensorFlow is not imported yet.

    TensorFlow itself does so only on CPUs with AVX512_VNNI, AVX512_BF16 or AMX. `docs/performance.md` says what
    it gains on others.
    """
    if "tensorflow" not in sys.modules and platform.machine().lower() in ("x86_64", "amd64"):
        os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")


def start_tensorflow() -> None:
    """Imports TensorFlow and looks for GPUs, without the log lines of its C++ code (on oneDNN, on a missing CUDA).

    With TF_CPP_MIN_LOG_LEVEL=0 in the environment these lines are shown. oneDNN is switched on (see `enable_onednn`).
    """
    enable_onednn()
    gc.set_threshold(100_000, 20, 20)  # a graph has many objects, which Python's default searches again and again
    if os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2") == "0":
        return
    with _silence_stderr():
        import tensorflow as tf

        tf.config.list_physical_devices()
