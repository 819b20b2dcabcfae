#!/usr/bin/env python
"""Tokens per second of the input pipeline alone, from text files to windows of distinct words and their places.

    python benchmarks/input.py
    python benchmarks/input.py --parts=8
    python benchmarks/input.py --profile

First, the passes over the text are timed: counting it, as the plain stream needs; encoding it while it is counted, as
training does once; and recognizing it, as each later start does.

A token is one position of one direction: a window of B rows and T steps has B * T tokens in each direction. tokens/s
counts those of all directions together, because each direction reads the text in an order of its own. The plain stream
reads the text files, the encoded one the word numbers. Both are measured by themselves, in one thread and in turns, and
the encoded one also without negatives: its windows alone. Then it is measured computed ahead by a thread, as training
reads it, while nothing else is computed; this measurement is tokens_per_second. The last column has the rates by the
seconds that the process computed instead of those of the clock, which other programs on the machine make longer.
"""

import argparse
import cProfile
import dataclasses
import functools
import os
import pstats
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))  # measure the checkout that this is in

from benchmarks import harness, settings, text

if TYPE_CHECKING:
    from elmo_tf.data.encoded_corpus import EncodedCorpus
    from elmo_tf.training.input_checks import RunInput

_Result = TypeVar("_Result")

_WARM_UP, _ROUND = 10, 20
"""The number of steps that are not measured, and the number of steps that are measured together."""


def define_flags() -> argparse.ArgumentParser:
    """Declares the script's flags."""
    parser = harness.flags(__doc__)
    settings.define_flags(parser, steps=300, fewest=_ROUND)
    text.define_flags(parser)
    parser.add_argument(
        "--parts", type=harness.whole(1), default=1, help="replicas that a step has rows for (%(default)s)"
    )
    parser.add_argument("--profile", action="store_true", help="show first which functions of the stream take how long")
    return parser


def main(arguments: argparse.Namespace) -> dict[str, Any]:
    """Measures, prints the table, and returns the values of the last line."""
    measured = _measure(arguments)
    _show(measured)
    return harness.rounded(_values(measured))


_Seconds = list[tuple[float, float]]
"""For each round the seconds a step, by the clock and of computing."""


@dataclass(frozen=True)
class _Measurements:
    """The measurements of all rounds.

    Args:
        passes: for each kind of pass over the text, its seconds, by the clock and of computing.
        streams: for each way to read the text, its rounds.
        directions: the number of directions of the model.
        tokens: the number of tokens in a step, in all directions together.
        vocabulary_size: the number of words in the vocabulary.
        text: the name of the text.
        text_bytes: its size.
    """

    passes: dict[str, tuple[float, float]]
    streams: dict[str, _Seconds]
    directions: int
    tokens: int
    vocabulary_size: int
    text: str
    text_bytes: int

    def rate(self, name: str, clock: int = 0) -> float:
        """Tokens per second, from the median of the seconds: by the clock, or by the time of computing (1)."""
        return self.tokens / statistics.median(seconds[clock] for seconds in self.streams[name])


_COUNT, _ENCODE, _RECOGNIZE = "counting", "encoding while counting", "recognizing an encoded text"
_PLAIN, _ENCODED, _WINDOWS, _AHEAD = (
    "plain stream",
    "encoded stream",
    "encoded stream, windows alone",
    "computed ahead, as training",
)


def _measure(arguments: argparse.Namespace) -> _Measurements:
    from benchmarks.trainer import make_stream
    from elmo_tf.training.devices import make_strategy
    from elmo_tf.training.input_checks import check_run_input
    from elmo_tf.training.prefetch import PrefetchedStream

    make_strategy()  # it sets the number of threads, as in training
    with harness.working_folder() as folder:
        found = text.find(arguments, folder)
        options = settings.read_options(arguments)
        prepared = check_run_input(options, found.train_files, (), found.vocab_file, arguments.parts)
        passes, encoded = _time_passes(prepared, os.path.join(folder, "cache"))
        prepared = dataclasses.replace(prepared, encoded=encoded)
        without = dataclasses.replace(prepared, options=options.replace(sample_softmax=False))
        made = {
            _PLAIN: make_stream(dataclasses.replace(prepared, encoded=None), arguments.parts),
            _ENCODED: make_stream(prepared, arguments.parts),
            _WINDOWS: make_stream(without, arguments.parts),
        }
        if arguments.profile:
            _profile(iter(make_stream(prepared, arguments.parts)), arguments.steps)
        streams = _in_turns({name: iter(stream) for name, stream in made.items()}, arguments.steps)
        streams |= _in_turns({_AHEAD: PrefetchedStream(make_stream(prepared, arguments.parts))}, arguments.steps)
    training, directions = prepared.options.training, prepared.options.directions
    tokens = arguments.parts * training.batch_size * training.unroll_steps * directions
    size = sum(block.size for block in prepared.corpus.blocks)
    return _Measurements(passes, streams, directions, tokens, len(prepared.vocabulary), found.name, size)


