#!/usr/bin/env python
"""Tokens per second of the input pipeline alone: text files -> windows of distinct words and where they stand.

    python benchmarks/input.py
    python benchmarks/input.py --profile

A token is one position of one direction: a step of B rows and T steps has B * T in each direction, and tokens/s count
those of all directions, each of which reads the text in an order of its own. The stream is measured by itself, in one
thread, and then behind `tf.data` as the training reads it, with nothing computed meanwhile: that is tokens_per_second.
"""

import argparse
import cProfile
import os
import pstats
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))  # measure the checkout that this is in

from benchmarks import harness, settings, text

_WARM_UP, _ROUND = 10, 20
"""Steps before the clock counts, and steps between two looks at it."""


def define_flags() -> argparse.ArgumentParser:
    """The script's flags."""
    parser = harness.flags(__doc__)
    settings.define_flags(parser, steps=300, fewest=_ROUND)
    text.define_flags(parser)
    parser.add_argument("--profile", action="store_true", help="show first where the time of the stream goes")
    return parser


def main(arguments: argparse.Namespace) -> dict[str, Any]:
    """Measures; returns the last line's values."""
    from benchmarks.trainer import make_stream
    from elmo_tf.data.prefetching import Prefetched
    from elmo_tf.devices import make_strategy
    from elmo_tf.preparation import prepare

    make_strategy()  # as many threads as in training
    with harness.working_folder() as folder:
        found = text.find(arguments, folder)
        prepared = prepare(settings.read_options(arguments), found.train_files, (), found.vocab_file, 1)
        if arguments.profile:
            _profile(iter(make_stream(prepared)), arguments.steps)
        alone = iter(make_stream(prepared))
        alone_seconds = _seconds(lambda: next(alone), arguments.steps)
        ahead = Prefetched(make_stream(prepared))
        ahead_seconds = _seconds(lambda: next(ahead), arguments.steps)
    options = prepared.options
    tokens = options.training.batch_size * options.training.unroll_steps * options.directions
    seconds = {"the stream, one thread": alone_seconds, "behind tf.data, as training": ahead_seconds}
    harness.table(
        ["input", "median ms a step", "best ms", "tokens/s", "a direction"],
        [
            [name, *harness.milliseconds(times), f"{rate:,.0f}", f"{rate / options.directions:,.0f}"]
            for name, times in seconds.items()
            for rate in [tokens / statistics.median(times)]
        ],
    )
    rate = tokens / statistics.median(ahead_seconds)
    return harness.rounded(
        {
            "tokens_per_second": rate,
            "tokens_per_second_and_direction": rate / options.directions,
            "best_tokens_per_second": tokens / min(ahead_seconds),
            "stream_tokens_per_second": tokens / statistics.median(alone_seconds),
            "tokens_per_step": tokens,
            "steps": len(ahead_seconds) * _ROUND,
            "cores": harness.cores(),
            "vocabulary_size": len(prepared.vocabulary),
            "text": found.name,
        }
    )


def _seconds(take: Callable[[], Any], steps: int) -> list[float]:
    """Seconds a step, over rounds of some steps each."""
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
