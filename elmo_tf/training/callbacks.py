"""The callbacks of a run, in the order in which each call reaches them."""

import bisect
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf

from elmo_tf.training import logs
from elmo_tf.training.best_checkpoint import BestCheckpoint
from elmo_tf.training.meter import Meter
from elmo_tf.training.run_log import LOG_FILE
from elmo_tf.training.settings import TrainSettings
from elmo_tf.training.state import RunState
from elmo_tf.training.tensorboard_log import TensorBoardLog
from elmo_tf.training.user_callbacks import UserCallbacks
from elmo_tf.training.validation import Validation

TENSORBOARD_FOLDER = "tensorboard"

_COLUMNS = (
    "gradient_norm",
    "words_per_second",
    "val_perplexity_forward",
    "val_perplexity_backward",
    "val_perplexity",
)
"""The columns of the CSV file behind the step, the epoch and the loss."""


def make_callbacks(
    settings: TrainSettings,
    state: RunState,
    bounds: Sequence[int],
    loss_name: str,
    words_per_step: int,
    evaluate: Callable[[], Mapping[str, float]] | None,
    save_best: Callable[[int], Any],
    report: Callable[[str], None],
    of_user: Sequence[keras.callbacks.Callback] = (),
    writes_logs: bool = True,
    weights: Mapping[str, tf.Variable] | None = None,
) -> list[keras.callbacks.Callback]:
    """Makes the callbacks of a run.

    The order matters, because a callback reads in the logs what those before it put there in the same call: the meter
    smooths the loss, then the validation and the user's callbacks add their results, then all are logged, and last the
    best is saved.

    Args:
        settings: the run's settings.
        state: the run's state.
        bounds: the number of the first step of every epoch, and at the end that of all steps.
        loss_name: the training loss's name in the logs.
        words_per_step: tokens of all replicas, in one direction.
        evaluate: returns the results of a validation by name; None without held-out text.
        save_best: saves the weights as the best so far, given the number of steps.
        report: called with each line that the user is to read.
        of_user: callbacks of the user.
        writes_logs: whether to show the progress, to write the logs and to call the user's callbacks, which only the
            chief of several workers does.
        weights: the weights by name, of which histograms are logged.
    """
    progress = logs.Progress(bounds, loss_name, report)
    say = progress.report if writes_logs else report
    validations = []
    if evaluate is not None:
        first = settings.validate_first and state.step == 0 and state.best_step is None
        validations = [Validation(state, evaluate, settings.validation_steps, first, say)]
    meter, best = Meter(state, loss_name, words_per_step), BestCheckpoint(state, save_best, settings.patience, say)
    if not writes_logs:
        return [meter, *validations, best]
    log_file = os.path.join(settings.model_dir, LOG_FILE)
    epoch = bisect.bisect_left(bounds, state.step)
    return [
        meter,
        progress,
        *validations,
        *([UserCallbacks(of_user)] if of_user else []),
        logs.CsvLog(state, log_file, settings.log_steps, [loss_name, *_COLUMNS], epoch),
        TensorBoardLog(
            state,
            os.path.join(settings.model_dir, TENSORBOARD_FOLDER),
            settings.log_steps,
            weights,
            settings.histogram_steps,
        ),
        best,
    ]
