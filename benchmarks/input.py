#!/usr/bin/env python
"""Tokens per second of the input pipeline alone, from text files to windows of distinct words and their places.

    python benchmarks/input.py
    python benchmarks/input.py --profile

A token is one position of one direction: a window of B rows and T steps has B * T tokens in each direction. tokens/s
counts those of all directions together, because each direction reads the text in an order of its own. The stream is
measured by itself, in one thread, and then behind `tf.data`, as training reads it, while nothing else is computed. The
second measurement is tokens_per_second.
"""

import argparse
import cProfile
import os
import pstats
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))  # measure the checkout that this is in

from benchmarks import harness, settings, text

_WARM_UP, _ROUND = 10, 20
"""The number of steps that are not measured, and the number of steps that are measured together."""


def define_flags() -> argparse.ArgumentParser:
    """Declares the script's flags."""
    parser = harness.flags(__doc__)
    settings.define_flags(parser, steps=300, fewest=_ROUND)
    text.define_flags(parser)
    parser.add_argument("--profile", action="store_true", help="show first which functions of the stream take how long")
    return parser


def main(arguments: argparse.Namespace) -> dict[str, Any]:
    """Measures, prints the table, and returns the values of the last line."""
    measured = _measure(arguments)
    _show(measured)
    return harness.rounded(_values(measured))


@dataclass(frozen=True)
class _Measurements:
    """The measurements of all rounds.

    Args:
        alone: for each round, the seconds per step of the stream in one thread.
        ahead: for each round, the seconds per step of the stream behind `tf.data`.
        directions: the number of directions of the model.
        tokens: the number of tokens in a step, in all directions together.
        vocabulary_size: the number of words in the vocabulary.
        text: the name of the text.
    """

    alone: list[float]
    ahead: list[float]
    directions: int
    tokens: int
    vocabulary_size: int
    text: str

    def rate(self, seconds: list[float]) -> float:
        """Tokens per second, from the median of the seconds."""
        return self.tokens / statistics.median(seconds)


def _measure(arguments: argparse.Namespace) -> _Measurements:
    from benchmarks.trainer import make_stream
    from elmo_tf.training.devices import make_strategy
    from elmo_tf.training.input_checks import check_run_input
    from elmo_tf.training.prefetch import PrefetchedStream

    make_strategy()  # it sets the number of threads, as in training
    with harness.working_folder() as folder:
        found = text.find(arguments, folder)
        prepared = check_run_input(settings.read_options(arguments), found.train_files, (), found.vocab_file, 1)
        if arguments.profile:
            _profile(iter(make_stream(prepared)), arguments.steps)
        alone = iter(make_stream(prepared))
        alone_seconds = _seconds(lambda: next(alone), arguments.steps)
        ahead = PrefetchedStream(make_stream(prepared))
        ahead_seconds = _seconds(lambda: next(ahead), arguments.steps)
    training, directions = prepared.options.training, prepared.options.directions
    tokens = training.batch_size * training.unroll_steps * directions
    return _Measurements(alone_seconds, ahead_seconds, directions, tokens, len(prepared.vocabulary), found.name)


def _show(measured: _Measurements) -> None:
    ways = {"the stream, one thread": measured.alone, "behind tf.data, as training": measured.ahead}
    harness.table(
        ["input", "median ms a step", "best ms", "tokens/s", "a direction"],
        [
            [name, *harness.milliseconds(seconds), f"{rate:,.0f}", f"{rate / measured.directions:,.0f}"]
            for name, seconds in ways.items()
            for rate in [measured.rate(seconds)]
        ],
    )


def _values(measured: _Measurements) -> dict[str, Any]:
    rate = measured.rate(measured.ahead)
    return {
        "tokens_per_second": rate,
        "tokens_per_second_and_direction": rate / measured.directions,
        "best_tokens_per_second": measured.tokens / min(measured.ahead),
        "stream_tokens_per_second": measured.rate(measured.alone),
        "tokens_per_step": measured.tokens,
        "steps": len(measured.ahead) * _ROUND,
        "cores": harness.cores(),
        "vocabulary_size": measured.vocabulary_size,
        "text": measured.text,
    }


def _seconds(take: Callable[[], Any], steps: int) -> list[float]:
    """Measures the seconds per step, one number for each round of `_ROUND` steps."""
    for _ in range(_WARM_UP):
        take()
    seconds = []
    for _ in range(steps // _ROUND):
        started = time.perf_counter()
        for _ in range(_ROUND):
            take()
        seconds.append((time.perf_counter() - started) / _ROUND)
    return seconds


def _profile(steps: Iterator[Any], count: int) -> None:
    """Prints which functions the stream spends its time in."""
    for _ in range(_WARM_UP):
        next(steps)
    profile = cProfile.Profile()
    profile.enable()
    for _ in range(count):
        next(steps)
    profile.disable()
    pstats.Stats(profile).sort_stats("tottime").print_stats(20)


if __name__ == "__main__":
    harness.run(main, define_flags())
