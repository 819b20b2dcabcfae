"""The training run: one loop around the step, on any number of replicas, that Keras callbacks ride on."""

import bisect
import contextlib
import math
import os
from collections.abc import Callable, Iterator
from typing import Any

import keras
import tensorflow as tf

from elmo_tf.data.training_stream import Position, StreamSettings, TrainingStream
from elmo_tf.errors import InputError
from elmo_tf.inference.evaluator import Evaluator, LossesNotFiniteError
from elmo_tf.models.language_model import LanguageModel
from elmo_tf.models.weight_names import named_variables
from elmo_tf.options import Options
from elmo_tf.store.model_location import check_for_training
from elmo_tf.training import callbacks, logs
from elmo_tf.training.checkpoint import TrainingCheckpoint
from elmo_tf.training.devices import make_strategy
from elmo_tf.training.input_checks import RunInput, check_model_folder, check_run_input, write_model_folder
from elmo_tf.training.interrupts import stop_between_steps
from elmo_tf.training.memory_estimate import describe_run
from elmo_tf.training.optimizer import LossScale, SparseAdagrad
from elmo_tf.training.prefetch import PrefetchedStream
from elmo_tf.training.settings import TrainResult, TrainSettings, epoch_bounds
from elmo_tf.training.step import States, TrainStep
from elmo_tf.training.warm_start import warm_start

Report = Callable[[str], None]

LOG_FILE, TENSORBOARD_FOLDER = "log.csv", "tensorboard"

_COLUMNS = (
    "gradient_norm",
    "words_per_second",
    "val_perplexity_forward",
    "val_perplexity_backward",
    "val_perplexity",
)
"""Of the CSV file, behind the loss."""

_MUST_STAY = {"seed": "--seed", "unroll_steps": "--unroll_steps", "corpus": "the text of --train_files"}
"""What a run that goes on must have been given again, beside the rows, which the saved states tell."""


class _ValidationAbandonedError(Exception):
    """Raised inside a validation when the run was asked to stop; the run that goes on makes up for it."""


def train(settings: TrainSettings, report: Report = print) -> TrainResult:
    """Trains, or goes on training, as `settings` say.

    Args:
        settings: the run.
        report: takes lines for people.

    Raises:
        InputError: something about the input is wrong; nothing has been trained.
    """
    if settings.initialize_vocab_file is not None and settings.initialize_from is None:
        raise InputError(
            f"--initialize_vocab_file={settings.initialize_vocab_file}: expected --initialize_from too, the model that "
            "it is the vocabulary of",
            path=settings.initialize_vocab_file,
            option="initialize_vocab_file",
        )
    check_for_training(settings.model_dir)
    # TensorFlow would let GPUs compute float32 products with ten bits; half precision has no more anyway
    tf.config.experimental.enable_tensor_float_32_execution(settings.precision != "float32")
    strategy = make_strategy(settings.devices, settings.logical_cpus)
    parts = strategy.num_replicas_in_sync * settings.accumulation_steps
    prepared = check_run_input(settings.options, settings.train_files, settings.valid_files, settings.vocab_file, parts)
    check_model_folder(settings.model_dir, prepared)
    return _Run(settings, prepared, strategy, report).train()


