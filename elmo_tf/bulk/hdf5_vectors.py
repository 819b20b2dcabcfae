"""Writes HDF5 files of vectors with one dataset per sentence, as AllenNLP's `elmo` command does."""

import contextlib
import json
import os
import re
from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO

import h5py
import numpy as np

from elmo_tf.bulk.settings import EmbedSettings
from elmo_tf.bulk.vector_file import VectorFile
from elmo_tf.errors import InputError

INDEX = "sentence_to_index"
_ESCAPE = re.compile(r"%(?=25|2F|00|2E)")
"""Matches a per cent sign of the text that would look like the beginning of an escape sequence of `sentence_key`."""


def sentence_key(tokens: Sequence[str]) -> str:
    """Makes the name of a sentence's dataset for files whose keys are sentences: its tokens, separated by spaces.

    HDF5 does not allow every character in a name. `/` would create a group, so it becomes `%2F`. A NUL byte becomes
    `%00`, and a sentence that is only a dot becomes `%2E`. Where the text itself contains one of these escape sequences
    or `%25`, its `%` becomes `%25`. The key of a sentence without tokens is a space. In this way different sentences
    have different keys.

    Example:

    >>> sentence_key(["and", "/", "or", ",", "5", "%"]), sentence_key(["."]), sentence_key([]), sentence_key(["%2F"])
    ('and %2F or , 5 %', '%2E', ' ', '%252F')
    """
    key = _ESCAPE.sub("%25", " ".join(tokens)).replace("/", "%2F").replace("\0", "%00")
    return {".": "%2E", "": " "}.get(key, key)


class Hdf5Vectors(VectorFile):
    """Writes an HDF5 file.

    If the keys are sentences, the file keeps the order in which they were added, and a repeated sentence is written
    only once: its vectors are the same each time, because every sentence starts from the zero state. (AllenNLP raises
    an error for a repeated sentence.)

    Args:
        path: the path of the file.
        settings: the settings, of which `keys`, `sentence_to_index`, `compression` and `keep_boundaries` are used.
    """

    def __init__(self, path: str, settings: EmbedSettings) -> None:
        self._by_sentence, self._inner = settings.keys == "sentence", settings.keep_boundaries
        self._compression = None if settings.compression == "none" else settings.compression
        self._index: dict[str, str] | None = {} if settings.sentence_to_index else None
        self._count = 0
        # writes through a file object: on a full disk h5py's own driver crashes or raises errors that cannot be caught
        self._raw = open(path, "w+b")  # noqa: SIM115 - closed by `close` or `discard`
        self._file = _ordered_file(self._raw) if self._by_sentence else h5py.File(self._raw, "w")

    def add(self, tokens: Sequence[str], vectors: np.ndarray) -> None:
        """See `VectorFile`."""
        words = tokens[1:-1] if self._inner else tokens
        if self._by_sentence:
            self._write(sentence_key(words), vectors)
        else:
            if self._index is not None:
                self._index[" ".join(words)] = str(self._count)
            self._write(str(self._count), vectors)
        self._count += 1

    def _write(self, key: str, vectors: np.ndarray) -> None:
        if self._by_sentence and key in self._file:
            return
        # HDF5 refuses to compress an empty dataset, such as that of a sentence without tokens
        self._file.create_dataset(key, data=vectors, compression=self._compression if vectors.size else None)

    def append(self, path: str) -> None:
        """See `VectorFile`."""
        with _opened(path) as file:
            if self._by_sentence:
                for key in file:
                    self._copy(file, key, key)
                return
            count = len(file) - (INDEX in file)
            for number in range(count):
                self._copy(file, str(number), str(self._count + number))
            if self._index is not None:
                found = json.loads(file[INDEX][0])
                self._index.update((sentence, str(self._count + int(number))) for sentence, number in found.items())
            self._count += count

    def _copy(self, file: Any, key: str, new_key: str) -> None:
        """Adds the sentence that a finished file has as `key`, under `new_key`."""
        self._write(new_key, file[key][...])

    def close(self) -> None:
        """See `VectorFile`."""
        with self._raw:
            if self._index is not None:
                index = self._file.create_dataset(INDEX, (1,), dtype=h5py.string_dtype())
                index[0] = json.dumps(self._index)
            self._file.close()

    def discard(self) -> None:
        """See `VectorFile`."""
        with contextlib.suppress(OSError, SystemError, ValueError, RuntimeError), self._raw:
            self._file.close()


class Hdf5Links(Hdf5Vectors):
    """Writes an HDF5 file of external links, which holds no vectors itself: h5py finds those of the linked files by it.

    Args:
        path: the path of the file.
        settings: the settings of the linked files.
        folder: the folder in which the file will lie. The links are relative to it.
    """

    def __init__(self, path: str, settings: EmbedSettings, folder: str) -> None:
        super().__init__(path, settings)
        self._folder = folder or "."

    def _copy(self, file: Any, key: str, new_key: str) -> None:
        if not self._by_sentence or new_key not in self._file:
            self._file[new_key] = h5py.ExternalLink(os.path.relpath(file.filename, self._folder), key)


def _ordered_file(raw: BinaryIO) -> h5py.File:
    """Makes a new HDF5 file that keeps the order in which its datasets are created.

    h5py's `track_order` keeps the order too, but h5py then also stores the time of creation. This file stores no
    times, so that the same vectors always give the same bytes.
    """
    creation = h5py.h5p.create(h5py.h5p.FILE_CREATE)
    creation.set_link_creation_order(h5py.h5p.CRT_ORDER_TRACKED | h5py.h5p.CRT_ORDER_INDEXED)
    creation.set_obj_track_times(False)
    access = h5py.h5p.create(h5py.h5p.FILE_ACCESS)
    access.set_fclose_degree(h5py.h5f.CLOSE_STRONG)
    access.set_fileobj_driver(h5py.h5fd.fileobj_driver, raw)
    return h5py.File(h5py.h5f.create(repr(raw).encode(), h5py.h5f.ACC_TRUNC, creation, access))


@contextlib.contextmanager
def _opened(path: str) -> Iterator[Any]:
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise InputError(f"{path} cannot be read as HDF5: {error}", path=path) from error
    with file:
        yield file
