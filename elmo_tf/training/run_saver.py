"""Saves a run, unless it has diverged: every so many steps, as the best so far, and when a text is gone."""

import contextlib
import dataclasses
from collections.abc import Iterator, Sized

from elmo_tf.errors import InputError
from elmo_tf.inference.evaluator import LossesNotFiniteError
from elmo_tf.training.checkpoint import TrainingCheckpoint
from elmo_tf.training.divergence import DivergenceGuard
from elmo_tf.training.state import RunState
from elmo_tf.training.workers import Workers


class RunSaver:
    """Saves the state of a run as a checkpoint.

    Args:
        checkpoint: the checkpoints in the model's folder.
        state: the run's state, with the LSTM states of this worker's parts.
        guard: knows whether the run has diverged.
        flight: the steps that were sent and are not finished.
        workers: the processes that take the steps together. All of them must call each method, in the same order.
    """

    def __init__(
        self,
        checkpoint: TrainingCheckpoint,
        state: RunState,
        guard: DivergenceGuard,
        flight: Sized,
        workers: Workers,
    ) -> None:
        self._checkpoint, self._state, self._guard = checkpoint, state, guard
        self._flight, self._workers = flight, workers

    def save(self) -> bool:
        """Saves the run, unless it has diverged; returns whether it is saved."""
        if not self._guard.may_save():
            return False
        states = self._workers.gather_states(self._state.lstm_states)
        state = dataclasses.replace(self._state, lstm_states=states)
        self._checkpoint.save(state, self._guard.confirmed)
        return True

    def save_best(self, step: int) -> None:
        """Saves the latest checkpoint first, because a run cannot be continued from its best weights alone."""
        if self.save():
            self._checkpoint.save_best(step)

    def withdraw(self) -> None:
        """Removes the checkpoints of a diverged run, if a good one is left."""
        self._checkpoint.withdraw(self._guard.confirmed)

    @contextlib.contextmanager
    def save_if_a_text_is_gone(self) -> Iterator[None]:
        """Saves the run if a text cannot be read any more, before the error ends it.

        The steps that were taken are correct. Once the text is back, the same command resumes the run after them, and
        first makes up for a validation that was interrupted.
        """
        try:
            yield
        except LossesNotFiniteError as error:
            raise LossesNotFiniteError(
                f"{error}; take a smaller --learning_rate or --all_clip_norm_val and go on from the last checkpoint"
            ) from error
        except InputError:
            # without a new step nothing has changed since the last checkpoint; and other workers do not take part
            if self._state.has_new_steps and self._workers.count == 1 and not len(self._flight):
                self.save()
            raise
