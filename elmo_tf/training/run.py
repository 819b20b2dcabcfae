"""A training run from beginning to end: the input is checked, the run begins or is resumed, and steps are taken."""

import os
from collections.abc import Callable, Sequence

import tensorflow as tf

from elmo_tf.errors import InputError
from elmo_tf.store.model_location import check_for_training
from elmo_tf.system.atomic_folders import make_folder_or_undo
from elmo_tf.system.process_lock import process_lock
from elmo_tf.training.assembly import Trainer, build_trainer, count_parts, make_stream
from elmo_tf.training.checkpoint import TrainingCheckpoint
from elmo_tf.training.devices import make_strategy
from elmo_tf.training.input_checks import (
    RunInput,
    check_model_folder,
    check_run_input,
    check_validation_settings,
    write_model_folder,
)
from elmo_tf.training.interrupts import stop_between_steps
from elmo_tf.training.loop import TrainingLoop
from elmo_tf.training.memory_estimate import check_fits_in_memory
from elmo_tf.training.prefetch import PrefetchedStream
from elmo_tf.training.resume import begin_or_resume
from elmo_tf.training.run_description import describe_run
from elmo_tf.training.settings import TrainResult, TrainSettings, run_bounds
from elmo_tf.training.state import RunState

Report = Callable[[str], None]

LOCK_FILE = "train.lock"
"""The file in the model's folder that says which process trains there."""


def train(settings: TrainSettings, report: Report = print) -> TrainResult:
    """Trains a model, or continues the training of the one in `settings.model_dir`.

    Args:
        settings: the run's settings.
        report: takes a line for people.

    Raises:
        InputError: something about the input is wrong, or another process trains in the same folder; nothing has been
            trained.
    """
    _check_settings(settings)
    check_validation_settings(settings)
    folder = settings.model_dir
    with make_folder_or_undo(folder), process_lock(os.path.join(folder, LOCK_FILE), folder, report):
        return _train(settings, report)


def _train(settings: TrainSettings, report: Report) -> TrainResult:
    """Does what `train` does, in a folder that no other process trains in."""
    check_for_training(settings.model_dir)
    # otherwise TensorFlow lets GPUs compute float32 products with ten bits of precision, as many as half precision has
    tf.config.experimental.enable_tensor_float_32_execution(settings.precision != "float32")
    strategy = make_strategy(settings.devices, settings.logical_cpus)
    parts = count_parts(settings, strategy)
    prepared = check_run_input(settings.options, settings.train_files, settings.valid_files, settings.vocab_file, parts)
    check_model_folder(settings.model_dir, prepared)
    check_fits_in_memory(prepared.options, strategy)
    bounds = run_bounds(settings, prepared.options.training, prepared.corpus.predictions, parts)
    trainer = build_trainer(settings, prepared.options, strategy, total_steps=bounds[-1])
    checkpoint = TrainingCheckpoint(settings.model_dir, trainer.variables, trainer.optimizer, report, trainer.average)
    state = begin_or_resume(settings, prepared, trainer, checkpoint, report)
    write_model_folder(settings.model_dir, prepared)
    stopped_by = None
    if state.is_finished(bounds[-1], settings.patience):
        report(_why_finished(state, bounds[-1]))
    else:
        stopped_by = _take_steps(settings, prepared, trainer, checkpoint, state, bounds, report)
    return TrainResult(
        steps=state.step,
        finished=state.is_finished(bounds[-1], settings.patience),
        loss=state.mean_loss if state.has_new_steps else None,
        best_perplexity=state.best_perplexity,
        stopped_by=stopped_by,
    )


def _check_settings(settings: TrainSettings) -> None:
    if settings.initialize_vocab_file is not None and settings.initialize_from is None:
        raise InputError(
            f"--initialize_vocab_file={settings.initialize_vocab_file}: expected --initialize_from too, the model that "
            "it is the vocabulary of",
            path=settings.initialize_vocab_file,
            option="initialize_vocab_file",
        )


def _why_finished(state: RunState, last_step: int) -> str:
    if state.step >= last_step:
        return f"already trained for {state.step} steps: raise --n_epochs or --max_steps to go on"
    return f"stopped early before, at step {state.step}: raise --patience to go on"


def _take_steps(
    settings: TrainSettings,
    prepared: RunInput,
    trainer: Trainer,
    checkpoint: TrainingCheckpoint,
    state: RunState,
    bounds: Sequence[int],
    report: Report,
) -> int | None:
    """Describes the run, and takes its steps; returns the number of the signal that stopped it, if one did."""
    position = state.stream_position
    saved = position if isinstance(position, str) else None
    stream = PrefetchedStream(make_stream(settings, prepared, trainer.parts, state.step, saved))
    for line in prepared.notes:
        report(line)
    for line in describe_run(prepared, trainer.variables, bounds, trainer.parts, trainer.strategy, stream):
        report(line)
    if bounds[-1] < settings.max_steps:
        report(
            f"note: {prepared.options.training.n_epochs} epochs end before --max_steps={settings.max_steps}: raise "
            "--n_epochs to reach it"
        )
    loop = TrainingLoop(settings, prepared, trainer, checkpoint, state, bounds, report)
    with stop_between_steps(loop.request_stop, report):
        loop.run(stream)
    return loop.stopped_by
