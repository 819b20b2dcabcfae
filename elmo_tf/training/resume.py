"""Begins a run with new weights or those of a trained model, or resumes it from its last checkpoint."""

import dataclasses
from collections.abc import Callable

from elmo_tf.data.corpus import is_same_text
from elmo_tf.errors import InputError
from elmo_tf.training.assembly import Trainer, new_state
from elmo_tf.training.checkpoint import TrainingCheckpoint
from elmo_tf.training.checkpoint_content import read_division
from elmo_tf.training.input_checks import RunInput
from elmo_tf.training.settings import TrainSettings
from elmo_tf.training.state import RunState
from elmo_tf.training.warm_start import warm_start

_MUST_STAY = {"seed": "--seed", "unroll_steps": "--unroll_steps", "corpus": "the text of --train_files"}
"""The fields of `RunState` that must be the same when a run is resumed, and what the user gives for each. The number of
rows must be the same too; it shows in the shapes of the saved LSTM states."""


def keep_parts(settings: TrainSettings, replicas: int, report: Callable[[str], None]) -> TrainSettings:
    """Lets a run continue on another number of replicas with the same steps: the parts of a step stay as many.

    A dropout mask is a function of (seed, step, part), and a part has windows of its own. Which replica computes a part
    has no effect but on the order of sums. A run whose replicas are as many as before is left as it is.

    Args:
        settings: the run's settings.
        replicas: the replicas of all workers.
        report: takes a line for people where the number of replicas has changed.

    Returns:
        The settings, with the `accumulation_steps` that keep the number of parts.

    Raises:
        InputError: the parts cannot be divided among so many replicas.
    """
    saved = read_division(settings.model_dir)
    if saved is None or saved.replicas == replicas or saved.batch_size != settings.options.training.batch_size:
        return settings
    parts = saved.replicas * saved.accumulation_steps
    before = f"a step has {parts} parts of {saved.batch_size} rows, so far {saved.accumulation_steps} on each of "
    if parts % replicas:
        raise InputError(
            f"{settings.model_dir}: {before}{saved.replicas} replicas, which {replicas} replicas cannot share equally: "
            f"take a number of replicas that divides {parts}",
            path=settings.model_dir,
        )
    steps = parts // replicas
    report(f"note: {before}{saved.replicas} replicas, from now on --accumulation_steps={steps} on each of {replicas}")
    return dataclasses.replace(settings, accumulation_steps=steps)


def begin_or_resume(
    settings: TrainSettings,
    prepared: RunInput,
    trainer: Trainer,
    checkpoint: TrainingCheckpoint,
    report: Callable[[str], None],
) -> RunState:
    """Gives the weights the values to start from, and returns the state that goes with them.

    The state has the LSTM states of all parts, those of other workers included.

    Args:
        settings: the run's settings.
        prepared: the run's input.
        trainer: the model and its training step.
        checkpoint: the checkpoints in the model's folder.
        report: takes a line for people.

    Raises:
        InputError: the run cannot be resumed, or the model to initialize from does not fit.
    """
    new = new_state(settings, prepared, trainer)
    resumed = checkpoint.restore(new)
    if resumed is None:
        _initialize(settings, prepared, trainer, report)
        return new
    _check_same(new, resumed, settings.model_dir)
    resumed.corpus = new.corpus  # a run of an earlier release has no hash of its text yet
    _compare_held_out(new, resumed, report)
    _make_up_for_best(resumed, trainer, checkpoint, report)
    if prepared.validation is None:
        resumed.validation_due = None  # there is no text any more to make up for it with
    report(f"resumed from step {resumed.step} of {settings.model_dir}")
    if settings.initialize_from is not None:
        report("note: --initialize_from says where a run begins; this one goes on")
    return resumed


def _compare_held_out(new: RunState, resumed: RunState, report: Callable[[str], None]) -> None:
    """Begins a new search for the best if the held-out text is another one, because perplexities of two texts differ.

    A resume without held-out text keeps what is known of the text before.
    """
    if new.held_out is None or new.held_out == resumed.held_out:
        return
    if resumed.held_out is not None and resumed.best_perplexity is not None:
        report(
            f"note: the text of --valid_files was {resumed.held_out}, is {new.held_out}: the next validation begins a "
            "new search for the best, and its weights replace those of the best so far"
        )
        resumed.best_perplexity, resumed.best_step, resumed.validations_since_best = None, None, 0
    resumed.held_out = new.held_out


def _make_up_for_best(
    resumed: RunState, trainer: Trainer, checkpoint: TrainingCheckpoint, report: Callable[[str], None]
) -> None:
    """Saves the best weights if the run was killed between saving the latest and the best.

    Where the best weights of an earlier step are lost, the next validation begins a new search for the best. The best
    of a later step stays: the run goes on from a checkpoint before it, and will come to that step again.
    """
    if resumed.best_step is None:
        return
    best_step = checkpoint.best_step()
    trainer.workers.wait()  # the chief may write only after all have read
    if best_step is not None and best_step >= resumed.best_step:
        return
    if resumed.best_step == resumed.step:
        checkpoint.save_best(resumed.step)
        return
    report(
        f"note: the best weights, of step {resumed.best_step}, are lost: the next validation begins a new search for "
        "the best"
    )
    resumed.best_perplexity = resumed.best_step = None


def _initialize(settings: TrainSettings, prepared: RunInput, trainer: Trainer, report: Callable[[str], None]) -> None:
    """Copies the weights of a trained model, if the settings name one."""
    if settings.initialize_from is None:
        return
    for line in warm_start(
        trainer.variables,
        prepared.options,
        prepared.vocabulary,
        settings.initialize_from,
        settings.seed,
        settings.initialize_vocab_file,
    ):
        report(line)


def _check_same(new: RunState, resumed: RunState, model_dir: str) -> None:
    for name, what in _MUST_STAY.items():
        before, now = getattr(resumed, name), getattr(new, name)
        same = is_same_text(before, now) if name == "corpus" else before == now
        if not same:
            raise InputError(
                f"{model_dir} was trained otherwise: {what} was {before}, is {now}; give the same, or a new "
                "--model_dir",
                path=model_dir,
            )
