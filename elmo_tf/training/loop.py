"""The training loop: epochs of steps, the callbacks around them, and the checkpoints in between."""

import bisect
import contextlib
import math
from collections.abc import Callable, Sequence

import keras
import numpy as np
import tensorflow as tf

from elmo_tf.errors import InputError
from elmo_tf.inference.evaluator import LossesNotFiniteError
from elmo_tf.training.assembly import Trainer
from elmo_tf.training.callbacks import make_callbacks
from elmo_tf.training.checkpoint import TrainingCheckpoint
from elmo_tf.training.divergence import DivergenceError, DivergenceGuard
from elmo_tf.training.evaluation import make_evaluation
from elmo_tf.training.input_checks import RunInput
from elmo_tf.training.plateau import ReduceOnPlateau
from elmo_tf.training.prefetch import PrefetchedStream
from elmo_tf.training.run_saver import RunSaver
from elmo_tf.training.settings import TrainSettings
from elmo_tf.training.state import RunState
from elmo_tf.training.steps_in_flight import STEPS_IN_FLIGHT, FinishedStep, StepsInFlight
from elmo_tf.training.stop_agreement import StopAgreement, ValidationAbandonedError


class TrainingLoop:
    """Takes the steps of a run, and calls Keras callbacks as `Model.fit` would.

    Up to `STEPS_IN_FLIGHT` steps are sent before the result of the one before them is read, so that the device need not
    wait for logs and callbacks. Results are read in order, and everything that follows from them is as if one step were
    taken at a time: before a checkpoint, a validation, a histogram or the end of an epoch, all steps that were sent are
    finished. After `request_stop` the steps in flight are finished too, and count. No step is in flight with callbacks
    of the user, which may stop the run or look at the weights after any step, and with several workers, which agree
    after each step.

    Args:
        settings: the run's settings.
        prepared: the run's input.
        trainer: the model and its training step.
        checkpoint: the checkpoints in the model's folder.
        state: the state to continue from, which the loop changes.
        bounds: the number of the first step of every epoch, and at the end that of all steps.
        report: called with each line that the user is to read.
        of_user: callbacks of the user.
    """

    def __init__(
        self,
        settings: TrainSettings,
        prepared: RunInput,
        trainer: Trainer,
        checkpoint: TrainingCheckpoint,
        state: RunState,
        bounds: Sequence[int],
        report: Callable[[str], None],
        of_user: Sequence[keras.callbacks.Callback] = (),
    ) -> None:
        self._of_user = of_user
        self._settings, self._prepared, self._trainer = settings, prepared, trainer
        self._state, self._bounds, self._report = state, bounds, report
        self._loss_name = "sampled_loss" if prepared.options.training.sample_softmax else "loss"
        self._guard = DivergenceGuard(state, len(prepared.vocabulary), report, trainer.variables.values())
        self._model, self._workers = trainer.model, trainer.workers
        self._stops = StopAgreement(self._model, self._workers, bool(of_user))
        self._flight = self._make_flight()
        self._saver = RunSaver(checkpoint, state, self._guard, self._flight, self._workers)
        self._input_error: InputError | None = None

    def _make_flight(self) -> StepsInFlight:
        average = self._trainer.average
        return StepsInFlight(
            self._trainer.take_step,
            self._state.lstm_states,
            self._state.loss_scale,
            (lambda steps: None) if average is None else average.update,
            most=0 if self._of_user or self._workers.count > 1 else STEPS_IN_FLIGHT,
        )

    def request_stop(self, number: int) -> None:
        """Ends the loop after the steps that are under way; `stopped_by` is then the signal's number.

        Several workers end after the same step, the first after which they have told each other.
        """
        self._stops.request(number)

    @property
    def stopped_by(self) -> int | None:
        """The number of the signal that stopped the run, if one did."""
        return self._stops.stopped_by

    def run(self, stream: PrefetchedStream) -> None:
        """Takes all steps, unless the run is out of patience or `request_stop` is called before.

        Raises:
            DivergenceError: the run has diverged. The checkpoints that may be diverged too are removed, if a good one
                is left.
            LossesNotFiniteError: a validation shows that the run has diverged; the same is done.
        """
        try:
            with self._flight:
                self._run(stream)
        except (DivergenceError, LossesNotFiniteError):
            self._saver.withdraw()
            raise

    def _run(self, stream: PrefetchedStream) -> None:
        callbacks = keras.callbacks.CallbackList(self._callbacks(), model=self._model)
        self._begin(callbacks)
        epoch = bisect.bisect_right(self._bounds, self._state.step) - 1
        while epoch + 1 < len(self._bounds) and not self._stops.is_to_stop():
            self._run_epoch(epoch, stream, callbacks)
            epoch += 1
        callbacks.on_train_end()

    def _make_evaluation(self) -> Callable[[], dict[str, float | int]] | None:
        rows, after_window = self._settings.validation_batch_size, self._stops.abandon_if_stopped
        evaluate = make_evaluation(self._prepared, self._trainer, rows, after_window)
        return None if evaluate is None else self._saver.save_if_a_text_is_gone()(evaluate)

    def _callbacks(self) -> list[keras.callbacks.Callback]:
        training = self._prepared.options.training
        made = make_callbacks(
            self._settings,
            self._state,
            self._bounds,
            self._loss_name,
            self._trainer.parts * training.batch_size * training.unroll_steps,
            self._make_evaluation(),
            self._saver.save_best,
            self._report,
            self._of_user,
            self._workers.is_chief,
            self._trainer.variables,
        )
        if training.plateau_patience:
            patience, factor = training.plateau_patience, training.plateau_factor
            made.append(ReduceOnPlateau(self._state, self._trainer.optimizer, patience, factor, self._report))
        return made

    def _begin(self, callbacks: keras.callbacks.CallbackList) -> None:
        """Validates before the first step if asked to, or makes up for a validation that was interrupted."""
        was_due = self._state.validation_due is not None
        if self._trainer.average is not None and not self._state.is_resumed:
            self._trainer.average.reset()  # to the weights of --initialize_from, if it was given
        with contextlib.suppress(ValidationAbandonedError):
            callbacks.on_train_begin({})
            if was_due:
                self._saver.save()

    def _run_epoch(self, epoch: int, stream: PrefetchedStream, callbacks: keras.callbacks.CallbackList) -> None:
        """Takes the steps of an epoch that are not taken yet."""
        end = self._bounds[epoch + 1]
        callbacks.on_epoch_begin(epoch)
        while self._state.step < end and (len(self._flight) or not self._stops.is_to_stop()):
            callbacks.on_train_batch_begin(self._state.step)
            self._send_steps(end, stream)
            self._finish_step(self._flight.next(), callbacks)
        if self._state.step == end:
            with contextlib.suppress(ValidationAbandonedError):
                callbacks.on_epoch_end(epoch, {self._loss_name: self._state.mean_loss})
        if self._state.has_new_steps:  # false if the run was stopped before its first step
            self._saver.save()

    def _send_steps(self, end: int, stream: PrefetchedStream) -> None:
        """Sends at least one step if none is in flight, and more while it is certain that they will be taken."""
        while not len(self._flight) or self._may_send_more(end):
            step = self._state.step + len(self._flight)
            try:
                with self._saver.save_if_a_text_is_gone():
                    if self._input_error is not None:
                        raise self._input_error
                    tensors, position = next(stream)
            except InputError as error:
                if not len(self._flight):
                    raise
                self._input_error = error  # raised when the steps in flight are finished
                return
            self._flight.send(step, tensors, position)

    def _may_send_more(self, end: int) -> bool:
        """Whether a step may be sent behind those in flight: nothing but the callbacks' logs comes between them."""
        sent = self._state.step + len(self._flight)
        at = [self._settings.checkpoint_steps, self._settings.validation_steps, self._settings.histogram_steps]
        is_waited_for = sent == end or any(every and sent % every == 0 for every in at)
        may_go_on = self._input_error is None and not self._model.stop_training
        return self._flight.has_room and may_go_on and not is_waited_for

    def _finish_step(self, finished: FinishedStep, callbacks: keras.callbacks.CallbackList) -> None:
        """Reads the results of a step, and does everything that follows from them."""
        state, result = self._state, finished.result
        state.step, state.stream_position = state.step + 1, finished.position
        losses = self._stops.exchange(np.ravel(result.losses))
        logs = {self._loss_name: float(tf.reduce_mean(losses)), "gradient_norm": float(result.norm)}
        if self._is_skipped(logs["gradient_norm"]):
            self._guard.count_skip(logs["gradient_norm"])
            logs[self._loss_name] = state.mean_loss if state.mean_loss is not None else logs[self._loss_name]
        else:
            self._guard.count_step(logs[self._loss_name])
        state.lstm_states, state.loss_scale = result.states, result.loss_scale
        with contextlib.suppress(ValidationAbandonedError):
            callbacks.on_train_batch_end(state.step - 1, logs)
        if state.step % self._settings.checkpoint_steps == 0 and state.step not in self._bounds:
            self._saver.save()

    def _is_skipped(self, norm: float) -> bool:
        """Whether the gradient of a step overflows, so that the weights stay as they are.

        A step that overflows in float16 counts as taken, with a smaller loss scale after it.

        Raises:
            InputError: it overflows in float16, and no smaller loss scale can help.
        """
        if math.isfinite(norm) or float(self._state.loss_scale.factor) > 1.0:
            return False
        if self._settings.precision == "float16":
            raise InputError(f"the gradient of step {self._state.step} overflows float16: take --precision=bfloat16")
        return True
