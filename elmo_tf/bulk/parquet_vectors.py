"""Writes Parquet files of vectors with one row per sentence; needs pyarrow, an optional dependency."""

import contextlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from elmo_tf.bulk.settings import EmbedSettings
from elmo_tf.bulk.vector_column import pyarrow, vector_column
from elmo_tf.bulk.vector_file import VectorFile
from elmo_tf.errors import InputError

_GROUP_BYTES = 16 << 20
"""The most bytes of vectors and tokens in a row group; a sentence with more bytes is a row group of its own."""

_SENTENCE_BYTES, _TOKEN_BYTES = 200, 60
"""What a sentence and a token take in Python beside their numbers and letters. Pooled vectors are small: without these
bytes, half a million sentences would be held in memory for a row group."""


class ParquetVectors(VectorFile):
    """Writes a Parquet file with three columns: `id`, an integer from 0; `tokens`, a list of strings; and `vectors`.

    Without pooling, `vectors` is a list with one entry per token. With pooling, it is a single entry. An entry is a
    fixed-size list of numbers or, if several layers are written, a fixed-size list with such a list for each layer.

    Args:
        path: the path of the file.
        settings: the settings, of which `pooling` and `compression` are used.
    """

    def __init__(self, path: str, settings: EmbedSettings) -> None:
        self._arrow, self._path, self._compression = pyarrow(), path, settings.compression
        self._pooled = settings.pooling != "none"
        self._writer: Any = None
        self._tokens: list[list[str]] = []
        self._vectors: list[np.ndarray] = []  # pooled ([layers,] size), else (tokens, [layers,] size)
        self._count = self._bytes = 0

    def add(self, tokens: Sequence[str], vectors: np.ndarray) -> None:
        """See `VectorFile`."""
        by_token = vectors if self._pooled or vectors.ndim == 2 else np.swapaxes(vectors, 0, 1)
        self._add(list(tokens), by_token)

    def _add(self, tokens: list[str], by_token: np.ndarray) -> None:
        size = by_token.nbytes + _SENTENCE_BYTES + sum(_TOKEN_BYTES + len(token) for token in tokens)
        if self._bytes + size > _GROUP_BYTES:
            self._flush()
        self._tokens.append(tokens)
        self._vectors.append(by_token)
        self._bytes += size

    def _flush(self) -> None:
        """Writes the collected sentences as a row group."""
        if not self._tokens:
            return
        arrow = self._arrow
        count = len(self._tokens)
        entries = vector_column(self._vectors, self._pooled)
        numbers = np.arange(self._count, self._count + count)
        tokens = arrow.array(self._tokens, arrow.list_(arrow.string()))
        table = arrow.table({"id": numbers, "tokens": tokens, "vectors": entries})
        if self._writer is None:
            # dictionary encoding of the vectors, whose numbers hardly ever repeat, would cost time and space
            self._writer = arrow.parquet.ParquetWriter(
                self._path, table.schema, compression=self._compression, use_dictionary=["tokens.list.element"]
            )
        self._writer.write_table(table, row_group_size=count)
        self._tokens, self._vectors, self._bytes = [], [], 0
        self._count += count

    def append(self, path: str) -> None:
        """See `VectorFile`."""
        try:
            file = self._arrow.parquet.ParquetFile(path)
            for group in range(file.num_row_groups):
                self._append_rows(file.read_row_group(group))
        except (OSError, self._arrow.ArrowInvalid) as error:
            raise InputError(f"{path} cannot be read as Parquet: {error}", path=path) from error

    def _append_rows(self, table: Any) -> None:
        table = table.combine_chunks()
        for tokens, vectors in zip(table["tokens"].to_pylist(), table["vectors"].chunk(0), strict=True):
            kind, shape, values = vectors.type, [], vectors.values
            if not self._pooled:
                shape.append(len(values))
                kind = kind.value_type
            while self._arrow.types.is_fixed_size_list(kind):
                shape.append(kind.list_size)
                kind = kind.value_type
            while self._arrow.types.is_nested(values.type):
                values = values.flatten()
            self._add(tokens, values.to_numpy(zero_copy_only=False).reshape(shape))

    def close(self) -> None:
        """See `VectorFile`."""
        self._flush()
        if self._writer is None:  # no sentence was added, so the shape of the vectors is not known
            columns: dict[str, list[Any]] = {"id": [], "tokens": [], "vectors": []}
            self._arrow.parquet.write_table(self._arrow.table(columns), self._path)
            return
        self._writer.close()

    def discard(self) -> None:
        """See `VectorFile`."""
        with contextlib.suppress(OSError):
            if self._writer is not None:
                self._writer.close()
