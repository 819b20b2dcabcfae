"""Writes and checks the hashes of a model's options and vocabulary, so that loading detects a change to either file.

The weights have checksums of their own. The file `model.sha256` has the format of the program `sha256sum`, so the
command `sha256sum -c model.sha256` can check the files too. A folder without `model.sha256`, such as one of an earlier
release, is loaded without a check.
"""

import contextlib
import os

from elmo_tf.errors import InputError
from elmo_tf.store.file_names import HASHES_FILE, OPTIONS_FILE, VOCAB_FILE
from elmo_tf.system import atomic_files, input_files

_HASHED = (OPTIONS_FILE, VOCAB_FILE)


def write_hashes(folder: str) -> None:
    """Writes `model.sha256` with the hashes of the options and the vocabulary; a file that is missing is left out."""
    names = [name for name in _HASHED if os.path.isfile(os.path.join(folder, name))]
    lines = [f"{input_files.sha256(os.path.join(folder, name))}  {name}\n" for name in names]
    atomic_files.write_text(os.path.join(folder, HASHES_FILE), "".join(lines))


def remove_hashes(folder: str) -> None:
    """Removes `model.sha256`; to be called before the options or the vocabulary are written.

    If the process is then killed before it writes the new hashes, the folder has no hashes instead of wrong ones.

    Raises:
        InputError: `model.sha256` cannot be removed.
    """
    path = os.path.join(folder, HASHES_FILE)
    try:
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            os.remove(path)
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror}", path=path) from error


def check_hashes(folder: str, options_name: str = OPTIONS_FILE) -> None:
    """Checks the options and the vocabulary of a folder against its `model.sha256`, if there is one.

    A missing file is not an error here, because a model that reads characters needs no vocabulary.

    Args:
        folder: the folder of the model.
        options_name: the name of the options file that the caller loads. Only this options file is checked: an
            `options.json` beside `x_weights.hdf5` may belong to another model.

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
    """Reads the hash of each file that `model.sha256` lists; empty if there is no `model.sha256`."""
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
