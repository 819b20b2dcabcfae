"""Writes and checks the digests of a checkpoint, `ckpt-N.sha256`, by which a complete checkpoint is recognised.

The digests are written after all other files of the checkpoint. Their file has one line for each of these files, in the
format that `sha256sum` writes and `sha256sum --check` reads.
"""

import os
import re

from elmo_tf.errors import InputError
from elmo_tf.formats.tensorflow_checkpoint import CheckpointReader
from elmo_tf.system.atomic_files import flush_folder, flush_to_disk, write_text
from elmo_tf.system.input_files import sha256

DIGESTS = ".sha256"
"""The ending of the file of digests."""

_LINE = re.compile(r"([0-9a-f]{64})  [^./]*(\..+)")
_FILE = re.compile(r"\.(index|data-\d{5}-of-\d{5})")


def checkpoint_endings(prefix: str) -> list[str]:
    """The endings of a checkpoint's own files: `.index` and `.data-XXXXX-of-YYYYY`."""
    folder, name = os.path.split(prefix)
    endings = [file.removeprefix(name) for file in os.listdir(folder or ".") if file.startswith(f"{name}.")]
    return sorted(ending for ending in endings if _FILE.fullmatch(ending))


def write_digests(prefix: str) -> None:
    """Flushes the files of a checkpoint to the disk, and then writes their digests, which mark it as complete.

    Args:
        prefix: the checkpoint's path without endings.

    Raises:
        InputError: a file cannot be read or written.
        OSError: a file is missing.
    """
    endings = checkpoint_endings(prefix)
    for ending in endings:
        flush_to_disk(prefix + ending)
    flush_folder(os.path.dirname(prefix) or ".")
    name = os.path.basename(prefix)
    write_text(prefix + DIGESTS, "".join(f"{sha256(prefix + ending)}  {name}{ending}\n" for ending in endings))


def describe_damage(prefix: str) -> str | None:
    """Returns a sentence that says why a checkpoint is not complete, or None if it is complete.

    A checkpoint without digests was written by an earlier release, or by a run that was killed just before it wrote the
    digests. Such a checkpoint is complete if TensorFlow can read all its arrays and they match the checksums in
    its index.

    Args:
        prefix: the checkpoint's path without endings.
    """
    digests = _read_digests(prefix)
    for ending in [".index", *digests]:
        if not os.path.isfile(prefix + ending):
            return f"{prefix} is damaged: {os.path.basename(prefix)}{ending} is not there"
    try:
        reader = CheckpointReader(prefix)
        for name in [] if digests else reader.shapes:
            reader.value(name)
        for ending, digest in digests.items():
            if sha256(prefix + ending) != digest:
                return (
                    f"{prefix} is damaged: {os.path.basename(prefix)}{ending} does not match its checksum in "
                    f"{os.path.basename(prefix)}{DIGESTS}"
                )
    except InputError as error:
        return str(error)
    except OSError as error:
        return f"{prefix} cannot be read: {error.strerror}"
    return None


def _read_digests(prefix: str) -> dict[str, str]:
    """Reads the digests, by the endings of the files; empty if the file of digests is missing or damaged."""
    try:
        with open(prefix + DIGESTS, encoding="ascii") as file:
            lines = [_LINE.fullmatch(line) for line in file.read().splitlines()]
    except (OSError, ValueError):
        return {}
    digests = {line[2]: line[1] for line in lines if line is not None and _FILE.fullmatch(line[2])}
    return digests if len(digests) == len(lines) and ".index" in digests and len(digests) > 1 else {}
