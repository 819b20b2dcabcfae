"""All that a run needs to go on: weights, Adagrad, step, stream position, LSTM states; the latest, and the best
weights."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from elmo_tf.errors import InputError
from elmo_tf.formats.tensorflow_checkpoint import DAMAGED
from elmo_tf.store.checkpoint_files import has_complete_checkpoint, newest_checkpoint, save_checkpoint
from elmo_tf.store.file_names import BEST, LATEST
from elmo_tf.system.error_text import first_line
from elmo_tf.training.optimizer import SparseAdagrad
from elmo_tf.training.step import States


class _Text(tf.train.experimental.PythonState):
    """A text in a checkpoint."""

    def __init__(self, text: str = "") -> None:
        self.text = text

    def serialize(self) -> str:
        return self.text

    def deserialize(self, string_value: str | bytes) -> None:
        self.text = string_value.decode() if isinstance(string_value, bytes) else string_value


@dataclass(frozen=True)
class Resumed:
    """What a checkpoint held, beside the weights and Adagrad, which have been assigned.

    Args:
        step: steps taken.
        notes: what `TrainingCheckpoint.save` was given: stream position, seed, validations so far.
        states: LSTM states, each replica its rows.
    """

    step: int
    notes: dict[str, Any]
    states: States


class TrainingCheckpoint:
    """Saves and restores a training run in `model_dir/latest`, and the best weights in `model_dir/best`.

    LSTM states are saved as one tensor for all rows each, whatever the number of replicas (a per-replica variable would
    keep the first replica's value alone).

    Args:
        model_dir: the model's folder.
        variables: the weights by name.
        optimizer: Adagrad.
    """

    def __init__(self, model_dir: str, variables: Mapping[str, tf.Variable], optimizer: SparseAdagrad) -> None:
        self._step = tf.Variable(0, dtype=tf.int64, trainable=False)
        self._notes = _Text()
        self._rows: list[tf.Variable] = []
        self._weights, self._optimizer = dict(variables), optimizer
        self._latest_dir = os.path.join(model_dir, LATEST)
        for name in (LATEST, BEST):
            newest_checkpoint(model_dir, name)  # whether they can be read at all
        best = tf.train.Checkpoint(weights=self._weights, step=self._step)
        self._best = tf.train.CheckpointManager(best, os.path.join(model_dir, BEST), max_to_keep=1)
        self._latest: tf.train.CheckpointManager | None = None
        self._last_saved: tuple[int, str, str] | None = None  # step, notes and path

    def _manager(self, states: States) -> tf.train.CheckpointManager:
        """Made at the first use, when the shapes of the states are known."""
        if self._latest is None:
            self._rows = [tf.Variable(tf.zeros_like(rows), trainable=False) for rows in _joined(states)]
            checkpoint = tf.train.Checkpoint(
                weights=self._weights,
                adagrad=self._optimizer.accumulators,
                step=self._step,
                notes=self._notes,
                states=self._rows,
            )
            self._latest = tf.train.CheckpointManager(checkpoint, self._latest_dir, max_to_keep=2)
        return self._latest

    def save(self, step: int, notes: Mapping[str, Any], states: States) -> str:
        """Saves the run after `step` steps; returns the checkpoint's path.

        Where the last save was of the same step, with the same notes, nothing is written.

        Args:
            step: steps taken.
            notes: whatever JSON can hold.
            states: LSTM states after the last step.

        Raises:
            InputError: it cannot be written.
        """
        manager = self._manager(states)
        text = json.dumps(notes, ensure_ascii=False)
        if self._last_saved is not None and self._last_saved[:2] == (step, text):
            return self._last_saved[2]
        self._step.assign(step)
        self._notes.text = text
        for variable, rows in zip(self._rows, _joined(states), strict=True):
            variable.assign(rows)
        path = save_checkpoint(manager, step)
        self._last_saved = step, text, path
        return path

    def save_best(self, step: int) -> str:
        """Saves the weights as the best so far; returns the checkpoint's path, and raises as `save`.

        To be called after `save` of the same step: a best without a latest is no run that could go on.
        """
        self._step.assign(step)
        return save_checkpoint(self._best, step)

    def has_best(self, step: int) -> bool:
        """Whether the best is that of this step; it is not where the run ended between `save` and `save_best`."""
        path = self._best.latest_checkpoint
        return path is not None and os.path.basename(path) == f"ckpt-{step}"

    def restore(self, states: States) -> Resumed | None:
        """Assigns weights and Adagrad from the latest checkpoint; None if there is none.

        Args:
            states: states of the right shapes, such as zeros; they come back from a checkpoint of an imported model,
                which has none.

        Raises:
            InputError: the checkpoint is damaged, or of another model or another number of rows.
        """
        manager = self._manager(states)
        path = manager.latest_checkpoint
        if path is None:
            self._check_empty()
            return None
        status = None
        try:
            imported = not any(key.startswith("states/") for key, _ in tf.train.list_variables(path))
            status = (self._without_states() if imported else manager.checkpoint).restore(path)
            status.assert_consumed()
        except DAMAGED as error:
            if status is not None:
                status.expect_partial()  # or TensorFlow lists what it did not restore
            raise InputError(
                f"{path} does not fit this run: the model's options, or batch_size times replicas times "
                f"accumulation_steps, are not those it "
                f"was saved with, or the file is damaged ({first_line(error)})",
                path=path,
            ) from error
        return Resumed(
            int(self._step), json.loads(self._notes.text), states if imported else _split(self._rows, states)
        )

    def _without_states(self) -> tf.train.Checkpoint:
        """What `write_imported` wrote."""
        return tf.train.Checkpoint(
            weights=self._weights, adagrad=self._optimizer.accumulators, step=self._step, notes=self._notes
        )

    def _check_empty(self) -> None:
        """Raises where there is no latest checkpoint, and weights that a new run would overwrite."""
        for folder in (self._latest_dir, self._best.directory):
            if has_complete_checkpoint(folder):
                raise InputError(
                    f"{folder} holds a checkpoint, but {self._latest_dir} none to go on from: bring that back, or take "
                    "a new --model_dir",
                    path=folder,
                )


def write_imported(model_dir: str, weights: Mapping[str, Any], accumulators: Mapping[str, Any], step: int) -> str:
    """Writes a model that was trained elsewhere as a run's latest checkpoint, so that the run goes on from there.

    There are no LSTM states and no place in a text in it: those who restore it start both afresh.

    Args:
        model_dir: the new model's folder.
        weights: by name.
        accumulators: Adagrad's, by the same names.
        step: steps that the model was trained.

    Returns:
        The checkpoint's path.

    Raises:
        InputError: it cannot be written.
    """
    checkpoint = tf.train.Checkpoint(
        weights={name: tf.Variable(array) for name, array in weights.items()},
        adagrad={name: tf.Variable(array, trainable=False) for name, array in accumulators.items()},
        step=tf.Variable(step, dtype=tf.int64, trainable=False),
        notes=_Text("{}"),
    )
    return save_checkpoint(tf.train.CheckpointManager(checkpoint, os.path.join(model_dir, LATEST), max_to_keep=1), step)


def _joined(states: States) -> list[tf.Tensor]:
    """The states of all parts as float32 tensors over all rows."""
    flat = [tf.nest.flatten(state) for state in states]
    return [tf.cast(tf.concat(parts, 0), tf.float32) for parts in zip(*flat, strict=True)]


def _split(rows: list[tf.Variable], states: States) -> States:
    """The reverse of `_joined`, in the form of `states`."""
    like = tf.nest.flatten(states[0])
    parts = [tf.split(tf.cast(v, one.dtype), len(states)) for v, one in zip(rows, like, strict=True)]
    return tuple(tf.nest.pack_sequence_as(state, [part[k] for part in parts]) for k, state in enumerate(states))