class _Run:
    """A run's parts, put together, and the loop."""

    def __init__(
        self, settings: TrainSettings, prepared: RunInput, strategy: tf.distribute.Strategy, report: Report
    ) -> None:
        self._settings, self._prepared, self._strategy, self._report = settings, prepared, strategy, report
        self._training = prepared.options.training
        self._parts = strategy.num_replicas_in_sync * settings.accumulation_steps
        self._model, self._optimizer, self._step_function = _built(settings, prepared.options, strategy)
        self._variables = self._optimizer.variables_by_name
        self._checkpoint = TrainingCheckpoint(settings.model_dir, self._variables, self._optimizer)
        self._notes: dict[str, Any] = {
            "seed": settings.seed,
            "unroll_steps": self._training.unroll_steps,
            "corpus": prepared.corpus.fingerprint(),
        }
        self._step = 0
        self._goes_on = False
        self._signal: int | None = None
        self._position: Position | None = None
        self._states: States = self._step_function.zero_states(self._training.batch_size)
        self._loss_scale = LossScale.first(self._model.compute_dtype)
        self._loss_name = "sampled_loss" if self._training.sample_softmax else "loss"
        tokens = self._parts * self._training.batch_size * self._training.unroll_steps
        self._bounds = epoch_bounds(prepared.corpus.predictions, tokens, self._training.n_epochs, settings.max_steps)
        self._meter = callbacks.Meter(self._loss_name, tokens)

    def train(self) -> TrainResult:
        self._resume()
        write_model_folder(self._settings.model_dir, self._prepared)
        if not self._is_finished():
            stream = PrefetchedStream(self._stream())
            for line in describe_run(
                self._prepared, self._variables, self._bounds, self._parts, self._strategy, stream
            ):
                self._report(line)
            if self._bounds[-1] < self._settings.max_steps:
                self._report(
                    f"note: {self._training.n_epochs} epochs end before --max_steps={self._settings.max_steps}: raise "
                    "--n_epochs to reach it"
                )
            self._model.stop_training = False
            with stop_between_steps(self._request_stop, self._report):
                self._loop(stream)
        elif self._step >= self._bounds[-1]:
            self._report(f"already trained for {self._step} steps: raise --n_epochs or --max_steps to go on")
        else:
            self._report(f"stopped early before, at step {self._step}: raise --patience to go on")
        return TrainResult(
            steps=self._step,
            finished=self._is_finished(),
            loss=self._meter.mean if self._position is not None else None,
            best_perplexity=self._notes.get("best_perplexity"),
            stopped_by=self._signal,
        )

    def _is_finished(self) -> bool:
        if callbacks.VALIDATION_DUE in self._notes:
            return False
        return self._step >= self._bounds[-1] or self._out_of_patience()

    def _out_of_patience(self) -> bool:
        return 0 < self._settings.patience <= self._notes.get("since_best", 0)

    def _request_stop(self, number: int) -> None:
        self._signal = number
        self._model.stop_training = True

    def _abandon_if_stopped(self, _: int) -> None:
        """Ends a validation under way, which on a large text may take longer than a scheduler waits."""
        if self._signal is not None:
            raise _ValidationAbandonedError

    def _resume(self) -> None:
        resumed = self._checkpoint.restore(self._states)
        if resumed is None:
            if self._settings.initialize_from is not None:
                for line in self._initialize(self._settings.initialize_from):
                    self._report(line)
            return
        self._check_same(resumed.notes)
        self._goes_on = True
        self._step, self._notes, self._states = resumed.step, {**self._notes, **resumed.notes}, resumed.states
        self._meter.mean = self._notes.get("mean_loss")  # in the logs a break does not show
        if self._notes.get("best_step") == self._step and not self._checkpoint.has_best(self._step):
            self._checkpoint.save_best(self._step)  # the run was killed between the two
        if self._prepared.validation is None:  # a validation that is due has no text any more
            self._notes.pop(callbacks.VALIDATION_DUE, None)
        if "loss_scale" in resumed.notes and self._settings.precision == "float16":
            self._loss_scale = LossScale.of(*resumed.notes["loss_scale"])
        self._report(f"resumed from step {self._step} of {self._settings.model_dir}")
        if self._settings.initialize_from is not None:
            self._report("note: --initialize_from says where a run begins; this one goes on")

    def _check_same(self, before: dict[str, Any]) -> None:
        for name, what in _MUST_STAY.items():
            if before.get(name, self._notes[name]) != self._notes[name]:  # an imported model has none
                raise InputError(
                    f"{self._settings.model_dir} was trained otherwise: {what} was {before[name]}, "
                    f"is {self._notes[name]}; give the same, or a new --model_dir",
                    path=self._settings.model_dir,
                )

    def _initialize(self, path: str) -> tuple[str, ...]:
        prepared, vocab_file = self._prepared, self._settings.initialize_vocab_file
        return warm_start(self._variables, prepared.options, prepared.vocabulary, path, self._settings.seed, vocab_file)

    def _stream(self) -> TrainingStream:
        stream_settings = StreamSettings(
            rows=self._parts * self._training.batch_size,
            parts=self._parts,
            seed=self._settings.seed,
            negatives=self._training.n_negative_samples_batch if self._training.sample_softmax else 0,
            buckets=self._settings.jit_compile,
        )
        prepared = self._prepared
        return TrainingStream(
            prepared.corpus,
            prepared.vocabulary,
            prepared.options,
            stream_settings,
            step=self._step,
            position=self._notes.get("position"),
        )

    def _callbacks(self) -> keras.callbacks.CallbackList:
        settings, folder = self._settings, self._settings.model_dir
        progress = logs.Progress(self._bounds, self._loss_name, self._report)
        epoch = bisect.bisect_left(self._bounds, self._step)
        riding: list[keras.callbacks.Callback] = [
            self._meter,
            progress,
            *self._validation(progress.report),
            logs.CsvLog(
                os.path.join(folder, LOG_FILE),
                settings.log_steps,
                [self._loss_name, *_COLUMNS],
                self._step if self._goes_on else None,
                epoch,
            ),
            logs.TensorBoardLog(os.path.join(folder, TENSORBOARD_FOLDER), settings.log_steps, self._step),
            callbacks.BestAndPatience(self._save_best, settings.patience, self._notes, progress.report, self._step),
        ]
        return keras.callbacks.CallbackList(riding, model=self._model)

    def _validation(self, report: Report) -> Iterator[callbacks.Validation]:
        """One, where there is a text for it."""
        settings, prepared = self._settings, self._prepared
        if prepared.validation is None:
            return
        evaluator = Evaluator(self._model, prepared.validation, prepared.vocabulary, settings.validation_rows)

        def evaluate() -> dict[str, float | int]:
            with self._saving_where_a_text_is_gone():
                return evaluator(self._abandon_if_stopped).to_dict()

        yield callbacks.Validation(
            evaluate,
            settings.validation_steps,
            settings.validate_first and self._step == 0 and "best_step" not in self._notes,
            report,
            self._notes,
            self._step,
        )

    def _loop(self, stream: PrefetchedStream) -> None:
        riding = self._callbacks()
        was_due = callbacks.VALIDATION_DUE in self._notes
        with contextlib.suppress(_ValidationAbandonedError):
            riding.on_train_begin({})
            if was_due:
                self._save()
        epoch = bisect.bisect_right(self._bounds, self._step) - 1
        while epoch + 1 < len(self._bounds) and not self._model.stop_training:
            riding.on_epoch_begin(epoch)
            while self._step < self._bounds[epoch + 1] and not self._model.stop_training:
                self._take_step(stream, riding)
            if self._step == self._bounds[epoch + 1]:
                with contextlib.suppress(_ValidationAbandonedError):
                    riding.on_epoch_end(epoch, {self._loss_name: self._meter.mean})
            epoch += 1
            if self._position is not None:  # not stopped before the first step
                self._save()
        riding.on_train_end()

    def _take_step(self, stream: PrefetchedStream, riding: keras.callbacks.CallbackList) -> None:
        riding.on_train_batch_begin(self._step)
        with self._saving_where_a_text_is_gone():
            tensors, position = next(stream)
        result = self._step_function(self._step, tensors, self._states, self._loss_scale)
        self._step, self._states, self._loss_scale = self._step + 1, result.states, result.loss_scale
        self._position = position
        logs = {self._loss_name: float(tf.reduce_mean(result.losses)), "gradient_norm": float(result.norm)}
        self._check_gradient(logs["gradient_norm"])
        with contextlib.suppress(_ValidationAbandonedError):
            riding.on_train_batch_end(self._step - 1, logs)
        if self._step % self._settings.checkpoint_steps == 0 and self._step not in self._bounds:
            self._save()

    def _check_gradient(self, norm: float) -> None:
        """Ends the run where gradients overflow; under float16 only where a smaller scale cannot help any more."""
        if math.isfinite(norm) or float(self._loss_scale.factor) > 1.0:
            return
        if self._settings.precision == "float16":
            raise InputError(
                f"the gradient of step {self._step} overflows float16: take --precision=bfloat16", option="precision"
            )
        raise callbacks.divergence_error("gradient", self._step, norm)

    @contextlib.contextmanager
    def _saving_where_a_text_is_gone(self) -> Iterator[None]:
        """A text that cannot be read any more ends the run, but the steps taken are good: the same command goes on
        after them, with the validation that is due, once the text is back."""
        try:
            yield
        except LossesNotFiniteError:
            raise
        except InputError:
            if self._position is not None:  # else this run has added nothing to what it began with
                self._save()
            raise

    def _save(self) -> None:
        if self._position is not None:
            self._notes["position"] = self._position.to_json()
        self._notes["mean_loss"] = self._meter.mean
        if self._settings.precision == "float16":
            self._notes["loss_scale"] = self._loss_scale.to_list()
        self._checkpoint.save(self._step, self._notes, self._states)

    def _save_best(self, step: int) -> None:
        """The latest first, for the weights of a best alone are no run that could go on."""
        self._save()
        self._checkpoint.save_best(step)


def _built(
    settings: TrainSettings, options: Options, strategy: tf.distribute.Strategy
) -> tuple[LanguageModel, SparseAdagrad, TrainStep]:
    keras.utils.set_random_seed(settings.seed)
    with strategy.scope():
        model = LanguageModel(options, name="language_model", dtype=settings.policy)
        model.build()
        optimizer = SparseAdagrad(named_variables(model), options.training.learning_rate)
    step = TrainStep(
        model,
        optimizer,
        strategy,
        settings.seed,
        settings.fresh_states,
        settings.accumulation_steps,
        settings.jit_compile,
    )
    return model, optimizer, step
