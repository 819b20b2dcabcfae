"""`model.safetensors`: the weights for PyTorch code of one's own, under our names and in our layouts.

The package `safetensors` is an extra, imported when it is needed.
"""

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from elmo_tf.errors import InputError
from elmo_tf.exchange.arrays import Arrays
from elmo_tf.files import give_usual_permissions, reason


def _library() -> Any:
    try:
        import safetensors
        import safetensors.numpy
    except ImportError as error:
        raise InputError("safetensors is not installed: pip install 'elmo_tf[safetensors]'") from error
    return safetensors


def write_file(path: str, arrays: Arrays, metadata: Mapping[str, str]) -> None:
    """Writes the arrays.

    Raises:
        InputError: the package is missing, a number is not finite, or the file cannot be written.
    """
    library = _library()
    try:
        library.numpy.save_file(dict(arrays.items()), path, {"format": "pt", **metadata})
        give_usual_permissions(path)
    except (OSError, library.SafetensorError) as error:
        raise InputError(f"{path} cannot be written: {reason(error)}") from error


@contextlib.contextmanager
def opened(path: str) -> Iterator[Arrays]:
    """The arrays of a file.

    Raises:
        InputError: the package is missing, or the file is none or damaged, or an array holds no numbers.
    """
    library = _library()
    try:
        stack = contextlib.ExitStack()
        file = stack.enter_context(library.safe_open(path, framework="np"))
        slices = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118 - it is no mapping
        shapes = {name: tuple(part.get_shape()) for name, part in slices.items()}
    except (OSError, library.SafetensorError) as error:
        raise InputError(f"{path} cannot be read as safetensors: {error}") from error
    for name, part in slices.items():
        if not part.get_dtype().startswith(("F", "I", "U")):
            raise InputError(f"{path}: array {name}: expected numbers, got {part.get_dtype()}")

    def read(name: str) -> np.ndarray:
        return np.asarray(file.get_tensor(name))

    with stack:
        yield Arrays(path, shapes, read)
