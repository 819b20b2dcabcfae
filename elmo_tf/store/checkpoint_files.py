"""Finds the newest complete checkpoint in the folders `best` and `latest` of a run.

The files in a folder decide which checkpoints it holds. TensorFlow's file `checkpoint`, which names the checkpoints, is
written only for other programs, and is not used to find them.
"""

import errno
import logging
import os
import re
from collections.abc import Callable

import tensorflow as tf

from elmo_tf.errors import InputError
from elmo_tf.formats.tensorflow_checkpoint import DAMAGED, silence_tensorflow
from elmo_tf.store.checkpoint_digests import DIGESTS, describe_damage
from elmo_tf.store.file_names import BEST, LATEST
from elmo_tf.system.error_text import first_line

PREVIOUS = "-previous"
"""The ending of the name of a complete checkpoint while a new checkpoint of the same step is being written."""

_NAME = re.compile(rf"ckpt-(\d{{1,18}})({PREVIOUS})?")

_MISSING = (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG, errno.ELOOP, errno.EINVAL)
"""Error numbers that say that a folder does not exist; any other says that it may exist and cannot be read."""

_warn = logging.getLogger("elmo_tf").warning
"""Logs a line: it appears on standard error, unless the program that uses the library configures logging otherwise."""


def checkpoint_path(model_dir: str, which: str | None = None) -> str:
    """Finds the newest complete checkpoint in the folder of a run, and returns its path without endings.

    Args:
        model_dir: the folder of the run.
        which: "best", "latest", or None for the best checkpoint if there is one, otherwise the latest.

    Raises:
        InputError: there is no such checkpoint, or all such checkpoints are damaged.
    """
    for name in [which] if which else [BEST, LATEST]:
        path = newest_checkpoint(model_dir, name)
        if path is not None:
            return path
    raise InputError(
        f"{model_dir} holds no {which + ' ' if which else ''}checkpoint: expected a folder made by elmo-tf train",
        path=model_dir,
    )


def newest_checkpoint(model_dir: str, name: str, report: Callable[[str], None] = _warn) -> str | None:
    """Finds the newest complete checkpoint in `model_dir/best` or `model_dir/latest`; None if the folder has none.

    Args:
        model_dir: the folder of the run.
        name: "best" or "latest".
        report: a function that is called with a warning for each newer checkpoint that is damaged.

    Raises:
        InputError: all checkpoints are damaged, unless a kill cut the first one short; or there is none, although the
            file `checkpoint` exists, so there must have been one; or the folder cannot be read.
    """
    folder = os.path.join(model_dir, name)
    damages: list[str] = []
    for prefix in list_checkpoints(folder):
        damage = describe_damage(prefix)
        if damage is None:
            for line in damages:
                report(f"{line}; skipped, and {prefix} is taken, the newest complete checkpoint before it")
            return prefix
        if prefix in list_checkpoints(folder):  # otherwise a run has removed it in the meantime
            damages.append(damage)
    if damages and not _is_unfinished_first(folder):
        raise InputError(damages[0], path=folder)
    if damages:
        report(f"{damages[0]}; a run was stopped while it saved its first checkpoint, which counts as none")
        return None
    _check_no_checkpoint_is_named(folder)
    return None


def _is_unfinished_first(folder: str) -> bool:
    """Whether the only checkpoint of a folder is one whose index was being written when its run was killed.

    The index is the last file that TensorFlow writes. Digests, the file `checkpoint` or a second checkpoint show that a
    checkpoint was complete once, and so does an index that can be read. No run may begin in its place.
    """
    prefixes = list_checkpoints(folder)
    try:
        has_more = any(name == "checkpoint" or name.endswith(DIGESTS) for name in os.listdir(folder))
        if len(prefixes) != 1 or has_more:
            return False
        with open(f"{prefixes[0]}.index", "rb") as file:
            file.read()
    except OSError:  # it cannot be read, whatever it holds
        return False
    try:
        with silence_tensorflow():
            tf.train.load_checkpoint(prefixes[0])
    except DAMAGED:
        return True
    return False


def list_checkpoints(folder: str) -> list[str]:
    """Lists the paths of the checkpoints in a folder, without endings, the newest first. Some may be damaged.

    A checkpoint is listed if its index exists, which is the last file that TensorFlow writes, or if its digests exist,
    which are written after the index.

    Raises:
        InputError: the folder exists and cannot be read. To take it for empty would be to begin a run anew in it.
    """
    try:
        names = os.listdir(folder)
    except OSError as error:
        if error.errno in _MISSING:
            return []
        raise InputError(f"{folder} cannot be read: {error.strerror}", path=folder) from error
    stems = {name.removesuffix(ending) for name in names for ending in (".index", DIGESTS) if name.endswith(ending)}
    found = [(int(match[1]), match[2] is None, name) for name in stems if (match := _NAME.fullmatch(name))]
    return [os.path.join(folder, name) for _, _, name in sorted(found, reverse=True)]


def has_checkpoint(model_dir: str, name: str) -> bool:
    """Whether the folder `model_dir/best` or `model_dir/latest` holds a checkpoint, be it complete or damaged.

    Raises:
        InputError: there is no checkpoint, although the file `checkpoint` exists, so there must have been one.
    """
    folder = os.path.join(model_dir, name)
    if not list_checkpoints(folder):
        _check_no_checkpoint_is_named(folder)
        return False
    return True


def checkpoint_step(prefix: str) -> int:
    """The number of training steps in the name of a checkpoint; 0 if the path is not that of a checkpoint.

    >>> checkpoint_step("model/latest/ckpt-12")
    12
    """
    match = _NAME.fullmatch(os.path.basename(prefix))
    return int(match[1]) if match else 0


def _check_no_checkpoint_is_named(folder: str) -> None:
    """Raises an `InputError` if a folder without checkpoints has a file `checkpoint`, which shows that it had one."""
    listing = os.path.join(folder, "checkpoint")
    if not os.path.exists(listing):
        return
    try:
        with silence_tensorflow():
            tf.train.get_checkpoint_state(folder)
    except ValueError as error:
        raise InputError(
            f"{listing}, which names the checkpoints, is damaged: {first_line(error)}", path=listing
        ) from error
    raise InputError(
        f"{listing}, which names the checkpoints, is damaged, or names one that is not there", path=listing
    )
