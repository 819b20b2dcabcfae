"""Files of vectors, one behind the other, to one file."""

import os
from collections.abc import Iterable, Mapping
from typing import Any

from elmo_tf.bulk.formats import open_vector_file
from elmo_tf.bulk.manifest import ENDING, write_manifest
from elmo_tf.bulk.settings import EmbedSettings
from elmo_tf.errors import InputError
from elmo_tf.system.atomic_files import atomic_write, check_regular, flush_to_disk
from elmo_tf.system.error_text import reason


def check_output(output_file: str, overwrite: bool) -> None:
    """An `InputError` where the output is no regular file, or exists and shall not be replaced."""
    check_regular(output_file)
    if os.path.lexists(output_file) and not overwrite:
        raise InputError(
            f"{output_file} exists; give --overwrite to replace it (overwrite=True from Python)", path=output_file
        )


def join(
    paths: Iterable[str], output_file: str, settings: EmbedSettings, manifest: Mapping[str, Any] | None = None
) -> None:
    """Joins finished files in order, whole or not at all.

    Args:
        paths: the files, of the settings' format.
        output_file: the file to write.
        settings: of the files and of the output.
        manifest: what `OUTPUT.manifest.json` shall say, beside the output's size; it is there before the output is.
    """
    with atomic_write(output_file) as temporary:
        try:
            with open_vector_file(temporary, settings) as file:
                for path in paths:
                    file.append(path)
        except SystemError as error:  # how h5py tells of a failed write from Python 3.13 on
            raise InputError(f"{temporary} cannot be written: {reason(error)}") from error
        flush_to_disk(temporary)
        if manifest is not None:
            write_manifest(output_file + ENDING, {**manifest, "bytes": os.path.getsize(temporary)})
