#!/usr/bin/env python
"""Milliseconds of a training step for vocabularies of several sizes, which take turns, step by step, on one text.

    python benchmarks/vocabulary.py
    python benchmarks/vocabulary.py --sizes=10000,800000 --steps=100

The larger vocabularies are the smallest one with made-up words added, so all models read and predict the same words.
The softmax and its Adagrad accumulators grow, and the negatives are drawn from all words. In every round, the time with
a larger vocabulary is divided by that with the smallest; step_ratio is the median of this ratio for the largest.
"""

import argparse
import os
import statistics
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))  # measure the checkout that this is in

from benchmarks import harness, settings, text

if TYPE_CHECKING:
    from elmo_tf.training.input_checks import RunInput

_WARM_UP = 5


def define_flags() -> argparse.ArgumentParser:
    """Declares the script's flags."""
    parser = harness.flags(__doc__)
    settings.define_flags(parser, steps=40)
    text.define_files(parser)
    parser.add_argument(
        "--sizes", type=_sizes, default="10000,100000,800000", help="numbers of words of the vocabularies (%(default)s)"
    )
    return parser


def _sizes(values: str) -> list[int]:
    return sorted({harness.whole(4)(value) for value in values.split(",")})


def main(arguments: argparse.Namespace) -> dict[str, Any]:
    """Measures, prints the table, and returns the values of the last line."""
    measured = _measure(arguments)
    _show(measured)
    return harness.rounded({**_values(measured), "config": os.path.basename(arguments.config), "text": measured.text})


@dataclass(frozen=True)
class _Measurements:
    """The measurements of all steps.

    Args:
        seconds: for each size of the vocabulary, smallest first, the seconds of each step.
        device: the device that computed.
        text: the name of the text.
    """

    seconds: dict[int, list[float]]
    device: str
    text: str

    def ratios(self) -> list[float]:
        """For each size, the median over rounds of the time of a step, divided by that with the smallest vocabulary."""
        smallest, *_ = self.seconds.values()
        return [statistics.median(b / a for a, b in zip(smallest, own, strict=True)) for own in self.seconds.values()]


def _measure(arguments: argparse.Namespace) -> _Measurements:
    from benchmarks.trainer import TimedTrainer, make_stream
    from elmo_tf.training.devices import make_strategy
    from elmo_tf.training.prefetch import PrefetchedStream

    strategy = make_strategy()
    with harness.working_folder() as folder:
        arguments.vocabulary_size = arguments.sizes[0]
        found = text.find(arguments, folder)
        all_prepared = [_prepare(arguments, found, size, folder) for size in arguments.sizes]
        trainers = [TimedTrainer(prepared.options, strategy) for prepared in all_prepared]
        streams = [PrefetchedStream(make_stream(prepared), ahead=1) for prepared in all_prepared]
        rounds = []
        for _ in range(_WARM_UP + arguments.steps):
            # all inputs are taken first, so that the prefetching of the next ones slows all steps down alike
            inputs = [next(stream)[0] for stream in streams]
            rounds.append([trainer(tensors) for trainer, tensors in zip(trainers, inputs, strict=True)])
    seconds = {size: list(own) for size, *own in zip(arguments.sizes, *rounds[_WARM_UP:], strict=True)}
    return _Measurements(seconds, strategy.extended.worker_devices[0].split("/device:")[-1], found.name)


def _prepare(arguments: argparse.Namespace, found: text.Text, size: int, folder: str) -> "RunInput":
    """Prepares the text with a vocabulary of this size: the smallest vocabulary, with made-up words added."""
    from elmo_tf.data.vocabulary import Vocabulary
    from elmo_tf.training.input_checks import check_run_input

    path = os.path.join(folder, f"extended_{size}.txt")
    Vocabulary(text.with_size(Vocabulary.from_file(found.vocab_file).words, size)).save(path)
    return check_run_input(settings.read_options(arguments), found.train_files, (), path, 1)


def _show(measured: _Measurements) -> None:
    harness.table(
        ["words", "median ms", "best ms", "of the smallest"],
        [
            [f"{size:,}", *harness.milliseconds(seconds), f"{ratio:.3f}"]
            for (size, seconds), ratio in zip(measured.seconds.items(), measured.ratios(), strict=True)
        ],
    )


def _values(measured: _Measurements) -> dict[str, Any]:
    sizes, seconds = list(measured.seconds), list(measured.seconds.values())
    return {
        "step_ratio": measured.ratios()[-1],
        "best_step_ratio": min(seconds[-1]) / min(seconds[0]),
        "sizes": sizes,
        "step_seconds": [float(f"{statistics.median(own):.5g}") for own in seconds],
        "steps": len(seconds[0]),
        "device": measured.device,
    }


if __name__ == "__main__":
    harness.run(main, define_flags())
