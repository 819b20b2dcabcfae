#!/usr/bin/env python
"""The overhead of dealing the rows of a step to several replicas: the same batch on 1, 2 and 4 logical CPUs.

    python benchmarks/scaling.py
    python benchmarks/scaling.py --replicas=1,2 --batch_size=32

Logical CPUs share the cores of the machine, so more replicas are no faster here. The additional time is the overhead of
dealing the rows, of summing and de-duplicating gradients, and of smaller matrix products. overhead_2 is the median,
over rounds, of `seconds with two replicas / seconds with one - 1`. The CPU must be divided before TensorFlow starts,
so each number of replicas has a process of its own. The processes take turns, step by step.

Below the table stand the bytes that each of several GPUs would send in a step with --batch_size rows on each, counted
by formula (benchmarks/traffic.py), and the time that they take on paper by NVLink and by PCIe, if nothing overlaps.
"""

import argparse
import contextlib
import os
import statistics
import subprocess
import sys
from dataclasses import dataclass
from typing import IO, Any

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))  # measure the checkout that this is in

from benchmarks import harness, settings, text
from benchmarks.traffic import LINKS, Traffic, of_step
from elmo_tf.errors import InputError
from elmo_tf.options import Options

_WARM_UP = 3

_GPUS = (2, 4, 8)
"""The numbers of GPUs whose traffic is counted."""


def define_flags() -> argparse.ArgumentParser:
    """Declares the script's flags."""
    parser = harness.flags(__doc__)
    settings.define_flags(parser, steps=20)
    text.define_flags(parser)
    parser.add_argument("--replicas", type=_counts, default="1,2,4", help="numbers of replicas (%(default)s)")
    parser.add_argument("--worker", type=harness.whole(1), help=argparse.SUPPRESS)
    return parser


def _counts(values: str) -> list[int]:
    counts = sorted({harness.whole(1)(value) for value in values.split(",")})
    if counts[0] != 1:
        raise argparse.ArgumentTypeError(f"expected 1 among the numbers, to compare with, got {values!r}")
    return counts


def main(arguments: argparse.Namespace) -> dict[str, Any]:
    """Measures, prints the table, and returns the values of the last line."""
    options = settings.read_options(arguments)
    rows = options.training.batch_size
    for count in arguments.replicas:
        if rows % count:
            raise InputError(
                f"--batch_size={rows}: expected a multiple of {count} replicas, to deal the rows evenly",
                option="batch_size",
            )
    measured = _Measurements(_seconds(arguments), rows, rows * options.training.unroll_steps)
    _show(measured)
    traffic = _traffic(arguments, options)
    _show_traffic(traffic)
    return harness.rounded(
        {
            **_values(measured),
            **{f"sent_bytes_{count}": round(traffic["float32"].sent(count)) for count in _GPUS},
            "dense_gradient_bytes": traffic["float32"].dense,
            "sparse_gradient_bytes": traffic["float32"].sparse,
            "rows": rows,
            "steps": arguments.steps,
            "cores": harness.cores(),
            "config": os.path.basename(arguments.config),
        }
    )


@dataclass(frozen=True)
class _Measurements:
    """The measurements of all steps.

    Args:
        seconds: for each number of replicas, the seconds of each step.
        rows: the number of rows of a step, in all replicas together.
        words: the number of words of a step; each is read by both directions.
    """

    seconds: dict[int, list[float]]
    rows: int
    words: int

    def words_per_second(self, count: int) -> float:
        """Words per second, from the median of the seconds."""
        return self.words / statistics.median(self.seconds[count])

    def overhead(self, count: int) -> float:
        """The median, over rounds, of the additional time of `count` replicas, as a share of the time of one."""
        pairs = zip(self.seconds[1], self.seconds[count], strict=True)
        return statistics.median(b / a for a, b in pairs) - 1


def _seconds(arguments: argparse.Namespace) -> dict[int, list[float]]:
    """Measures the seconds of each step, for each number of replicas."""
    seconds: dict[int, list[float]] = {count: [] for count in arguments.replicas}
    with contextlib.ExitStack() as stack:
        workers = {count: stack.enter_context(_Worker(count)) for count in arguments.replicas}
        for step in range(_WARM_UP + arguments.steps):
            for count, worker in workers.items():
                spent = worker.step()
                if step >= _WARM_UP:
                    seconds[count].append(spent)
    return seconds


