"""The files of the English models that AllenNLP published: addresses, sizes and hashes, and the check of a file.

The addresses are those of AllenNLP's documentation, all under `BASE`.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import h5py

from elmo_tf.errors import InputError
from elmo_tf.store.file_names import OPTIONS_FILE, WEIGHTS_FILE
from elmo_tf.system import input_files
from elmo_tf.system.download import ExpectedFile

BASE = "https://s3-us-west-2.amazonaws.com/allennlp/models/elmo/"


@dataclass(frozen=True)
class PublishedFile:
    """One file of a published model.

    Args:
        name: its name in the cache.
        path: its path below `BASE` or the address of a mirror.
        size: its bytes; None where they are not known.
        sha256: the hash of its content; None where it is not known.
    """

    name: str
    path: str
    size: int | None = None
    sha256: str | None = None

    def expected(self) -> ExpectedFile:
        """What a download of the file must match: size and hash where they are known, and the form, JSON or HDF5."""
        return ExpectedFile(self.size, self.sha256, _check_json if self.name == OPTIONS_FILE else _check_hdf5)


def _model_files(stem: str, size: int | None = None, sha256: str | None = None) -> tuple[PublishedFile, PublishedFile]:
    """The options and the weights of a model, whose size and hash are given."""
    start = f"{stem}/elmo_{stem}_"
    return (
        PublishedFile(OPTIONS_FILE, start + "options.json"),
        PublishedFile(WEIGHTS_FILE, start + "weights.hdf5", size, sha256),
    )


PUBLISHED: Mapping[str, tuple[PublishedFile, ...]] = {
    "small": _model_files(
        "2x1024_128_2048cnn_1xhighway",
        size=54_402_456,
        sha256="747ba97abce8a5f446558369e10bb0f7931437a46867476fdd156f5d7f576229",
    ),
    "medium": _model_files("2x2048_256_2048cnn_1xhighway"),
    "original": _model_files("2x4096_512_2048cnn_2xhighway"),
    "5.5B": _model_files("2x4096_512_2048cnn_2xhighway_5.5B"),
}
"""The files of each model, by its name.

"5.5B" was trained on 5.5 billion words of Wikipedia and news, the others on the 1 Billion Word corpus.
"""


def _check_json(path: str) -> None:
    """Raises an `InputError` where a file is no JSON object."""
    try:
        is_object = isinstance(input_files.read_json(path), dict)
    except InputError:
        is_object = False
    if not is_object:
        raise InputError("expected a JSON object, got something else", path=path)


def _check_hdf5(path: str) -> None:
    """Raises an `InputError` where a file is no HDF5 file, or is cut short."""
    if not h5py.is_hdf5(path):
        raise InputError("expected an HDF5 file, got something else", path=path)
    try:
        with h5py.File(path, "r"):  # opening compares the file's length with the one in its header
            pass
    except OSError as error:
        raise InputError("expected a whole HDF5 file, got one that is cut short or damaged", path=path) from error
