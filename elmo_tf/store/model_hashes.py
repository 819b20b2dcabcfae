"""The hashes of a model's options and vocabulary, written beside them: a change to either is noticed at loading.

The weights have checksums of their own. The file `model.sha256` has the form of the program `sha256sum`, so `sha256sum
-c model.sha256` checks it too. A folder without it, such as one of an earlier release, is loaded unchecked.
"""

import contextlib
import os

from elmo_tf.errors import InputError
from elmo_tf.store.file_names import HASHES_FILE, OPTIONS_FILE, VOCAB_FILE
from elmo_tf.system import atomic_files, input_files

_HASHED = (OPTIONS_FILE, VOCAB_FILE)


def write_hashes(folder: str) -> None:
    """Writes `model.sha256` for the options and the vocabulary that lie in a folder."""
    names = [name for name in _HASHED if os.path.isfile(os.path.join(folder, name))]
    lines = [f"{input_files.sha256(os.path.join(folder, name))}  {name}\n" for name in names]
    atomic_files.write_text(os.path.join(folder, HASHES_FILE), "".join(lines))


def remove_hashes(folder: str) -> None:
    """Removes `model.sha256`, before options or vocabulary are written: a kill in between leaves none, not a wrong one.

    Raises:
        InputError: it cannot be removed.
    """
    path = os.path.join(folder, HASHES_FILE)
    try:
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            os.remove(path)
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror}", path=path) from error


def check_hashes(folder: str, options_name: str = OPTIONS_FILE) -> None:
    """Checks the options and the vocabulary of a folder against its `model.sha256`, if there is one.

    A file that is missing is not checked: a model that reads characters needs no vocabulary.

    Args:
        folder: the folder.
        options_name: the name of the options that are used; beside `x_weights.hdf5` an `options.json` may be of another
            model.

    Raises:
        InputError: a file differs from the one that was written with the model, or `model.sha256` is damaged.
    """
    for name, expected in _read_hashes(folder).items():
        path = os.path.join(folder, name)
        in_use = name in (options_name, VOCAB_FILE) and os.path.isfile(path)
        if in_use and input_files.sha256(path) != expected:
            raise InputError(
                f"{path} is not the file that was written with the model, by the hash in "
                f"{HASHES_FILE} beside it: bring that file back; if it was changed on purpose, remove {HASHES_FILE}",
                path=path,
            )


def _read_hashes(folder: str) -> dict[str, str]:
    """The hash of each file that `model.sha256` lists; empty where there is no such file."""
    path = os.path.join(folder, HASHES_FILE)
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            lines = file.read().splitlines()
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}", path=path) from error
    found = {name: digest for digest, separator, name in (line.partition("  ") for line in lines) if separator}
    if not lines or len(found) != len(lines) or not set(found) <= set(_HASHED):
        raise InputError(
            f"{path} is damaged: expected a SHA-256 and a name, {' or '.join(_HASHED)}, a line; remove it to load the "
            "model unchecked",
            path=path,
        )
    return found
