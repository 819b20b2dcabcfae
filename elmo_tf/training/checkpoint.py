"""The checkpoints of a training run: `latest` holds all that a run needs to continue, `best` the best weights."""

import os
from collections.abc import Callable, Mapping, Sequence

import tensorflow as tf

from elmo_tf.errors import InputError
from elmo_tf.formats.tensorflow_checkpoint import DAMAGED
from elmo_tf.store.checkpoint_files import checkpoint_step, has_checkpoint, newest_checkpoint
from elmo_tf.store.checkpoint_writer import CheckpointWriter, save_checkpoint
from elmo_tf.store.file_names import BEST, LATEST
from elmo_tf.system.error_text import first_line
from elmo_tf.training.averaging import WeightAverage
from elmo_tf.training.checkpoint_content import SavedText, has_part, join_rows, split_rows
from elmo_tf.training.optimizer import Optimizer
from elmo_tf.training.state import LstmStates, RunState


class TrainingCheckpoint:
    """Saves and restores a training run in `model_dir/latest`, and the best weights in `model_dir/best`.

    Each LSTM state is saved as one tensor with the rows of all parts, whatever the number of replicas: of a variable
    with one value a replica, TensorFlow would save the first replica's value alone.

    Args:
        model_dir: the model's folder.
        variables: the weights by name.
        optimizer: the optimizer, whose accumulators or moments are saved too.
        report: takes a line for people on each checkpoint that is damaged and skipped.
        writes: whether this process writes the checkpoints. Of several workers only the chief does.
        average: the moving average of the weights, which `latest` holds too, and `best` in place of the weights.
    """

    def __init__(
        self,
        model_dir: str,
        variables: Mapping[str, tf.Variable],
        optimizer: Optimizer,
        report: Callable[[str], None] = print,
        writes: bool = True,
        average: WeightAverage | None = None,
    ) -> None:
        self._writes = writes
        self._step = tf.Variable(0, dtype=tf.int64, trainable=False)
        self._text = SavedText()
        self._rows: list[tf.Variable] = []
        self._weights, self._optimizer = dict(variables), optimizer
        self._model_dir, self._report, self._average = model_dir, report, average
        of_best = self._weights if average is None else average.averages
        best = tf.train.Checkpoint(weights=of_best, step=self._step)
        self._best = CheckpointWriter(best, os.path.join(model_dir, BEST), max_to_keep=1)
        self._latest: CheckpointWriter | None = None
        self._last_saved: tuple[int, str, str] | None = None  # step, text and path

    def _writer(self, states: LstmStates) -> CheckpointWriter:
        """The writer of `latest`, made at the first use, when the shapes of the LSTM states are known."""
        if self._latest is None:
            self._rows = [tf.Variable(tf.zeros_like(rows), trainable=False) for rows in join_rows(states)]
            checkpoint = self._checkpoint(with_states=True, with_average=True)
            self._latest = CheckpointWriter(checkpoint, os.path.join(self._model_dir, LATEST), max_to_keep=2)
        return self._latest

    def save(self, state: RunState, confirmed: int | None = None) -> str:
        """Saves the run; returns the checkpoint's path, or an empty text where another process writes it.

        Nothing is written where the last save was of the same step and the state has not changed since.

        Args:
            state: the run's state, with the LSTM states of all parts.
            confirmed: the number of the newest step whose checkpoint is known to be good; None if all are. The newest
                checkpoint of that step or before is kept.

        Raises:
            InputError: the checkpoint cannot be written.
        """
        if not self._writes:
            return ""
        writer = self._writer(state.lstm_states)
        text = state.to_json()
        if self._last_saved is not None and self._last_saved[:2] == (state.step, text):
            return self._last_saved[2]
        self._step.assign(state.step)
        self._text.text = text
        for variable, rows in zip(self._rows, join_rows(state.lstm_states), strict=True):
            variable.assign(rows)
        path = save_checkpoint(writer, state.step, confirmed)
        self._last_saved = state.step, text, path
        return path

    def withdraw(self, confirmed: int) -> None:
        """Removes the checkpoints after the step `confirmed` of a diverged run, if a complete one of before is left."""
        if self._writes and self._latest is not None:
            for path in self._latest.withdraw(confirmed):
                self._report(f"note: {path} is removed, because the run had diverged by then")
            self._last_saved = None

    def save_best(self, step: int) -> str:
        """Saves the weights as the best so far; returns the checkpoint's path. It raises the same errors as `save`.

        Call it after `save` of the same step, because a run cannot be continued from its best weights alone.
        """
        if not self._writes:
            return ""
        self._step.assign(step)
        return save_checkpoint(self._best, step)

    def best_step(self) -> int | None:
        """The step of the newest complete checkpoint in `best`; None if there is none, after a line on the reason."""
        try:
            path = newest_checkpoint(self._model_dir, BEST, self._report)
        except InputError as error:
            self._report(str(error))
            return None
        return None if path is None else checkpoint_step(path)

    def restore(self, new: RunState) -> RunState | None:
        """Assigns weights and accumulators from the newest complete checkpoint in `latest`.

        Args:
            new: the state that a new run would begin with. Its LSTM states have the shapes that the checkpoint's must
                have, and stand in for those of an imported model, which has none.

        Returns:
            The state that the checkpoint holds; None if there is no checkpoint.

        Raises:
            InputError: all checkpoints are damaged, or the newest complete one is of another model or another number of
                rows.
        """
        writer = self._writer(new.lstm_states)
        path = newest_checkpoint(self._model_dir, LATEST, self._report)
        if path is None:
            self._check_empty()
            return None
        writer.adopt(path)
        keys = self._assign(writer, path)
        if self._average is not None and not has_part(keys, "average"):
            self._average.reset()
        states = split_rows(self._rows, new.lstm_states) if has_part(keys, "states") else new.lstm_states
        try:
            return RunState.from_json(self._text.text, new, int(self._step), states)
        except (ValueError, TypeError, AttributeError) as error:  # such as a number of thousands of digits
            raise InputError(
                f"{path} is damaged: the notes on the run in it cannot be read: {first_line(error)}", path=path
            ) from error

    def _assign(self, writer: CheckpointWriter, path: str) -> list[str]:
        """Assigns all that a checkpoint holds; returns its keys."""
        status = None
        try:
            keys = [key for key, _ in tf.train.list_variables(path)]
            imported, averaged = not has_part(keys, "states"), has_part(keys, "average")
            fits = self._has_optimizer(path, keys, imported)
            is_complete = not imported and (averaged or self._average is None)
            target = writer.checkpoint if is_complete else self._checkpoint(not imported, averaged, fits)
            _ = target.save_counter  # made now, or TensorFlow warns of it when a checkpoint that does not fit is freed
            status = target.restore(path)
            if fits:
                status.assert_consumed()
            else:
                status.expect_partial().assert_existing_objects_matched()
        except DAMAGED as error:
            if status is not None:
                status.expect_partial()  # keeps TensorFlow from listing what it did not restore
            raise InputError(
                f"{path} does not fit this run: the model's options, or batch_size times replicas times "
                f"accumulation_steps, are not those it "
                f"was saved with, or the file is damaged ({first_line(error)})",
                path=path,
            ) from error
        return keys

    def _has_optimizer(self, path: str, keys: Sequence[str], imported: bool) -> bool:
        """Whether the checkpoint, which has these keys, was saved with the run's optimizer.

        Raises:
            InputError: it was saved by a run with another one. An imported model may have Adagrad's accumulators, which
                every one is written with, and be trained by Adam from then on.
        """
        (ours,) = self._optimizer.slots()
        theirs = sorted({key.split("/", 1)[0] for key in keys} & {"adagrad", "adam"})
        if imported and theirs and theirs != [ours]:
            self._report(f"note: {path} has nothing of {ours}, which starts anew")
            return False
        if theirs and theirs != [ours]:
            raise InputError(
                f"{path} was trained with {theirs[0]}, and this run asks for {ours}: give --optimizer={theirs[0]}, or "
                "begin a new run from its weights with --initialize_from",
                path=path,
                option="optimizer",
            )
        return True

    def _checkpoint(self, with_states: bool, with_average: bool, with_optimizer: bool = True) -> tf.train.Checkpoint:
        """A checkpoint of `latest`: without LSTM states as `write_imported` writes it, or without an average."""
        slots = self._optimizer.slots() if with_optimizer else {}
        parts = {"weights": self._weights, **slots, "step": self._step, "notes": self._text}
        if with_states:
            parts["states"] = self._rows
        if with_average and self._average is not None:
            parts["average"] = self._average.averages
        return tf.train.Checkpoint(**parts)

    def _check_empty(self) -> None:
        """Raises an error if `best` holds weights, which a new run would overwrite."""
        if has_checkpoint(self._model_dir, BEST):
            folder, latest = self._best.directory, os.path.join(self._model_dir, LATEST)
            raise InputError(
                f"{folder} holds a checkpoint, but {latest} none to go on from: bring that back, or take a new "
                "--model_dir",
                path=folder,
            )
