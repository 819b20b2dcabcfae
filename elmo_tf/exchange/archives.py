"""A model in a ZIP file, as the NLPL repository hands them out: looked through before a byte of it is written."""

import contextlib
import lzma
import os
import shutil
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Iterator

from elmo_tf.errors import InputError
from elmo_tf.files import said_of

_ENDINGS = (".hdf5", ".safetensors", ".json", ".txt", ".txt.gz")
SOFTMAX_FILE = "softmax.hdf5"

_DAMAGED = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    NotImplementedError,
    struct.error,
    UnicodeDecodeError,
)
"""What Python has for each kind of damage, and of compression that it does not know."""


@contextlib.contextmanager
def unpacked(path: str) -> Iterator[str]:
    """A temporary folder with the model's files of a ZIP, which goes when the block ends.

    The files may lie in a folder inside the ZIP. Files that are no part of a model are not unpacked.

    Raises:
        InputError: it is no ZIP or a damaged one, a name in it leads out of its folder, it holds no model or several,
            it is locked by a password, or there is no room to unpack it.
    """
    with tempfile.TemporaryDirectory(prefix="elmo_tf.") as folder:
        try:
            _unpack(path, folder)
        except _DAMAGED as error:
            raise InputError(f"{path} cannot be read as ZIP, it is another kind of file or damaged: {error}") from error
        except OSError as error:
            raise InputError(f"{path} cannot be unpacked: {error.strerror or error}") from error
        with said_of(path, folder):
            yield folder


def _unpack(path: str, folder: str) -> None:
    with zipfile.ZipFile(path) as archive:
        members = _members(archive, path)
        needed, free = sum(member.file_size for member in members), shutil.disk_usage(folder).free
        if needed > free:
            raise InputError(f"{path} needs {needed:,} bytes to be unpacked; {folder} has {free:,}")
        for member in members:
            target = os.path.join(folder, os.path.basename(member.filename))
            with archive.open(member) as packed, open(target, "wb") as file:
                shutil.copyfileobj(packed, file, 1 << 20)


def _members(archive: zipfile.ZipFile, path: str) -> list[zipfile.ZipInfo]:
    """The model's files."""
    for member in archive.infolist():
        parts = member.filename.replace("\\", "/").split("/")
        if member.filename.startswith(("/", "\\")) or ".." in parts or ":" in parts[0]:
            raise InputError(f"{path}: the name {member.filename!r} leads out of the archive's own folder")
        if (member.external_attr >> 16) & 0o170000 == 0o120000:
            raise InputError(f"{path}: {member.filename!r} is a symbolic link; expected files")
        if member.flag_bits & 1:
            raise InputError(f"{path}: {member.filename!r} is locked by a password")
    files = [member for member in archive.infolist() if not member.is_dir() and member.filename.endswith(_ENDINGS)]
    weights = [
        member.filename
        for member in files
        if member.filename.endswith((".hdf5", ".safetensors")) and not member.filename.endswith(SOFTMAX_FILE)
    ]
    if not weights:
        raise InputError(f"{path} holds no model: expected model.hdf5 or weights.hdf5, and options.json")
    if len(weights) > 1:
        raise InputError(f"{path} holds {len(weights)} models, {', '.join(sorted(weights))}: expected one")
    folder = os.path.dirname(weights[0])
    return [member for member in files if os.path.dirname(member.filename) == folder]
