"""Writes the vectors of words as a folder that TensorBoard's embedding projector shows."""

import functools
import os
from collections.abc import Iterator, Sequence

import numpy as np
from google.protobuf import text_format
from tensorboard.plugins.projector import ProjectorConfig
from tensorboard.plugins.projector.metadata import PROJECTOR_FILENAME

from elmo_tf.errors import InputError, escape
from elmo_tf.system.atomic_folders import atomic_folder

VECTORS_FILE, LABELS_FILE = "vectors.tsv", "metadata.tsv"

FILES = (PROJECTOR_FILENAME, LABELS_FILE, VECTORS_FILE)
"""The files that the projector reads: its configuration, which names the two others, a word a line, a vector a line."""


def check_projector_folder(folder: str, overwrite: bool) -> None:
    """Refuses a file, and a folder that holds files of the projector, unless they shall be overwritten.

    A folder may hold other files, such as the event files of a training run.

    >>> check_projector_folder("/dev/null", overwrite=True)
    Traceback (most recent call last):
    elmo_tf.errors.InputError: /dev/null is no folder; expected the name of a folder for the projector's files
    """
    if os.path.lexists(folder) and not os.path.isdir(folder):
        raise InputError(f"{folder} is no folder; expected the name of a folder for the projector's files", path=folder)
    found = [path for name in FILES if os.path.lexists(path := os.path.join(folder, name))]
    if found and not overwrite:
        raise InputError(f"{found[0]} exists; give --overwrite to replace it (overwrite=True from Python)", path=folder)


def write_projector(
    folder: str,
    shape: tuple[int, int],
    parts: Iterator[tuple[Sequence[str], np.ndarray]],
    name: str,
    overwrite: bool = False,
) -> None:
    """Writes the configuration, the words and the vectors, all or none.

    Args:
        folder: the folder, which `tensorboard --logdir` or one of its runs is to be.
        shape: the number of words and that of the numbers of a vector.
        parts: the words and their vectors, part by part.
        name: the name under which the projector shows them.
        overwrite: whether files of the projector in the folder are replaced.

    Raises:
        InputError: the folder holds files of the projector already, or cannot be written.
    """
    check = functools.partial(check_projector_folder, folder, overwrite)
    check()
    config = ProjectorConfig()
    config.embeddings.add(tensor_name=name, tensor_shape=shape, tensor_path=VECTORS_FILE, metadata_path=LABELS_FILE)
    with atomic_folder(folder, check) as temporary:
        with (
            open(os.path.join(temporary, VECTORS_FILE), "w", encoding="ascii", newline="\n") as vectors_file,
            open(os.path.join(temporary, LABELS_FILE), "w", encoding="utf-8", newline="\n") as labels_file,
        ):
            for words, vectors in parts:
                labels_file.writelines(f"{label(word)}\n" for word in words)
                vectors_file.writelines(
                    "\t".join(format(value, ".8g") for value in vector) + "\n" for vector in vectors.tolist()
                )
        with open(os.path.join(temporary, PROJECTOR_FILENAME), "w", encoding="utf-8", newline="\n") as file:
            file.write(text_format.MessageToString(config))


def label(word: str) -> str:
    r"""A word as a line of a table of one column, which is never blank: the projector skips blank lines.

    >>> label("café"), label("tab\there"), label("\ufeff")
    ('café', 'tab\\there', "'\\ufeff'")
    """
    return escape(word) if word.replace("\ufeff", "").strip() else ascii(word)
