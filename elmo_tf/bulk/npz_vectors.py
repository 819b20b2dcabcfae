"""Writes NumPy archives (.npz) of vectors with one array per sentence.

The directory of the archive, an entry per sentence, has to fit into memory.
"""

import contextlib
import zipfile
from collections.abc import Sequence

import numpy as np

from elmo_tf.bulk.settings import EmbedSettings
from elmo_tf.bulk.vector_file import VectorFile
from elmo_tf.errors import InputError

_MADE = (1980, 1, 1, 0, 0, 0)
"""The time stamp of every array; it is fixed so that the same vectors always give the same bytes."""


class NpzVectors(VectorFile):
    """Writes a `.npz` file whose arrays are named by the numbers of the sentences, from 0.

    Args:
        path: the path of the file.
        settings: the settings, of which `compression` is used.
    """

    def __init__(self, path: str, settings: EmbedSettings) -> None:
        self._kind = zipfile.ZIP_DEFLATED if settings.compression == "deflate" else zipfile.ZIP_STORED
        self._file = zipfile.ZipFile(path, "w")
        self._count = 0

    def add(self, tokens: Sequence[str], vectors: np.ndarray) -> None:
        """See `VectorFile`."""
        member = zipfile.ZipInfo(f"{self._count}.npy", _MADE)
        member.compress_type = self._kind
        with self._file.open(member, "w", force_zip64=True) as file:
            np.lib.format.write_array(file, vectors, allow_pickle=False)
        self._count += 1

    def append(self, path: str) -> None:
        """See `VectorFile`."""
        try:
            archive = np.load(path)
        except (OSError, ValueError, zipfile.BadZipFile) as error:
            raise InputError(f"{path} cannot be read as a NumPy archive: {error}", path=path) from error
        with archive:
            for number in range(len(archive.files)):
                self.add((), archive[str(number)])

    def close(self) -> None:
        """See `VectorFile`."""
        self._file.close()

    def discard(self) -> None:
        """See `VectorFile`."""
        with contextlib.suppress(OSError, ValueError):
            self._file.close()
