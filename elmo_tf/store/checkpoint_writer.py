"""Saves checkpoints so that at each moment a complete one lies in the folder, whenever the process is killed."""

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
"""The files that are written and then renamed, by TensorFlow and by this module."""

_FILE = re.compile(rf"(ckpt-\d+(?:{PREVIOUS})?)(\.index|\.data-\d{{5}}-of-\d{{5}}|\{DIGESTS})")


class CheckpointWriter:
    """Saves the checkpoints of one folder, `ckpt-STEP`, and keeps the last ones.

    Args:
        checkpoint: the variables that are saved.
        directory: the folder; it is made at the first save.
        max_to_keep: the number of checkpoints that stay. The folder is the run's own: all others are removed.
    """

    def __init__(self, checkpoint: tf.train.Checkpoint, directory: str, max_to_keep: int) -> None:
        self.checkpoint, self.directory, self._max_to_keep = checkpoint, directory, max_to_keep
        self._has_begun = False

    def save(self, step: int) -> str:
        """Saves a checkpoint; returns its path. See `save_checkpoint`.

        A complete checkpoint of the same step stays under another name until the new one is complete. The older
        checkpoints are removed after that. A newer one is removed too: no run goes on from before a checkpoint that is
        not damaged.
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
        """Removes a checkpoint that could not be completed; brings back the one of the same step before it."""
        prefix = os.path.join(self.directory, f"ckpt-{step}")
        if not self._has_begun:
            return
        _remove(self.directory, f"ckpt-{step}.*")
        if os.path.isfile(prefix + PREVIOUS + DIGESTS) and describe_damage(prefix + PREVIOUS) is None:
            for ending in [*checkpoint_endings(prefix + PREVIOUS), DIGESTS]:
                with contextlib.suppress(OSError):  # an error that is being raised says more
                    os.replace(prefix + PREVIOUS + ending, prefix + ending)

    def _keep_previous(self, prefix: str) -> None:
        """Gives a complete checkpoint of the same step a second name; removes the digests, which end to be true.

        Where a kill left such a second name and no complete checkpoint under the first one, the second name stays.
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
        """The paths of the checkpoints before a step, the newest first, behind all others those without digests."""
        older = [path for path in list_checkpoints(self.directory) if checkpoint_step(path) < step]
        return sorted(older, key=lambda path: not os.path.exists(path + DIGESTS))

    def _name_checkpoints(self, prefixes: list[str]) -> None:
        """Writes TensorFlow's file `checkpoint`, for programs that look there."""
        names = [os.path.basename(prefix) for prefix in prefixes]
        lines = [f'model_checkpoint_path: "{names[-1]}"', *(f'all_model_checkpoint_paths: "{name}"' for name in names)]
        write_text(os.path.join(self.directory, "checkpoint"), "\n".join(lines) + "\n")

    def _remove_others(self, kept: list[str]) -> None:
        """Removes the files of all other checkpoints, of each the digests first, then the index."""
        stay = {os.path.basename(prefix) for prefix in kept}
        order = (DIGESTS, ".index", "")
        for ending in order:
            for name in sorted(os.listdir(self.directory)):
                match = _FILE.fullmatch(name)
                if match and match[1] not in stay and name.endswith(ending):
                    _remove_path(os.path.join(self.directory, name))


def save_checkpoint(writer: CheckpointWriter, step: int) -> str:
    """Saves the checkpoint `ckpt-STEP`; removes the temporary files of earlier saves that failed or were killed.

    Its files are on the disk before its digests are written, which make it complete, and older ones are removed last.

    Args:
        writer: the writer of the folder.
        step: the number of training steps taken.

    Returns:
        The path of the checkpoint.

    Raises:
        InputError: the checkpoint cannot be written because the disk is full or permission is missing. The files of the
            failed save are removed; earlier checkpoints stay.
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
    """Gives a file a second name, or copies it where the file system has no second names.

    An index is always copied: TensorFlow renames its new data files but writes the index over the old one.
    """
    if not source.endswith(".index"):
        with contextlib.suppress(OSError):
            os.link(source, target)
            return
    shutil.copyfile(source, target)


def _remove(folder: str, *patterns: str) -> None:
    """Removes the files and folders that match a pattern; ignores those that cannot be removed."""
    for pattern in patterns:
        for path in glob.glob(os.path.join(glob.escape(folder), pattern)):
            _remove_path(path)


def _remove_path(path: str) -> None:
    if os.path.isdir(path):
        shutil.rmtree(path, ignore_errors=True)
    else:
        with contextlib.suppress(OSError):  # an error that is being raised says more
            os.remove(path)
