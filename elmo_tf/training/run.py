"""A training run from beginning to end: the input is checked, the run begins or is resumed, and steps are taken."""

import contextlib
import dataclasses
import os
from collections.abc import Callable, Iterator, Sequence

import keras
import tensorflow as tf

from elmo_tf.data.corpus_cache import CorpusCache
from elmo_tf.errors import InputError
from elmo_tf.store.model_location import check_for_training
from elmo_tf.system.atomic_folders import make_folder_or_undo
from elmo_tf.system.process_lock import process_lock
from elmo_tf.training.all_reduce import note_of_one_replica
from elmo_tf.training.assembly import Trainer, build_trainer, count_parts, make_stream
from elmo_tf.training.batch_size import choose_batch_size, recall_batch_size
from elmo_tf.training.checkpoint import TrainingCheckpoint
from elmo_tf.training.devices import strategy_of
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
from elmo_tf.training.resume import begin_or_resume, keep_parts
from elmo_tf.training.run_description import describe_run
from elmo_tf.training.settings import TrainResult, TrainSettings, run_bounds
from elmo_tf.training.state import RunState
from elmo_tf.training.workers import Workers

Report = Callable[[str], None]

LOCK_FILE = "train.lock"
"""The file in the model's folder that says which process trains there."""


def train(
    settings: TrainSettings, report: Report = print, callbacks: Sequence[keras.callbacks.Callback] = ()
) -> TrainResult:
    """Trains a model, or continues the training of the one in `settings.model_dir`.

    With `settings.strategy` of multi_worker, every worker calls it. The first, the chief, writes into the folder.

    Args:
        settings: the run's settings.
        report: takes a line for people.
        callbacks: Keras callbacks, which are called after the validation and before the logs are written. The numbers
            that they add to the logs of an epoch under a name that begins with "val_" are written for TensorBoard.

    Raises:
        InputError: something about the input is wrong, or another process trains in the same folder; nothing has been
            trained. Or another worker is lost.
    """
    _check_settings(settings)
    check_validation_settings(settings)
    strategy = strategy_of(settings)
    workers = Workers(strategy)
    report = workers.reporter(report)
    note = note_of_one_replica(settings, int(strategy.num_replicas_in_sync))
    if note is not None:
        report(note)
    with (
        workers.end_if_one_is_lost(),
        _own_folder(settings.model_dir, workers, report),
        CorpusCache(settings.corpus_cache or settings.model_dir, report) as cache,
    ):
        result = _train(settings, strategy, workers, report, callbacks, cache)
        workers.wait()  # the last checkpoint is written
    return result


@contextlib.contextmanager
def _own_folder(folder: str, workers: Workers, report: Report) -> Iterator[None]:
    """Keeps every other run out of the model's folder, which is the chief's task."""
    if not workers.is_chief:
        yield
        return
    with make_folder_or_undo(folder), process_lock(os.path.join(folder, LOCK_FILE), folder, report):
        yield


def _train(
    settings: TrainSettings,
    strategy: tf.distribute.Strategy,
    workers: Workers,
    report: Report,
    callbacks: Sequence[keras.callbacks.Callback],
    cache: CorpusCache,
) -> TrainResult:
    """Does what `train` does, in a folder that no other run trains in."""
    check_for_training(settings.model_dir)
    # otherwise TensorFlow lets GPUs compute float32 products with ten bits of precision, as many as half precision has
    tf.config.experimental.enable_tensor_float_32_execution(settings.precision != "float32")
    settings, prepared = _prepare(settings, strategy, workers, report, cache)
    parts = count_parts(settings, strategy)
    bounds = run_bounds(settings, prepared.options.training, prepared.corpus.predictions, parts)
    trainer = build_trainer(settings, prepared.options, strategy, total_steps=bounds[-1])
    checkpoint = TrainingCheckpoint(
        settings.model_dir, trainer.variables, trainer.optimizer, report, workers.is_chief, trainer.average
    )
    state = _begin(settings, prepared, trainer, checkpoint, report)
    if workers.is_chief:
        write_model_folder(settings.model_dir, prepared)
    cache.keep()
    stopped_by = None
    if state.is_finished(bounds[-1], settings.patience):
        report(_why_finished(state, bounds[-1]))
    else:
        stopped_by = _take_steps(settings, prepared, trainer, checkpoint, state, bounds, report, callbacks)
    return TrainResult(
        steps=state.step,
        finished=state.is_finished(bounds[-1], settings.patience),
        loss=state.mean_loss if state.has_new_steps else None,
        best_perplexity=state.best_perplexity,
        stopped_by=stopped_by,
    )


