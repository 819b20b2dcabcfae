"""Joins several files of vectors into one file."""

import contextlib
import os
from collections.abc import Iterable, Mapping
from typing import Any

from elmo_tf.bulk.formats import open_vector_file
from elmo_tf.bulk.hdf5_vectors import Hdf5Links
from elmo_tf.bulk.manifest import ENDING, write_manifest
from elmo_tf.bulk.settings import EmbedSettings
from elmo_tf.errors import InputError
from elmo_tf.system.atomic_files import atomic_write, flush_to_disk
from elmo_tf.system.error_text import reason


def join(
    paths: Iterable[str],
    output_file: str,
    settings: EmbedSettings,
    manifest: Mapping[str, Any] | None = None,
    links: bool = False,
    temporary_folder: str | None = None,
) -> None:
    """Joins finished files of vectors in order; the output is written completely or not at all.

    Args:
        paths: the files to join, in the output format of the settings.
        output_file: the file to write.
        settings: the settings with which the files were written, and with which the output is written.
        manifest: the values of the manifest `OUTPUT.manifest.json`, to which the size of the output is added. The
            manifest is written before the output appears under its name, and after an old output is removed, which
            would be taken for the one that the manifest describes. None for no manifest.
        links: whether to write links to the files instead of their vectors; for HDF5 alone.
        temporary_folder: the folder of the unfinished output and manifest; by default that of the output.
    """
    with atomic_write(output_file, temporary_folder) as temporary:
        try:
            folder = os.path.dirname(output_file)
            opened = Hdf5Links(temporary, settings, folder) if links else open_vector_file(temporary, settings)
            with opened as file:
                for path in paths:
                    file.append(path)
        except SystemError as error:  # h5py raises it for a failed write since Python 3.13
            raise InputError(f"{temporary} cannot be written: {reason(error)}", path=temporary) from error
        flush_to_disk(temporary)
        if manifest is not None:
            _remove(output_file)
            values = {**manifest, "bytes": os.path.getsize(temporary)}
            write_manifest(output_file + ENDING, values, temporary_folder)


def _remove(path: str) -> None:
    """Removes a file, or the file that a symbolic link names, if there is one."""
    with contextlib.suppress(FileNotFoundError):
        os.remove(os.path.realpath(path))
