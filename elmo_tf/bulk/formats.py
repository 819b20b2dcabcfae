"""Opens files of vectors by the name of their format."""

from collections.abc import Callable

from elmo_tf.bulk.hdf5_vectors import Hdf5Vectors
from elmo_tf.bulk.npz_vectors import NpzVectors
from elmo_tf.bulk.parquet_vectors import ParquetVectors
from elmo_tf.bulk.settings import EmbedSettings
from elmo_tf.bulk.text_vectors import TextVectors
from elmo_tf.bulk.vector_column import pyarrow
from elmo_tf.bulk.vector_file import VectorFile

_KINDS: dict[str, Callable[[str, EmbedSettings], VectorFile]] = {
    "hdf5": Hdf5Vectors,
    "npz": NpzVectors,
    "parquet": ParquetVectors,
    "txt": TextVectors,
}
ENDINGS = {"hdf5": ".hdf5", "npz": ".npz", "parquet": ".parquet", "txt": ".txt"}


def check_installed(settings: EmbedSettings) -> None:
    """Raises an `InputError` if the output format needs a library that is not installed."""
    if settings.output_format == "parquet":
        pyarrow()


def open_vector_file(path: str, settings: EmbedSettings) -> VectorFile:
    """Opens a new file of vectors for writing, in the output format of the settings."""
    return _KINDS[settings.output_format](path, settings)
