"""The batch size of a run that asks for the largest one that fits the device: --batch_size=auto."""

import dataclasses
import math
import os
from collections.abc import Callable, Sequence

import tensorflow as tf

from elmo_tf.errors import InputError
from elmo_tf.models.weight_names import expected_shapes
from elmo_tf.options import Options, characters_that_count
from elmo_tf.store.file_names import OPTIONS_FILE
from elmo_tf.training.device_memory import free_memory
from elmo_tf.training.input_checks import RunInput
from elmo_tf.training.memory_estimate import estimate_memory, sparse_size
from elmo_tf.training.settings import TrainSettings

MULTIPLE = 8
"""A chosen batch size is a multiple of this, which the matrix units of GPUs like."""

STEPS_PER_EPOCH = 100
"""A chosen batch leaves at least so many steps in an epoch, for a small text would be few steps of a large GPU."""

_SHARE = 0.8
"""The share of the free memory that the estimate may take. The estimate may be wrong by a fifth, and the fragments
between tensors take memory too."""


def recall_batch_size(settings: TrainSettings, report: Callable[[str], None] = print) -> TrainSettings:
    """Reads the batch size of a run that asks for the largest one from the options in its folder, if it has begun.

    A new run has the smallest batch size until its own is chosen.

    Args:
        settings: the run's settings.
        report: takes a line for people where the options say the batch size.

    Raises:
        InputError: a new run has several workers, which might choose differently.
    """
    if not settings.choose_batch_size:
        return settings
    path = os.path.join(settings.model_dir, OPTIONS_FILE)
    is_new = not os.path.exists(path)
    if is_new and settings.strategy == "multi_worker":
        raise _refusal("expected a number with --strategy=multi_worker, for all workers must take the same")
    rows = MULTIPLE if is_new else Options.from_file(path).training.batch_size
    if not is_new:
        report(f"note: --batch_size=auto: {rows} rows a replica, as {path} has it")
    return dataclasses.replace(settings, options=settings.options.replace(batch_size=rows), choose_batch_size=is_new)


def choose_batch_size(
    settings: TrainSettings, prepared: RunInput, strategy: tf.distribute.Strategy, parts: int
) -> tuple[RunInput, tuple[str, ...]]:
    """Chooses the batch size of a new run, if its settings ask for that.

    Args:
        settings: the run's settings.
        prepared: the run's input.
        strategy: the strategy whose replicas compute.
        parts: replicas times accumulation steps.

    Returns:
        The input with the batch size in its options, and lines for people.

    Raises:
        InputError: the device does not tell its memory, or not even the smallest batch fits.
    """
    if not settings.choose_batch_size:
        return prepared, ()
    devices = strategy.extended.worker_devices
    found = [free_memory(device) for device in devices]
    free = [memory for memory in found if memory is not None]
    if len(free) < len(found):
        raise _refusal(f"{devices[found.index(None)]} does not tell its free memory: give a number")
    on_gpus = all("GPU" in device.upper() for device in devices)
    share = _SHARE * (min(free) if on_gpus else min(free) / len(devices))  # logical CPUs share the machine's memory
    training = prepared.options.training
    most = prepared.corpus.predictions // (STEPS_PER_EPOCH * parts * training.unroll_steps)
    words = prepared.corpus.sample()
    rows, needed = largest_batch_size(prepared.options, words, share, most, settings.precision)
    note = (
        f"--batch_size=auto: {rows} rows a replica, which take {needed / 1e9:.1f} GB by the estimate, of "
        f"{min(free) / 1e9:.1f} GB free"
    )
    return dataclasses.replace(prepared, options=prepared.options.replace(batch_size=rows)), (note,)


def largest_batch_size(
    options: Options, words: Sequence[str], memory: float, most: int, precision: str = "float32"
) -> tuple[int, int]:
    """The largest multiple of `MULTIPLE` rows whose step fits, and the bytes that it takes by the estimate.

    Args:
        options: the model's, with `n_tokens_vocab`.
        words: words of the text, one after the other, from which the distinct words of a window are estimated.
        memory: bytes that a step may take on a replica.
        most: the largest number of rows whatever the memory; `MULTIPLE` rows are always tried.
        precision: what the products are computed in.

    Raises:
        InputError: not even `MULTIPLE` rows fit.
    """
    sizes = {name: math.prod(shape) for name, shape in expected_shapes(options, softmax=True).items()}
    weights, sparse = sum(sizes.values()), sparse_size(sizes)

    def needed(count: int) -> int:
        tokens = count * MULTIPLE * options.training.unroll_steps
        distinct, characters = window_of(words, tokens, options)
        return estimate_memory(options, weights, sparse, count * MULTIPLE, distinct, characters, precision).total

    fits, above = 0, max(1, most // MULTIPLE) + 1
    while above - fits > 1:
        middle = (fits + above) // 2
        fits, above = (middle, above) if needed(middle) <= memory else (fits, middle)
    if not fits:
        raise _refusal(
            f"not even {MULTIPLE} rows fit: they take {needed(1) / 1e9:.1f} GB by the estimate, and {memory / 1e9:.1f} "
            "GB may be used; take a smaller model or fewer words"
        )
    return fits * MULTIPLE, needed(fits)


def window_of(words: Sequence[str], tokens: int, options: Options) -> tuple[int, int]:
    """The distinct words of a window, and the character ids of its longest word, as a sample of the text has them.

    The two directions read different sentences, so a window has up to twice `tokens`. Beyond the length of the sample
    the count goes on with the square root of the length, somewhat more than in texts of languages (Heaps' law).

    Args:
        words: the sample.
        tokens: tokens of a window in one direction.
        options: the model's.

    Example:

    >>> window_of(["a", "b", "a", "cat"], 1, Options.from_dict({"lstm": {"dim": 4, "projection_dim": 2}}))
    (2, 1)
    """
    length = options.directions * tokens
    part = words[:length]
    distinct = len(set(part))
    if len(part) < length:
        distinct = min(length, math.ceil(distinct * math.sqrt(length / max(1, len(part)))))
    if options.char_cnn is None:
        return distinct, 1
    longest = max((len(word.encode()) for word in part), default=1) + 2
    count = characters_that_count(longest, options.char_cnn.filters)
    return distinct, min(options.char_cnn.max_characters_per_token, count)


def _refusal(message: str) -> InputError:
    return InputError(f"--batch_size=auto: {message}", option="batch_size")
