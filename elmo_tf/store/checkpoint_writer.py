"""Saves checkpoints so that the folder holds a complete one at every moment, even if the process is killed."""

import contextlib
import glob
import os
import re
import shutil

import tensorflow as tf

from elmo_tf.errors import InputError
from elmo_tf.store.checkpoint_digests import DIGESTS, checkpoint_endings, describe_damage, write_digests
from elmo_tf.store.checkpoint_files import PREVIOUS, checkpoint_step, list_checkpoints
from elmo_tf.system.atomic_files import flush_folder, write_text
from elmo_tf.system.error_text import reason

_TEMPORARY_FILES = ("ckpt-*_temp", "checkpoint.tmp*", ".checkpoint.*", f".ckpt-*{DIGESTS}")
"""Patterns of the temporary files that TensorFlow and this module write and then rename."""

_FILE = re.compile(rf"(ckpt-\d+(?:{PREVIOUS})?)(\.index|\.data-\d{{5}}-of-\d{{5}}|\{DIGESTS})")


class CheckpointWriter:
    """Saves checkpoints `ckpt-STEP` in one folder, and keeps only the newest ones.

    Args:
        checkpoint: the variables that are saved.
        directory: the folder; it is made at the first save.
        max_to_keep: the number of checkpoints to keep. All other checkpoints in the folder are removed, so the folder
            must not be shared by several runs.
    """

    def __init__(self, checkpoint: tf.train.Checkpoint, directory: str, max_to_keep: int) -> None:
        self.checkpoint, self.directory, self._max_to_keep = checkpoint, directory, max_to_keep
        self._has_begun = False

    def save(self, step: int) -> str:
        """Saves a checkpoint and returns its path. See `save_checkpoint`.

        If a complete checkpoint of the same step exists, it is kept under another name until the new one is complete.
        Then the older checkpoints beyond `max_to_keep` are removed. Newer ones are removed too: a run resumes from its
        newest complete checkpoint, so any checkpoint of a later step is damaged.
        """
        prefix = os.path.join(self.directory, f"ckpt-{step}")
        self._has_begun = False
        os.makedirs(self.directory, exist_ok=True)
        self._keep_previous(prefix)
        self._has_begun = True
        self.checkpoint.save_counter.assign_add(1)
        self.checkpoint.write(prefix)
        write_digests(prefix)
        kept = self._older_than(step)[: self._max_to_keep - 1]
        self._name_checkpoints([*reversed(kept), prefix])
        self._remove_others([*kept, prefix])
        return prefix

    def undo(self, step: int) -> None:
        """Removes a checkpoint that could not be completed, and restores the previous checkpoint of the same step."""
        prefix = os.path.join(self.directory, f"ckpt-{step}")
        if not self._has_begun:
            return
        _remove(self.directory, f"ckpt-{step}.*")
        if os.path.isfile(prefix + PREVIOUS + DIGESTS) and describe_damage(prefix + PREVIOUS) is None:
            for ending in [*checkpoint_endings(prefix + PREVIOUS), DIGESTS]:
                with contextlib.suppress(OSError):  # the error that is being raised says more
                    os.replace(prefix + PREVIOUS + ending, prefix + ending)

    def _keep_previous(self, prefix: str) -> None:
        """Gives a complete checkpoint of the same step a second name, and removes the digests of the first name.

        The digests are removed because the files under the first name will be overwritten. If an earlier process was
        killed and left a checkpoint under the second name but no complete one under the first, the second is kept.
        """
        if not os.path.exists(prefix + ".index") and not os.path.exists(prefix + DIGESTS):
            return
        if describe_damage(prefix) is None:
            _remove(self.directory, os.path.basename(prefix) + PREVIOUS + ".*")
            for ending in checkpoint_endings(prefix):
                _link_or_copy(prefix + ending, prefix + PREVIOUS + ending)
            write_digests(prefix + PREVIOUS)
        _remove(self.directory, os.path.basename(prefix) + DIGESTS)
        flush_folder(self.directory)

    def _older_than(self, step: int) -> list[str]:
        """The paths of the checkpoints before a step: first those with digests, then the others, each newest first."""
        older = [path for path in list_checkpoints(self.directory) if checkpoint_step(path) < step]
        return sorted(older, key=lambda path: not os.path.exists(path + DIGESTS))

    def _name_checkpoints(self, prefixes: list[str]) -> None:
        """Writes TensorFlow's file `checkpoint`, for other programs that read the names of the checkpoints there."""
        names = [os.path.basename(prefix) for prefix in prefixes]
        lines = [f'model_checkpoint_path: "{names[-1]}"', *(f'all_model_checkpoint_paths: "{name}"' for name in names)]
        write_text(os.path.join(self.directory, "checkpoint"), "\n".join(lines) + "\n")

    def _remove_others(self, kept: list[str]) -> None:
        """Removes all checkpoints that are not in `kept`: first their digests, then their indexes, then the data."""
        stay = {os.path.basename(prefix) for prefix in kept}
        order = (DIGESTS, ".index", "")
        for ending in order:
            for name in sorted(os.listdir(self.directory)):
                match = _FILE.fullmatch(name)
                if match and match[1] not in stay and name.endswith(ending):
                    _remove_path(os.path.join(self.directory, name))


def save_checkpoint(writer: CheckpointWriter, step: int) -> str:
    """Saves the checkpoint `ckpt-STEP`, and removes the temporary files of earlier saves that failed or were killed.

    The files of the checkpoint are flushed to the disk first. Then its digests are written, which mark it as complete.
    Older checkpoints are removed last.

    Args:
        writer: the writer of the folder that the checkpoint is saved in.
        step: the number of training steps taken.

    Returns:
        The path of the checkpoint.

    Raises:
        InputError: the checkpoint cannot be written, for example because the disk is full or permission is missing. The
            files of the failed save are removed, and earlier checkpoints are kept.
    """
    folder = writer.directory
    _remove(folder, *_TEMPORARY_FILES)
    try:
        return writer.save(step)
    except (tf.errors.OpError, OSError, InputError) as error:
        writer.undo(step)
        why = str(error).rpartition(": ")[2] if isinstance(error, InputError) else reason(error)
        raise InputError(f"{folder} cannot be written: {why}", path=folder) from error
    finally:
        _remove(folder, *_TEMPORARY_FILES)


def _link_or_copy(source: str, target: str) -> None:
    """Makes a hard link to a file, or copies the file if the file system does not support hard links.

    An index is always copied: TensorFlow overwrites the content of an existing index, which a hard link would share.
    Data files may be linked, because TensorFlow writes new ones and renames them.
    """
    if not source.endswith(".index"):
        with contextlib.suppress(OSError):
            os.link(source, target)
            return
    shutil.copyfile(source, target)


def _remove(folder: str, *patterns: str) -> None:
    """Removes the files and folders in `folder` that match a pattern; ignores those that cannot be removed."""
    for pattern in patterns:
        for path in glob.glob(os.path.join(glob.escape(folder), pattern)):
            _remove_path(path)


def _remove_path(path: str) -> None:
    if os.path.isdir(path):
        shutil.rmtree(path, ignore_errors=True)
    else:
        with contextlib.suppress(OSError):  # the error that is being raised says more
            os.remove(path)
