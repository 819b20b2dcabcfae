"""Finds the newest checkpoint in the folders `best` and `latest` of a run, and saves checkpoints."""

import contextlib
import glob
import os
import shutil

import tensorflow as tf

from elmo_tf.errors import InputError
from elmo_tf.formats.tensorflow_checkpoint import silence_tensorflow
from elmo_tf.store.file_names import BEST, LATEST
from elmo_tf.system.error_text import first_line, reason


def checkpoint_path(model_dir: str, which: str | None = None) -> str:
    """The path of the newest checkpoint in the folder of a run.

    Args:
        model_dir: the folder of the run.
        which: "best", "latest", or None for the best checkpoint if there is one, else the latest.

    Raises:
        InputError: there is no such checkpoint, or the file that names the checkpoints is damaged.
    """
    for name in [which] if which else [BEST, LATEST]:
        path = newest_checkpoint(model_dir, name)
        if path is not None:
            return path
    raise InputError(
        f"{model_dir} holds no {which + ' ' if which else ''}checkpoint: expected a folder made by elmo-tf train",
        path=model_dir,
    )


def newest_checkpoint(model_dir: str, name: str) -> str | None:
    """The path of the newest checkpoint in `model_dir/best` or `model_dir/latest`; None if there is none.

    Raises:
        InputError: the file that names the checkpoints is damaged.
    """
    listing = os.path.join(model_dir, name, "checkpoint")
    if not os.path.exists(listing):
        return None
    try:
        with silence_tensorflow():
            path = tf.train.latest_checkpoint(os.path.join(model_dir, name))
    except ValueError as error:
        raise InputError(
            f"{listing}, which names the checkpoints, is damaged: {first_line(error)}", path=listing
        ) from error
    if path is None:  # TensorFlow only logs the damage, and the run would start anew
        raise InputError(
            f"{listing}, which names the checkpoints, is damaged, or names one that is not there", path=listing
        )
    return str(path)


def has_complete_checkpoint(folder: str) -> bool:
    """Whether a folder has a complete checkpoint, even one that the file which names the checkpoints does not list."""
    return bool(glob.glob(os.path.join(glob.escape(folder), "ckpt-*.index")))  # TensorFlow writes this file last


def save_checkpoint(manager: tf.train.CheckpointManager, step: int) -> str:
    """Saves the checkpoint `ckpt-STEP`; removes the temporary files of earlier saves that failed or were killed.

    Args:
        manager: the manager of the folder; its prefix is `ckpt`.
        step: the number of training steps taken.

    Returns:
        The path of the checkpoint.

    Raises:
        InputError: the checkpoint cannot be written because the disk is full or permission is missing. The files of the
            failed save are removed; earlier checkpoints stay.
    """
    folder = manager.directory
    _remove(folder, *_TEMPORARY_FILES)
    try:
        return str(manager.save(checkpoint_number=step))
    except (tf.errors.OpError, OSError) as error:
        state = tf.train.get_checkpoint_state(folder)
        if state is None or os.path.join(folder, f"ckpt-{step}") not in state.all_model_checkpoint_paths:
            _remove(folder, f"ckpt-{step}.*")
        raise InputError(f"{folder} cannot be written: {reason(error)}", path=folder) from error
    finally:
        _remove(folder, *_TEMPORARY_FILES)


_TEMPORARY_FILES = ("ckpt-*_temp", "checkpoint.tmp*")
"""The files that TensorFlow writes and then renames."""


def _remove(folder: str, *patterns: str) -> None:
    """Removes the files and folders that match a pattern; ignores those that cannot be removed."""
    for pattern in patterns:
        for path in glob.glob(os.path.join(glob.escape(folder), pattern)):
            if os.path.isdir(path):
                shutil.rmtree(path, ignore_errors=True)
            else:
                with contextlib.suppress(OSError):  # an error that is being raised says more
                    os.remove(path)
