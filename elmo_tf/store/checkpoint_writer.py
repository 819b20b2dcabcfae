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

_LISTED = re.compile(r'^(?:all_)?model_checkpoint_paths?: "(?:.*/)?(ckpt-\d+)"$', re.MULTILINE)
"""A line of TensorFlow's file `checkpoint` that names a checkpoint."""


class CheckpointWriter:
    """Saves checkpoints `ckpt-STEP` in one folder, and keeps only the newest ones of its run.

    The checkpoints of the run are those that the file `checkpoint` names, the one that the run was resumed from, and
    those that this object has saved. Other complete checkpoints, such as copies that the user has put into the folder,
    stay. Other files of checkpoints are the remains of saves that were killed, and are removed.

    Args:
        checkpoint: the variables that are saved.
        directory: the folder; it is made at the first save.
        max_to_keep: the number of checkpoints to keep.
    """

    def __init__(self, checkpoint: tf.train.Checkpoint, directory: str, max_to_keep: int) -> None:
        self.checkpoint, self.directory, self._max_to_keep = checkpoint, directory, max_to_keep
        self._has_begun = False
        self._own: set[str] = set()
        self._copies: set[str] = set()

    def adopt(self, prefix: str) -> None:
        """Counts a checkpoint among those of the run, because the run is resumed from it."""
        self._own.add(os.path.basename(prefix))

    def save(self, step: int, confirmed: int | None = None) -> str:
        """Saves a checkpoint and returns its path. See `save_checkpoint`.

        If a complete checkpoint of the same step exists, it is kept under another name until the new one is complete.
        Then the older checkpoints of the run beyond `max_to_keep` are removed. Newer ones are removed too: a run
        resumes from its newest complete checkpoint, so any checkpoint of the run of a later step is damaged.
        """
        prefix = os.path.join(self.directory, f"ckpt-{step}")
        self._has_begun = False
        os.makedirs(self.directory, exist_ok=True)
        self._keep_previous(prefix)
        self._has_begun = True
        self.checkpoint.save_counter.assign_add(1)
        self.checkpoint.write(prefix)
        write_digests(prefix)
        self._own |= {os.path.basename(prefix), *self._listed()}
        kept = self._older_than(step, confirmed)[: self._max_to_keep - 1]
        replaced = self._find_others([*kept, prefix])
        self._name_checkpoints([*replaced, *reversed(kept), prefix])
        if replaced:  # named until they are removed: a run that is killed in between removes them with its next save
            self._remove(replaced)
            with contextlib.suppress(InputError):  # a full disk: the list that names too many is good enough
                self._name_checkpoints([*reversed(kept), prefix])
        return prefix

    def withdraw(self, confirmed: int) -> list[str]:
        """Removes the run's checkpoints of later steps than `confirmed`, if a complete one of an earlier step is left.

        Returns:
            The paths of the removed checkpoints.
        """
        self._own |= set(self._listed())
        own = [path for path in list_checkpoints(self.directory) if os.path.basename(path) in self._own]
        later = [path for path in own if checkpoint_step(path) > confirmed]
        kept = [path for path in own if path not in later and describe_damage(path) is None]
        if not later or not kept:
            return []
        self._remove([os.path.basename(path) for path in later])
        with contextlib.suppress(InputError):  # a full disk
            self._name_checkpoints(list(reversed(kept)))
        return later

    def undo(self, step: int) -> None:
        """Removes a checkpoint that could not be completed, and restores the previous checkpoint of the same step."""
        prefix = os.path.join(self.directory, f"ckpt-{step}")
        if not self._has_begun:
            return
        self._remove([f"ckpt-{step}"])
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
            self._remove([os.path.basename(prefix) + PREVIOUS])
            for ending in checkpoint_endings(prefix):
                _link_or_copy(prefix + ending, prefix + PREVIOUS + ending)
            write_digests(prefix + PREVIOUS)
        _remove(self.directory, os.path.basename(prefix) + DIGESTS)
        flush_folder(self.directory)

    def _listed(self) -> list[str]:
        """The names of the checkpoints in TensorFlow's file `checkpoint`; none if it is missing or damaged."""
        try:
            with open(os.path.join(self.directory, "checkpoint"), encoding="utf-8", errors="replace") as file:
                return _LISTED.findall(file.read())
        except OSError:
            return []

    def _older_than(self, step: int, confirmed: int | None) -> list[str]:
        """The paths of the run's checkpoints before a step, each group newest first.

        First come those with digests, and among them those that are confirmed to be good.
        """
        older = [path for path in list_checkpoints(self.directory) if checkpoint_step(path) < step]
        own = [path for path in older if os.path.basename(path) in self._own]
        last = step if confirmed is None else confirmed
        return sorted(own, key=lambda path: (not os.path.exists(path + DIGESTS), checkpoint_step(path) > last))

    def _find_others(self, kept: list[str]) -> list[str]:
        """The names of the checkpoints that are neither in `kept` nor copies of the user; some may be damaged."""
        stay = {os.path.basename(prefix) for prefix in kept}
        names = {match[1] for name in os.listdir(self.directory) if (match := _FILE.fullmatch(name))}
        return sorted(name for name in names - stay if name in self._own or not self._is_copy(name))

    def _is_copy(self, name: str) -> bool:
        """Whether a checkpoint that is not of the run is complete. It is read once to find out."""
        path = os.path.join(self.directory, name)
        if name not in self._copies and not name.endswith(PREVIOUS) and describe_damage(path) is None:
            self._copies.add(name)
        return name in self._copies

    def _name_checkpoints(self, prefixes: list[str]) -> None:
        """Writes TensorFlow's file `checkpoint`, for other programs that read the names of the checkpoints there."""
        names = [os.path.basename(prefix) for prefix in prefixes]
        lines = [f'model_checkpoint_path: "{names[-1]}"', *(f'all_model_checkpoint_paths: "{name}"' for name in names)]
        write_text(os.path.join(self.directory, "checkpoint"), "\n".join(lines) + "\n")

    def _remove(self, names: list[str]) -> None:
        """Removes the files of checkpoints: first all digests, then all indexes, then the data."""
        self._own -= set(names)  # what has such a name later is a copy
        for ending in (DIGESTS, ".index", ""):
            for file in sorted(os.listdir(self.directory)):
                match = _FILE.fullmatch(file)
                if match and match[1] in names and file.endswith(ending):
                    _remove_path(os.path.join(self.directory, file))


def save_checkpoint(writer: CheckpointWriter, step: int, confirmed: int | None = None) -> str:
    """Saves the checkpoint `ckpt-STEP`, and removes the temporary files of earlier saves that failed or were killed.

    The files of the checkpoint are flushed to the disk first. Then its digests are written, which mark it as complete.
    Older checkpoints are removed last.

    Args:
        writer: the writer of the folder that the checkpoint is saved in.
        step: the number of training steps taken.
        confirmed: the number of the newest step whose checkpoint is known to be good; None if all are. The newest
            checkpoint of that step or before is not removed.

    Returns:
        The path of the checkpoint.

    Raises:
        InputError: the checkpoint cannot be written, for example because the disk is full or permission is missing. The
            files of the failed save are removed, and earlier checkpoints are kept.
    """
    folder = writer.directory
    _remove(folder, *_TEMPORARY_FILES)
    try:
        return writer.save(step, confirmed)
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
