"""Finds the newest complete checkpoint in the folders `best` and `latest` of a run.

The checkpoints in a folder are those whose files lie there. TensorFlow's file `checkpoint`, which names them, is
written for other programs and decides nothing.
"""

import logging
import os
import re
from collections.abc import Callable

import tensorflow as tf

from elmo_tf.errors import InputError
from elmo_tf.formats.tensorflow_checkpoint import silence_tensorflow
from elmo_tf.store.checkpoint_digests import DIGESTS, describe_damage
from elmo_tf.store.file_names import BEST, LATEST
from elmo_tf.system.error_text import first_line

PREVIOUS = "-previous"
"""What the name of a checkpoint has at its end while a new one of the same step is written."""

_NAME = re.compile(rf"ckpt-(\d{{1,18}})({PREVIOUS})?")

_warn = logging.getLogger("elmo_tf").warning
"""Shows a line on standard error, unless the program that uses the library directs it elsewhere."""


def checkpoint_path(model_dir: str, which: str | None = None) -> str:
    """The path of the newest complete checkpoint in the folder of a run.

    Args:
        model_dir: the folder of the run.
        which: "best", "latest", or None for the best checkpoint if there is one, else the latest.

    Raises:
        InputError: there is no such checkpoint, or all are damaged.
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
    """The path of the newest complete checkpoint in `model_dir/best` or `model_dir/latest`; None if there is none.

    Args:
        model_dir: the folder of the run.
        name: "best" or "latest".
        report: takes a line for people on each newer checkpoint that is damaged.

    Raises:
        InputError: all checkpoints are damaged, or the file that names them says that there was one.
    """
    folder = os.path.join(model_dir, name)
    damages: list[str] = []
    for prefix in list_checkpoints(folder):
        damage = describe_damage(prefix)
        if damage is None:
            for line in damages:
                report(f"{line}; skipped, and {prefix} is taken, the newest complete checkpoint before it")
            return prefix
        if prefix in list_checkpoints(folder):  # else a run has removed it meanwhile
            damages.append(damage)
    if damages:
        raise InputError(damages[0], path=folder)
    _check_no_checkpoint_is_named(folder)
    return None


def list_checkpoints(folder: str) -> list[str]:
    """The paths of the checkpoints in a folder, without endings, the newest first; they may be damaged.

    A checkpoint was there once if it has an index, which TensorFlow writes last, or digests, which are written then.
    """
    try:
        names = os.listdir(folder)
    except OSError:
        return []
    stems = {name.removesuffix(ending) for name in names for ending in (".index", DIGESTS) if name.endswith(ending)}
    found = [(int(match[1]), match[2] is None, name) for name in stems if (match := _NAME.fullmatch(name))]
    return [os.path.join(folder, name) for _, _, name in sorted(found, reverse=True)]


def has_checkpoint(model_dir: str, name: str) -> bool:
    """Whether `model_dir/best` or `model_dir/latest` has a checkpoint, which may be damaged.

    Raises:
        InputError: there is none, but the file that names the checkpoints says that there was one.
    """
    folder = os.path.join(model_dir, name)
    if not list_checkpoints(folder):
        _check_no_checkpoint_is_named(folder)
        return False
    return True


def checkpoint_step(prefix: str) -> int:
    """The number of training steps that a checkpoint's name tells.

    >>> checkpoint_step("model/latest/ckpt-12")
    12
    """
    match = _NAME.fullmatch(os.path.basename(prefix))
    return int(match[1]) if match else 0


def _check_no_checkpoint_is_named(folder: str) -> None:
    """Raises an `InputError` if the file `checkpoint` of a folder without checkpoints says that one has been there."""
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
