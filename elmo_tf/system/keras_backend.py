"""Checks that the backend of Keras is TensorFlow."""

import json
import os
import sys

from elmo_tf.errors import InputError


def check_backend() -> None:
    """Raises an error if Keras does not run on TensorFlow, for example because `KERAS_BACKEND` is "torch".

    Raises:
        InputError: the backend is not TensorFlow.
    """
    backend = _backend()
    if backend != "tensorflow":
        raise InputError(
            f"elmo_tf needs Keras on TensorFlow, and the backend of Keras is {backend!r}: set the environment variable "
            "KERAS_BACKEND=tensorflow before Keras is imported"
        )


def _backend() -> str:
    """The name of the backend that Keras uses, or that it would use if it were imported now."""
    config = getattr(sys.modules.get("keras"), "config", None)
    if config is not None:
        return str(config.backend())
    if os.environ.get("KERAS_BACKEND"):
        return os.environ["KERAS_BACKEND"]
    folder = os.environ.get("KERAS_HOME") or os.path.join(os.path.expanduser("~"), ".keras")
    try:
        with open(os.path.join(folder, "keras.json"), encoding="utf-8") as file:
            return str(json.load(file).get("backend", "tensorflow"))
    except (OSError, ValueError, AttributeError):  # Keras also takes its default if it cannot read the file
        return "tensorflow"
