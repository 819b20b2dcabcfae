"""Safetensors files, such as the `model.safetensors` that a user's PyTorch code reads.

The package `safetensors` is an optional dependency and is imported when it is needed.
"""

import contextlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from elmo_tf.errors import InputError
from elmo_tf.formats.arrays import Arrays
from elmo_tf.system.atomic_files import give_usual_permissions
from elmo_tf.system.error_text import reason
from elmo_tf.system.input_files import check_readable

_BFLOAT16 = "BF16"
_NUMBERS = (_BFLOAT16, "F16", "F32", "F64", *(f"{sign}{bits}" for sign in "IU" for bits in (8, 16, 32, 64)))
_EXPECTED = "numbers (bfloat16, float16, float32, float64 or whole ones)"

_UNREADABLE = (OSError, ValueError, TypeError, KeyError, AttributeError)
"""The errors of the package and of NumPy for an array of an unknown type."""


def _import_safetensors() -> Any:
    try:
        import safetensors
        import safetensors.numpy
    except ImportError as error:
        raise InputError("safetensors is not installed: pip install 'elmo_tf[safetensors]'") from error
    return safetensors


def write_safetensors(path: str, arrays: Arrays, metadata: Mapping[str, str]) -> None:
    """Writes arrays, with `metadata` in the file's header.

    Raises:
        InputError: the package is missing, a number is not finite, or the file cannot be written.
    """
    library = _import_safetensors()
    try:
        library.numpy.save_file(dict(arrays.items()), path, {"format": "pt", **metadata})
        give_usual_permissions(path)
    except (OSError, library.SafetensorError) as error:
        raise InputError(f"{path} cannot be written: {reason(error)}", path=path) from error


@contextlib.contextmanager
def open_safetensors(path: str) -> Iterator[Arrays]:
    """Opens a safetensors file; yields its arrays by name, each of which is read when it is looked up.

    Raises:
        InputError: the package is missing, the file is damaged or of another kind, or an array does not hold numbers.
    """
    library = _import_safetensors()
    check_readable(path)
    with contextlib.ExitStack() as stack:
        try:
            file = stack.enter_context(library.safe_open(path, framework="np"))
            slices = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118 - `file` cannot be iterated over
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
                    return _read_bfloat16(path, name, shapes[name])
                return np.asarray(file.get_tensor(name))
            except (*_UNREADABLE, library.SafetensorError) as error:
                raise InputError(f"{path}: array {name} cannot be read: {reason(error)}", path=path) from error

        yield Arrays(path, shapes, read)


def _read_bfloat16(path: str, name: str, shape: tuple[int, ...]) -> np.ndarray:
    """Reads an array of bfloat16, a type that NumPy lacks: its numbers are the upper halves of float32 numbers.

    The file, which the package has checked, begins with the length of a JSON header (8 bytes) and the header, which
    holds the position of each array in the rest of the file (https://huggingface.co/docs/safetensors, "Format").
    """
    with open(path, "rb") as file:
        length = int.from_bytes(file.read(8), "little")
        start, end = json.loads(file.read(length))[name]["data_offsets"]
        file.seek(8 + length + start)
        halves = np.frombuffer(file.read(end - start), "<u2")
    return (halves.astype(np.uint32) << 16).view(np.float32).reshape(shape)
