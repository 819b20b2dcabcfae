"""Models in ZIP files, as the NLPL repository offers them; an archive is checked before anything is unpacked."""

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
from elmo_tf.system.error_text import rename_in_errors

_ENDINGS = (".hdf5", ".safetensors", ".json", ".txt", ".txt.gz")

_MANYLANGS_WEIGHTS = "encoder.pkl"
_MANYLANGS = (_MANYLANGS_WEIGHTS, "token_embedder.pkl", "char.dic", "word.dic")
"""The names of the files of a model of ELMoForManyLangs, besides those with the endings above."""

_DAMAGED = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    NotImplementedError,
    struct.error,
    UnicodeDecodeError,
)
"""The errors that Python raises for damaged archives and for unknown kinds of compression."""

_SMALL = 1 << 24
"""Bytes that an archive of any size may unpack to."""

_MOST_COMPRESSED = 100
"""The largest factor by which the content of a larger archive may exceed its size."""

_NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.ENOENT)
"""Error numbers of a full disk or quota, and of Python where it finds no temporary folder."""

_TMPDIR_ADVICE = "set the environment variable TMPDIR to a folder with more room"

_MAC_FOLDER, _MAC_PREFIX = "__MACOSX", "._"
"""The folder and the prefix of the files in which macOS packs attributes; their endings are those of the real files."""


@contextlib.contextmanager
def unpack_zip(path: str, beside: str) -> Iterator[str]:
    """Unpacks the model of a ZIP file; yields the temporary folder of its files, which is removed after the block.

    The files may be in a folder inside the ZIP. Files that are no part of a model, and the attributes that macOS packs
    beside each file, are not unpacked.

    Args:
        path: the ZIP file.
        beside: the name of a weight file that belongs to the model and is no second model: that of the softmax.

    Raises:
        InputError: the file is damaged or no ZIP file, a name in it leads out of its folder or occurs twice, it holds
            no model or several, it is locked by a password, it would unpack to many times its size, or there is no
            space to unpack it.
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
            advice = f": {_TMPDIR_ADVICE}" if error.errno in _NO_SPACE else ""
            raise InputError(f"{path} cannot be unpacked: {error.strerror or error}{advice}", path=path) from error
        with rename_in_errors(path, folder):
            yield folder


def _unpack(path: str, folder: str, beside: str) -> None:
    with zipfile.ZipFile(path) as archive:
        members = _model_members(archive, path, beside)
        needed, free = sum(member.file_size for member in members), shutil.disk_usage(folder).free
        if needed > free:
            room = f"the temporary folder {os.path.dirname(folder)} has {free:,}"
            raise InputError(f"{path} needs {needed:,} bytes to be unpacked, {room}: {_TMPDIR_ADVICE}", path=path)
        most = max(_SMALL, _MOST_COMPRESSED * os.path.getsize(path))
        if needed > most:
            raise InputError(
                f"{path} claims {needed:,} bytes of content, more than {_MOST_COMPRESSED} times its own size; weights "
                "cannot be compressed so much",
                path=path,
            )
        for member in members:
            target = os.path.join(folder, os.path.basename(member.filename))
            with archive.open(member) as packed, open(target, "wb") as file:
                shutil.copyfileobj(packed, file, 1 << 20)


def _model_members(archive: zipfile.ZipFile, path: str, beside: str) -> list[zipfile.ZipInfo]:
    """The members of the archive that are files of the one model in it."""
    for member in archive.infolist():
        parts = member.filename.replace("\\", "/").split("/")
        if member.filename.startswith(("/", "\\")) or ".." in parts or ":" in parts[0]:
            raise InputError(f"{path}: the name {member.filename!r} leads out of the archive's own folder", path=path)
        if (member.external_attr >> 16) & 0o170000 == 0o120000:
            raise InputError(f"{path}: {member.filename!r} is a symbolic link; expected files", path=path)
        if member.flag_bits & 1:
            raise InputError(f"{path}: {member.filename!r} is locked by a password", path=path)
    files = [member for member in archive.infolist() if _is_model_file(member)]
    weights = sorted(
        {
            member.filename
            for member in files
            if (member.filename.endswith((".hdf5", ".safetensors")) and not member.filename.endswith(beside))
            or os.path.basename(member.filename) == _MANYLANGS_WEIGHTS
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


def _is_model_file(member: zipfile.ZipInfo) -> bool:
    *folders, name = member.filename.split("/")
    of_mac = _MAC_FOLDER in folders or name.startswith(_MAC_PREFIX)
    return not member.is_dir() and not of_mac and (name.endswith(_ENDINGS) or name in _MANYLANGS)
