"""Reads files that the user names; a file that cannot be read is an `InputError` that names it."""

import functools
import hashlib
import json
from typing import Any

from elmo_tf.errors import InputError


def check_readable(path: str) -> None:
    """Raises an `InputError` where a path is missing, is a folder or may not be read.

    Called before a library opens the file, whose own message would be harder to understand.
    """
    try:
        with open(path, "rb"):
            pass
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}", path=path) from error


def check_utf8_name(path: str) -> None:
    """Raises an `InputError` where a path is not UTF-8: TensorFlow takes no other names.

    >>> check_utf8_name("m\u00f8del")
    """
    try:
        path.encode("utf-8")
    except UnicodeEncodeError as error:
        found = ord(path[error.start])  # Python has byte 0xff of a name as the surrogate 0xdcff
        what = f"the byte 0x{found - 0xDC00:02x}" if found >= 0xDC80 else f"the surrogate 0x{found:x}"
        raise InputError(f"{path}: expected a name in UTF-8, got {what} in it: rename it", path=path) from error


def sha256(path: str) -> str:
    """The SHA-256 of a file's content, as 64 hexadecimal digits.

    >>> sha256("/dev/null")[:8]
    'e3b0c442'
    """
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_json(path: str) -> Any:
    """Reads a JSON file; returns its content.

    Raises:
        InputError: the file cannot be read, is no JSON, or has a name twice in one object; the message names the file
            and, where it is known, the line.
    """
    try:
        with open(path, encoding="utf-8") as file:
            return json.load(file, object_pairs_hook=functools.partial(_object_of_pairs, path))
    except InputError:
        raise
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}", path=path) from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8 text: {error.reason} at byte {error.start}", path=path) from error
    except json.JSONDecodeError as error:
        raise InputError(
            f"{path}, line {error.lineno}: not valid JSON: {error.msg}", path=path, line=error.lineno
        ) from error
    except RecursionError as error:
        raise InputError(
            f"{path}: expected a JSON file, got objects or lists nested too deeply to be read", path=path
        ) from error
    except ValueError as error:  # Python reads no whole number of more than 4300 digits
        raise InputError(
            f"{path}: expected a JSON file, got a number with too many digits to be read", path=path
        ) from error


def _object_of_pairs(path: str, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The object of these names and values; of a name that came twice, JSON readers would take either value."""
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise InputError(f"{path}: {name!r} stands twice in one object; expected every name once", path=path)
        found[name] = value
    return found
