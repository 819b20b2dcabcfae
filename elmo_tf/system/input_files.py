"""Reads files that the user names; a file that cannot be read is an `InputError` that names it."""

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
        InputError: the file cannot be read or is no JSON; the message names the file and the line.
    """
    try:
        with open(path, encoding="utf-8") as file:
            return json.load(file)
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
