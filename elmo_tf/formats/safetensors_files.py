"""`model.safetensors`: the weights for PyTorch code of one's own, under our names and in our layouts.

The package `safetensors` is an extra, imported when it is needed.
"""

import contextlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from elmo_tf.errors import InputError
from elmo_tf.formats.arrays import Arrays
from elmo_tf.system.atomic_files import check_readable, give_usual_permissions, reason

_BFLOAT16 = "BF16"
_NUMBERS = (_BFLOAT16, "F16", "F32", "F64", *(f"{sign}{bits}" for sign in "IU" for bits in (8, 16, 32, 64)))
_EXPECTED = "numbers (bfloat16, float16, float32, float64 or whole ones)"

_UNREADABLE = (OSError, ValueError, TypeError, KeyError, AttributeError)
"""What the package and NumPy raise for an array that one of them does not know."""


def _library() -> Any:
    try:
        import safetensors
        import safetensors.numpy
    except ImportError as error:
        raise InputError("safetensors is not installed: pip install 'elmo_tf[safetensors]'") from error
    return safetensors


def write_safetensors(path: str, arrays: Arrays, metadata: Mapping[str, str]) -> None:
    """Writes the arrays.

    Raises:
        InputError: the package is missing, a number is not finite, or the file cannot be written.
    """
    library = _library()
    try:
        library.numpy.save_file(dict(arrays.items()), path, {"format": "pt", **metadata})
        give_usual_permissions(path)
    except (OSError, library.SafetensorError) as error:
        raise InputError(f"{path} cannot be written: {reason(error)}", path=path) from error


@contextlib.contextmanager
def open_safetensors(path: str) -> Iterator[Arrays]:
    """The arrays of a file.

    Raises:
        InputError: the package is missing, or the file is none or damaged, or an array holds no numbers.
    """
    library = _library()
    check_readable(path)
    with contextlib.ExitStack() as stack:
        try:
            file = stack.enter_context(library.safe_open(path, framework="np"))
            slices = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118 - it is no mapping
            shapes = {name: tuple(part.get_shape()) for name, part in slices.items()}
            types = {name: str(part.get_dtype()) for name, part in slices.items()}
        except (OSError, ValueError, library.SafetensorError) as error:
            raise InputError(
                f"{path} cannot be read as safetensors, it is another kind of file or damaged: {reason(error)}",
                path=path,
            ) from error
        for name, kind in types.items():
            if kind not in _NUMBERS:
                raise InputError(f"{path}: array {name}: expected {_EXPECTED}, got {kind}", path=path)

        def read(name: str) -> np.ndarray:
            try:
                if types[name] == _BFLOAT16:
                    return _bfloat16(path, name, shapes[name])
                return np.asarray(file.get_tensor(name))
            except (*_UNREADABLE, library.SafetensorError) as error:
                raise InputError(f"{path}: array {name} cannot be read: {reason(error)}", path=path) from error

        yield Arrays(path, shapes, read)


def _bfloat16(path: str, name: str, shape: tuple[int, ...]) -> np.ndarray:
    """An array of a type that NumPy lacks: the upper halves of float32 numbers.

    The file, which the package has checked, begins with the length of a JSON header that says where each array lies
    behind it (https://huggingface.co/docs/safetensors, "Format").
    """
    with open(path, "rb") as file:
        length = int.from_bytes(file.read(8), "little")
        start, end = json.loads(file.read(length))[name]["data_offsets"]
        file.seek(8 + length + start)
        halves = np.frombuffer(file.read(end - start), "<u2")
    return (halves.astype(np.uint32) << 16).view(np.float32).reshape(shape)
