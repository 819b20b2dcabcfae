"""The plan of a training run: its steps, words, memory and hours, from a few timed steps that are not kept."""

import statistics
import time
from collections.abc import Callable

import tensorflow as tf

from elmo_tf.data.corpus_cache import CorpusCache
from elmo_tf.training.assembly import Trainer, build_trainer, count_parts, make_stream, new_state
from elmo_tf.training.batch_size import choose_batch_size, recall_batch_size
from elmo_tf.training.devices import make_strategy
from elmo_tf.training.input_checks import RunInput, check_run_input, check_validation_settings
from elmo_tf.training.memory_estimate import check_fits_in_memory
from elmo_tf.training.prefetch import PrefetchedStream
from elmo_tf.training.run_description import describe_run
from elmo_tf.training.settings import TrainSettings, run_bounds

_WARM_UP, _TIMED, _SECONDS = 2, 10, 30.0
"""Steps that are not timed, for the first of them compiles the model; steps that are; and seconds after which no more
are taken."""

CONFIGURATIONS = ((300_000, "50k"), (6_000_000, "2m"), (140_000_000, "20m"), (None, "1b"))
"""The files of `configs/modern`, each with the number of words of text below which it fits. The bounds lie halfway
between the sizes that the files are made for, on a logarithmic scale."""


def plan(settings: TrainSettings, report: Callable[[str], None] = print) -> None:
    """Reports the plan of a run, and trains and writes nothing.

    Args:
        settings: the run's settings.
        report: takes a line for people.

    Raises:
        InputError: something about the input is wrong, as for `train`.
    """
    check_validation_settings(settings)
    tf.config.experimental.enable_tensor_float_32_execution(settings.precision != "float32")
    strategy = make_strategy(settings.devices, settings.logical_cpus, settings.all_reduce)
    settings = recall_batch_size(settings, report)
    parts = count_parts(settings, strategy)
    prepared = read_input(settings, parts, report)
    prepared, notes = choose_batch_size(settings, prepared, strategy, parts)
    check_fits_in_memory(prepared.options, strategy)
    bounds = run_bounds(settings, prepared.options.training, prepared.corpus.predictions, parts)
    trainer = build_trainer(settings, prepared.options, strategy, total_steps=bounds[-1])
    stream = PrefetchedStream(make_stream(settings, prepared, parts))
    described = describe_run(prepared, trainer.variables, bounds, parts, strategy, stream, settings.precision)
    for line in (*notes, *prepared.notes, *described):
        report(line)
    seconds = time_steps(settings, prepared, trainer, stream)
    training = prepared.options.training
    words = parts * training.batch_size * training.unroll_steps
    report(
        f"a step takes {seconds:.3g} s, {words / seconds:,.0f} words/s: {bounds[-1]:,} steps, or "
        f"{bounds[-1] * words:,} words, take about {describe_hours(bounds[-1] * seconds)}, without the validations; "
        + describe_text(prepared)
    )
    report(
        f"of configs/modern, {configuration_for(prepared.corpus.words)}.flags is for a text of this size; nothing was "
        "trained"
    )


def read_input(settings: TrainSettings, parts: int, report: Callable[[str], None]) -> RunInput:
    """Reads and checks the input of a run, as `train` does; the text is encoded only where an earlier run has done it.

    Args:
        settings: the run's settings.
        parts: replicas times accumulation steps.
        report: takes a line for people.

    Raises:
        InputError: something about the input is wrong.
    """
    cache = CorpusCache(settings.corpus_cache or settings.model_dir, report)
    files = (settings.train_files, settings.valid_files, settings.vocab_file)
    return check_run_input(settings.options, *files, parts, cache, encodes=False)


def describe_text(prepared: RunInput) -> str:
    """Says from which form of the text the timed steps had their input."""
    if prepared.encoded is None:
        return "timed with the text files as they are, while a run encodes them first, to wait less for its input"
    return "timed with the encoded text, as a run reads it"


def time_steps(settings: TrainSettings, prepared: RunInput, trainer: Trainer, stream: PrefetchedStream) -> float:
    """The median seconds of a training step, the wait for its input included; the weights in memory change."""
    state = new_state(settings, prepared, trainer)
    times: list[float] = []
    begun = time.perf_counter()
    for step in range(_WARM_UP + _TIMED):
        started = time.perf_counter()
        tensors, _ = next(stream)
        result = trainer.take_step(step, tensors, state.lstm_states, state.loss_scale)
        float(result.norm)  # waits until it is computed
        state.lstm_states, state.loss_scale = result.states, result.loss_scale
        times.append(time.perf_counter() - started)
        if step >= _WARM_UP and time.perf_counter() - begun > _SECONDS:
            break
    return statistics.median(times[_WARM_UP:])


def describe_hours(seconds: float) -> str:
    """A time in words.

    >>> describe_hours(200), describe_hours(5000), describe_hours(9e5)
    ('3.3 minutes', '1.4 hours', '10 days')
    """
    if seconds < 3600:
        return f"{seconds / 60:.2g} minutes"
    return f"{seconds / 3600:.2g} hours" if seconds < 48 * 3600 else f"{seconds / 86400:.2g} days"


def configuration_for(words: int) -> str:
    """The name of the file of `configs/modern` for a text of so many words.

    >>> configuration_for(35_000), configuration_for(2_000_000), configuration_for(10**9)
    ('50k', '2m', '1b')
    """
    return next(name for below, name in CONFIGURATIONS if below is None or words < below)