def _time_passes(prepared: "RunInput", folder: str) -> tuple[dict[str, tuple[float, float]], "EncodedCorpus"]:
    """Times the passes over the text; returns the encoded text too."""
    from elmo_tf.data.corpus import Corpus
    from elmo_tf.data.corpus_cache import CorpusCache

    paths = list(dict.fromkeys(block.path for block in prepared.corpus.blocks))

    def encode() -> "EncodedCorpus":
        with CorpusCache(folder, lambda line: None) as cache:
            encoded = cache.encode(paths, prepared.vocabulary)
            cache.keep()
        return encoded

    _, counting = _timed(lambda: Corpus.scan(paths))
    _, encoding = _timed(encode)
    encoded, recognizing = _timed(encode)
    return {_COUNT: counting, _ENCODE: encoding, _RECOGNIZE: recognizing}, encoded


def _show(measured: _Measurements) -> None:
    harness.table(
        ["pass over the text", "seconds", "MB/s", "MB/s, computing"],
        [
            [
                name,
                f"{seconds:.3f}",
                f"{measured.text_bytes / seconds / 1e6:.1f}",
                f"{measured.text_bytes / work / 1e6:.1f}",
            ]
            for name, (seconds, work) in measured.passes.items()
        ],
    )
    harness.table(
        ["input", "median ms a step", "best ms", "tokens/s", "a direction", "tokens/s, computing"],
        [
            [
                name,
                *harness.milliseconds([seconds for seconds, _ in rounds]),
                f"{measured.rate(name):,.0f}",
                f"{measured.rate(name) / measured.directions:,.0f}",
                f"{measured.rate(name, 1):,.0f}",
            ]
            for name, rounds in measured.streams.items()
        ],
    )


def _values(measured: _Measurements) -> dict[str, Any]:
    rate, streams = measured.rate(_AHEAD), measured.streams
    return {
        "tokens_per_second": rate,
        "tokens_per_second_and_direction": rate / measured.directions,
        "best_tokens_per_second": measured.tokens / min(seconds for seconds, _ in streams[_AHEAD]),
        "stream_tokens_per_second": measured.rate(_ENCODED),
        "windows_tokens_per_second": measured.rate(_WINDOWS),
        "windows_tokens_per_second_of_computing": measured.rate(_WINDOWS, 1),
        "plain_tokens_per_second": measured.rate(_PLAIN),
        "ratio_to_plain": statistics.median(
            plain / encoded for (plain, _), (encoded, _) in zip(streams[_PLAIN], streams[_ENCODED], strict=True)
        ),
        "counting_bytes_per_second": measured.text_bytes / measured.passes[_COUNT][0],
        "encoding_bytes_per_second": measured.text_bytes / measured.passes[_ENCODE][0],
        "recognizing_bytes_per_second": measured.text_bytes / measured.passes[_RECOGNIZE][0],
        "tokens_per_step": measured.tokens,
        "steps": len(streams[_AHEAD]) * _ROUND,
        "cores": harness.cores(),
        "vocabulary_size": measured.vocabulary_size,
        "text": measured.text,
    }


def _in_turns(streams: Mapping[str, Iterator[Any]], steps: int) -> dict[str, _Seconds]:
    """Measures the seconds a step in rounds of `_ROUND` steps; the streams take turns, round by round."""
    measured: dict[str, _Seconds] = {name: [] for name in streams}
    for stream in streams.values():
        _take(stream, _WARM_UP)
    for _ in range(steps // _ROUND):
        for name, stream in streams.items():
            _, (seconds, work) = _timed(functools.partial(_take, stream, _ROUND))
            measured[name].append((seconds / _ROUND, work / _ROUND))
    return measured


def _take(stream: Iterator[Any], steps: int) -> None:
    for _ in range(steps):
        next(stream)


def _timed(call: Callable[[], _Result]) -> tuple[_Result, tuple[float, float]]:
    """Calls a function; returns its result, and the seconds by the clock and of computing."""
    started, worked = time.perf_counter(), time.process_time()
    result = call()
    return result, (time.perf_counter() - started, time.process_time() - worked)


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
