"""The two folders of checkpoints in a model's folder: which is the newest, and writing one whole or not at all."""

import contextlib
import glob
import os
import shutil

import tensorflow as tf

from elmo_tf.errors import InputError
from elmo_tf.formats.tensorflow_checkpoint import silence_tensorflow
from elmo_tf.store.file_names import BEST, LATEST
from elmo_tf.system.atomic_files import first_line, reason


def checkpoint_path(model_dir: str, which: str | None = None) -> str:
    """The checkpoint in a model's folder.

    Args:
        model_dir: the folder.
        which: "best", "latest", or None for the best if there is one, else the latest.

    Raises:
        InputError: there is none.
    """
    for name in [which] if which else [BEST, LATEST]:
        path = latest_in(model_dir, name)
        if path is not None:
            return path
    raise InputError(
        f"{model_dir} holds no {which + ' ' if which else ''}checkpoint: expected a folder made by elmo-tf train",
        path=model_dir,
    )


def latest_in(model_dir: str, name: str) -> str | None:
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
    if path is None:  # TensorFlow only logs it, and the run would start over
        raise InputError(
            f"{listing}, which names the checkpoints, is damaged, or names one that is not there", path=listing
        )
    return str(path)


def holds_weights(folder: str) -> bool:
    """Whether there is a whole checkpoint in a folder, whatever the file that names the checkpoints says."""
    return bool(glob.glob(os.path.join(glob.escape(folder), "ckpt-*.index")))  # which TensorFlow writes last


def save_checkpoint(manager: tf.train.CheckpointManager, step: int) -> str:
    """Saves `ckpt-STEP` in the manager's folder; what a save that failed or was killed left behind goes.

    Args:
        manager: of which folder and checkpoint; its files are called `ckpt-...`.
        step: the number.

    Returns:
        The checkpoint's path.

    Raises:
        InputError: it cannot be written, for the disk is full or permission is missing; checkpoints from before stay.
    """
    folder = manager.directory
    _remove(folder, *_HALF_WRITTEN)
    try:
        return str(manager.save(checkpoint_number=step))
    except (tf.errors.OpError, OSError) as error:
        state = tf.train.get_checkpoint_state(folder)
        if state is None or os.path.join(folder, f"ckpt-{step}") not in state.all_model_checkpoint_paths:
            _remove(folder, f"ckpt-{step}.*")
        raise InputError(f"{folder} cannot be written: {reason(error)}", path=folder) from error
    finally:
        _remove(folder, *_HALF_WRITTEN)


_HALF_WRITTEN = ("ckpt-*_temp", "checkpoint.tmp*")
"""What TensorFlow writes to before it renames."""


def _remove(folder: str, *patterns: str) -> None:
    for pattern in patterns:
        for path in glob.glob(os.path.join(glob.escape(folder), pattern)):
            if os.path.isdir(path):
                shutil.rmtree(path, ignore_errors=True)
            else:
                with contextlib.suppress(OSError):  # the error that is under way says more
                    os.remove(path)