def _prepare(
    settings: TrainSettings, strategy: tf.distribute.Strategy, workers: Workers, report: Report, cache: CorpusCache
) -> tuple[TrainSettings, RunInput]:
    """Finds all mistakes in the input, and what is left to the run to choose; returns the settings and the input."""
    settings = recall_batch_size(settings, report)
    given, settings = settings, keep_parts(settings, int(strategy.num_replicas_in_sync), report)
    parts = count_parts(settings, strategy)
    prepared = check_run_input(
        settings.options, settings.train_files, settings.valid_files, settings.vocab_file, parts, cache
    )
    prepared, notes = choose_batch_size(settings, prepared, strategy, parts)
    for line in notes:
        report(line)
    check_model_folder(settings.model_dir, prepared)
    check_fits_in_memory(prepared.options, strategy, workers.count)
    workers.check_same(_facts(given, prepared), "start all workers with the same command and the same files")
    return settings, prepared


def _begin(
    settings: TrainSettings, prepared: RunInput, trainer: Trainer, checkpoint: TrainingCheckpoint, report: Report
) -> RunState:
    """The state that the run begins or goes on with, which has the LSTM states of this worker's parts."""
    state = begin_or_resume(settings, prepared, trainer, checkpoint, report)
    trainer.workers.check_same(
        {"checkpoint": str(state.step)}, f"{settings.model_dir} must be on a file system that all workers share"
    )
    own = trainer.workers.own_parts(trainer.parts)
    state.lstm_states = state.lstm_states[own.start : own.stop]
    return state


def _facts(settings: TrainSettings, prepared: RunInput) -> dict[str, str]:
    """The facts that all workers must share, by what they are about; without the names of files."""
    held_out = prepared.validation
    files = (
        "train_files",
        "valid_files",
        "vocab_file",
        "model_dir",
        "initialize_from",
        "initialize_vocab_file",
        "corpus_cache",
    )
    flags = {field.name: getattr(settings, field.name) for field in dataclasses.fields(settings)}
    flags["options"] = prepared.options
    return {
        "training text": prepared.corpus.fingerprint(),
        "held-out text": "" if held_out is None else held_out.fingerprint(),
        "vocabulary": "\n".join(prepared.vocabulary.words),
        "flags": repr([item for item in flags.items() if item[0] not in files]),
    }


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
    callbacks: Sequence[keras.callbacks.Callback],
) -> int | None:
    """Describes the run, and takes its steps; returns the number of the signal that stopped it, if one did."""
    position = state.stream_position
    saved = position if isinstance(position, str) else None
    own = trainer.workers.own_parts(trainer.parts)
    stream = PrefetchedStream(make_stream(settings, prepared, trainer.parts, state.step, saved, own))
    for line in prepared.notes:
        report(line)
    about = (prepared, trainer.variables, bounds, trainer.parts, trainer.strategy, stream, settings.precision)
    for line in describe_run(*about):
        report(line)
    if bounds[-1] < settings.max_steps:
        report(
            f"note: {prepared.options.training.n_epochs} epochs end before --max_steps={settings.max_steps}: raise "
            "--n_epochs to reach it"
        )
    loop = TrainingLoop(settings, prepared, trainer, checkpoint, state, bounds, report, callbacks)
    with stop_between_steps(loop.request_stop, report):
        loop.run(stream)
    return loop.stopped_by
