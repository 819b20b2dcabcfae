"""A model in a ZIP file, as the NLPL repository hands them out: looked through before a byte of it is written."""

import collections
import contextlib
import errno
import lzma
import os
import shutil
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Iterator

from elmo_tf.errors import InputError
from elmo_tf.system.atomic_files import rename_in_errors

_ENDINGS = (".hdf5", ".safetensors", ".json", ".txt", ".txt.gz")

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

_NO_PLACE = (errno.ENOSPC, errno.EDQUOT, errno.ENOENT)
"""What the system says of a full disk or quota, and Python where it finds no temporary folder."""

_ELSEWHERE = "set the environment variable TMPDIR to a folder with more room"

_MAC_FOLDER, _MAC_PREFIX = "__MACOSX", "._"
"""Where macOS packs what it knows of a file beside its content, under the file's own ending."""


@contextlib.contextmanager
def unpack_zip(path: str, beside: str) -> Iterator[str]:
    """A temporary folder with the model's files of a ZIP, which goes when the block ends.

    The files may lie in a folder inside the ZIP. Files that are no part of a model, and what macOS packs beside each
    file, are not unpacked.

    Raises:
        InputError: it is no ZIP or a damaged one, a name in it leads out of its folder or comes twice, it holds no
            model or several, it is locked by a password, or there is no room to unpack it.
    """
    with contextlib.ExitStack() as stack:
        try:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="elmo_tf."))
            _unpack(path, folder, beside)
        except _DAMAGED as error:
            raise InputError(
                f"{path} cannot be read as ZIP, it is another kind of file or damaged: {error}", path=path
            ) from error
        except OSError as error:
            advice = f": {_ELSEWHERE}" if error.errno in _NO_PLACE else ""
            raise InputError(f"{path} cannot be unpacked: {error.strerror or error}{advice}", path=path) from error
        with rename_in_errors(path, folder):
            yield folder


def _unpack(path: str, folder: str, beside: str) -> None:
    with zipfile.ZipFile(path) as archive:
        members = _members(archive, path, beside)
        needed, free = sum(member.file_size for member in members), shutil.disk_usage(folder).free
        if needed > free:
            room = f"the temporary folder {os.path.dirname(folder)} has {free:,}"
            raise InputError(f"{path} needs {needed:,} bytes to be unpacked, {room}: {_ELSEWHERE}", path=path)
        for member in members:
            target = os.path.join(folder, os.path.basename(member.filename))
            with archive.open(member) as packed, open(target, "wb") as file:
                shutil.copyfileobj(packed, file, 1 << 20)


def _members(archive: zipfile.ZipFile, path: str, beside: str) -> list[zipfile.ZipInfo]:
    """The model's files."""
    for member in archive.infolist():
        parts = member.filename.replace("\\", "/").split("/")
        if member.filename.startswith(("/", "\\")) or ".." in parts or ":" in parts[0]:
            raise InputError(f"{path}: the name {member.filename!r} leads out of the archive's own folder", path=path)
        if (member.external_attr >> 16) & 0o170000 == 0o120000:
            raise InputError(f"{path}: {member.filename!r} is a symbolic link; expected files", path=path)
        if member.flag_bits & 1:
            raise InputError(f"{path}: {member.filename!r} is locked by a password", path=path)
    files = [member for member in archive.infolist() if _is_of_a_model(member)]
    weights = sorted(
        {
            member.filename
            for member in files
            if member.filename.endswith((".hdf5", ".safetensors")) and not member.filename.endswith(beside)
        }
    )
    if not weights:
        raise InputError(f"{path} holds no model: expected model.hdf5 or weights.hdf5, and options.json", path=path)
    if len(weights) > 1:
        raise InputError(f"{path} holds {len(weights)} models, {', '.join(weights)}: expected one", path=path)
    folder = os.path.dirname(weights[0])
    members = [member for member in files if os.path.dirname(member.filename) == folder]
    for name, times in collections.Counter(member.filename for member in members).items():
        if times > 1:  # programs differ in which one they take
            raise InputError(
                f"{path}: the name {name!r} stands in it {times} times; expected every file once", path=path
            )
    return members


def _is_of_a_model(member: zipfile.ZipInfo) -> bool:
    *folders, name = member.filename.split("/")
    of_mac = _MAC_FOLDER in folders or name.startswith(_MAC_PREFIX)
    return not member.is_dir() and not of_mac and name.endswith(_ENDINGS)