def _show(measured: _Measurements) -> None:
    harness.table(
        ["replicas", "rows each", "median ms", "best ms", "words/s", "overhead"],
        [
            [
                str(count),
                str(measured.rows // count),
                *harness.milliseconds(seconds),
                f"{measured.words_per_second(count):,.0f}",
                f"{measured.overhead(count):.1%}",
            ]
            for count, seconds in measured.seconds.items()
        ],
    )


def _traffic(arguments: argparse.Namespace, options: Options) -> dict[str, Traffic]:
    """The gradients of a replica, by the type in which the dense ones are summed."""
    from benchmarks.trainer import make_stream
    from elmo_tf.training.input_checks import check_run_input

    with harness.working_folder() as folder:
        found = text.find(arguments, folder)
        prepared = check_run_input(options, found.train_files, (), found.vocab_file, 1)
        step, _ = next(iter(make_stream(prepared)))
        return {dtype: of_step(prepared.options, step, dtype) for dtype in ("float32", "bfloat16")}


def _show_traffic(traffic: dict[str, Traffic]) -> None:
    own = traffic["float32"]
    print(f"gradients of a replica: dense {own.dense / 1e6:,.1f} MB in float32, rows {own.sparse / 1e6:,.1f} MB")
    harness.table(
        [
            "GPUs, dense gradients",
            "MB sent by each",
            *(f"ms by {name}, {rate / 1e9:.0f} GB/s" for name, rate in LINKS.items()),
        ],
        [
            [
                f"{count}, {dtype}",
                f"{own.sent(count) / 1e6:,.1f}",
                *(f"{1e3 * own.sent(count) / rate:.2f}" for rate in LINKS.values()),
            ]
            for dtype, own in traffic.items()
            for count in _GPUS
        ],
    )


def _values(measured: _Measurements) -> dict[str, Any]:
    return {
        **{f"overhead_{count}": measured.overhead(count) for count in measured.seconds if count > 1},
        **{f"words_per_second_{count}": measured.words_per_second(count) for count in measured.seconds},
    }


class _Worker:
    """This script in a process of its own, which takes a step whenever `step` is called."""

    def __init__(self, replicas: int) -> None:
        self._replicas = replicas

    def __enter__(self) -> "_Worker":
        self._process = subprocess.Popen(
            [sys.executable, os.path.abspath(__file__), *sys.argv[1:], f"--worker={self._replicas}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "CUDA_VISIBLE_DEVICES": "-1"},
        )
        self._in, self._out = _pipe(self._process.stdin), _pipe(self._process.stdout)
        return self

    def step(self) -> float:
        """Lets the process take a step; returns its seconds."""
        with contextlib.suppress(BrokenPipeError):
            print(file=self._in, flush=True)
        line = self._out.readline()
        if not line:
            raise InputError(f"{self._replicas} replicas could not be measured: see above")
        return float(line)

    def __exit__(self, *_: Any) -> None:
        with contextlib.suppress(BrokenPipeError):
            self._in.close()  # the process ends at the end of its input
        self._process.wait()
        self._out.close()


def _pipe(file: IO[str] | None) -> IO[str]:
    if file is None:
        raise RuntimeError("expected pipes to and from the process")
    return file


def work(arguments: argparse.Namespace) -> dict[str, Any]:
    """Runs as a worker: takes a step for every line of standard input, and prints its seconds."""
    from benchmarks.trainer import TimedTrainer, make_stream
    from elmo_tf.data.corpus_cache import CorpusCache
    from elmo_tf.training.devices import make_strategy
    from elmo_tf.training.input_checks import check_run_input
    from elmo_tf.training.prefetch import PrefetchedStream

    count = arguments.worker
    strategy = make_strategy(logical_cpus=count)
    options = settings.read_options(arguments)
    options = options.replace(batch_size=options.training.batch_size // count)
    with harness.working_folder() as folder:
        found = text.find(arguments, folder)
        cache = CorpusCache(folder, lambda line: None)
        prepared = check_run_input(options, found.train_files, (), found.vocab_file, count, cache)
        stream = PrefetchedStream(make_stream(prepared, count))
        trainer = TimedTrainer(prepared.options, strategy)
        for _ in sys.stdin:
            tensors, _ = next(stream)
            print(trainer(tensors), flush=True)
    return {}


if __name__ == "__main__":
    harness.run(lambda arguments: (work if arguments.worker else main)(arguments), define_flags())
