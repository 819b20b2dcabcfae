#!/usr/bin/env python
"""The memory of training steps, measured and estimated, for models of several sizes, batch sizes and precisions.

    python benchmarks/memory.py
    python benchmarks/memory.py --cases=small:128:float32,small:128:bfloat16

Each case, CONFIG:BATCH_SIZE:PRECISION, is a process of its own, which takes a few steps with the model of that name in
configs/. Its peak memory is compared with that of a model of the same kind whose every size is the smallest: the rest
is what the estimate is about. On a GPU the peak is that of TensorFlow on the GPU, and nothing is subtracted. The error
is `estimated / measured - 1`.
"""

import argparse
import dataclasses
import json
import os
import subprocess
import sys
from typing import Any

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))  # measure the checkout that this is in

from benchmarks import harness, settings, text
from elmo_tf.errors import InputError
from elmo_tf.options import Options

CASES = (
    "tiny:32:float32,tiny:512:float32,tiny:512:bfloat16,wikitext2:64:float32,wikitext2:512:float32,"
    "wikitext2:512:bfloat16,small:32:float32,small:128:float32,small:512:float32,small:128:bfloat16,"
    "medium:32:float32,medium:128:float32,medium:32:bfloat16,original:32:float32"
)
"""The cases that are measured unless others are asked for: those that take a few gigabytes at most."""

_STEPS = 3

_SMALLEST = "smallest/"
"""What stands before a case where a process measures the smallest model of its kind."""


def define_flags() -> argparse.ArgumentParser:
    """Declares the script's flags."""
    parser = harness.flags(__doc__)
    parser.add_argument("--cases", default=CASES, help="CONFIG:BATCH_SIZE:PRECISION, comma-separated (%(default)s)")
    text.define_flags(parser)
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    return parser


def read_case(case: str, smallest: bool = False) -> tuple[Options, str]:
    """The options and the precision of a case.

    Args:
        case: CONFIG:BATCH_SIZE:PRECISION.
        smallest: whether all sizes of the model and the batch are the smallest instead.

    Example:

    >>> options, precision = read_case("small:256:bfloat16")
    >>> options.lstm.dim, options.training.batch_size, precision
    (1024, 256, 'bfloat16')
    """
    config, _, rest = case.partition(":")
    rows, _, precision = rest.partition(":")
    path = config if config.endswith(".json") else os.path.join(harness.ROOT, "configs", f"{config}.json")
    if not rows.isdecimal() or precision not in settings.PRECISIONS or not os.path.exists(path):
        raise InputError(
            f"--cases={case}: expected CONFIG:BATCH_SIZE:PRECISION with a model of configs/, a number, and one of "
            f"{', '.join(settings.PRECISIONS)}",
            option="cases",
        )
    options = Options.from_file(path).replace(batch_size=int(rows), n_tokens_vocab=None)
    return (_smallest(options) if smallest else options), precision


def _smallest(options: Options) -> Options:
    char_cnn = options.char_cnn
    if char_cnn is not None:
        filters = tuple((width, 1) for width, _ in char_cnn.filters)
        char_cnn = dataclasses.replace(char_cnn, filters=filters, embedding_dim=1)
    lstm = dataclasses.replace(options.lstm, dim=2, projection_dim=1)
    return options.replace(lstm=lstm, char_cnn=char_cnn, batch_size=1, n_negative_samples_batch=4)


def main(arguments: argparse.Namespace) -> dict[str, Any]:
    """Measures, prints the table, and returns the values of the last line."""
    if arguments.measure:
        return measure(arguments)
    cases = arguments.cases.split(",")
    for case in cases:
        read_case(case)
    rows = [compare(case, arguments) for case in cases]
    harness.table(
        ["model", "rows", "precision", "measured MB", "estimated MB", "error"],
        [
            [*row["case"].split(":"), f"{row['measured'] / 1e6:,.0f}", f"{row['estimated'] / 1e6:,.0f}", _error(row)]
            for row in rows
        ],
    )
    worst = max(rows, key=lambda row: abs(row["error"]))
    print(f"largest error: {_error(worst)}, of {worst['case']}")
    return {"cases": [harness.rounded(row) for row in rows], "largest_error": round(worst["error"], 4)}


def _error(row: dict[str, Any]) -> str:
    return f"{row['error']:+.1%}"


def compare(case: str, arguments: argparse.Namespace) -> dict[str, Any]:
    """Measures a case and the smallest model of its kind."""
    smallest, found = (_in_own_process(which, arguments) for which in (_SMALLEST + case, case))
    measured = found["peak"] - (0 if "GPU" in found["device"] else smallest["peak"])
    return {
        "case": case,
        "measured": measured,
        "estimated": found["estimated"],
        "error": found["estimated"] / measured - 1.0,
        "smallest": smallest["peak"],
    }


def _in_own_process(case: str, arguments: argparse.Namespace) -> dict[str, Any]:
    files = {name: getattr(arguments, name) for name in ("train_files", "vocab_file", "vocabulary_size")}
    flags = [f"--{name}={value}" for name, value in files.items() if value is not None]
    command = [sys.executable, os.path.abspath(__file__), f"--measure={case}", *flags]
    result = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if result.returncode:
        raise InputError(f"--cases={case}: could not be measured: see above", option="cases")
    values: dict[str, Any] = json.loads(result.stdout.splitlines()[-1])
    return values


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    """Takes a few steps in this process; returns its peak memory and the estimate, in bytes."""
    from benchmarks.trainer import TimedTrainer, make_stream
    from elmo_tf.training.devices import make_strategy
    from elmo_tf.training.input_checks import check_run_input
    from elmo_tf.training.prefetch import PrefetchedStream

    case = arguments.measure.removeprefix(_SMALLEST)
    options, precision = read_case(case, smallest=case != arguments.measure)
    strategy = make_strategy()
    parts = int(strategy.num_replicas_in_sync)
    device = strategy.extended.worker_devices[0].split("/device:")[-1]
    with harness.working_folder() as folder:
        found = text.find(arguments, folder)
        prepared = check_run_input(options, found.train_files, (), found.vocab_file, parts)
        trainer = TimedTrainer(prepared.options, strategy, precision=precision)
        stream = PrefetchedStream(make_stream(prepared, parts))
        for _ in range(_STEPS):
            trainer(next(stream)[0])
        peak = harness.peak_memory(device)
        return {"peak": peak, "estimated": trainer.estimate_run_memory(stream).total, "device": device}


if __name__ == "__main__":
    harness.run(main, define_flags())
