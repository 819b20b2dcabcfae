#!/usr/bin/env python
"""Milliseconds of a training step by the size of the vocabulary, on one text; the sizes take turns, step by step.

    python benchmarks/vocabulary.py
    python benchmarks/vocabulary.py --sizes=10000,800000 --steps=100

The larger vocabularies are the smallest with made-up words behind it, so all models read and predict the same words;
the softmax table and its Adagrad accumulators grow, and the negatives are drawn from the whole of them. What a size
takes is set against the smallest in the same round: step_ratio is the median of the largest's ratios.
"""

import argparse
import os
import statistics
import sys
from typing import Any

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))  # measure the checkout that this is in

from benchmarks import harness, settings, text

_WARM_UP = 5


def define_flags() -> argparse.ArgumentParser:
    """The script's flags."""
    parser = harness.flags(__doc__)
    settings.define_flags(parser, steps=40)
    text.define_files(parser)
    parser.add_argument(
        "--sizes", type=_sizes, default="10000,100000,800000", help="words of the vocabularies (%(default)s)"
    )
    return parser


def _sizes(values: str) -> list[int]:
    return sorted(harness.whole(4)(value) for value in values.split(","))


def main(arguments: argparse.Namespace) -> dict[str, Any]:
    """Measures; returns the last line's values."""
    from benchmarks.trainer import Trainer, make_stream
    from elmo_tf.data.prefetching import Prefetched
    from elmo_tf.data.vocabulary import Vocabulary
    from elmo_tf.devices import make_strategy
    from elmo_tf.preparation import prepare

    strategy, sizes = make_strategy(), arguments.sizes
    trainers, streams = [], []
    with harness.working_folder() as folder:
        arguments.vocabulary_size = sizes[0]
        found = text.find(arguments, folder)
        words = Vocabulary.from_file(found.vocab_file).words
        for size in sizes:
            path = os.path.join(folder, f"extended_{size}.txt")
            Vocabulary(text.with_size(words, size)).save(path)
            prepared = prepare(settings.read_options(arguments), found.train_files, (), path, 1)
            trainers.append(Trainer(prepared.options, strategy))
            streams.append(Prefetched(make_stream(prepared), ahead=1))
        seconds: list[list[float]] = [[] for _ in sizes]
        for step in range(_WARM_UP + arguments.steps):
            # all input first: what is prepared meanwhile falls on all alike
            inputs = [next(stream)[0] for stream in streams]
            for trainer, tensors, times in zip(trainers, inputs, seconds, strict=True):
                spent = trainer(tensors)
                if step >= _WARM_UP:
                    times.append(spent)
    ratios = [statistics.median(b / a for a, b in zip(seconds[0], times, strict=True)) for times in seconds]
    harness.table(
        ["words", "median ms", "best ms", "of the smallest"],
        [
            [f"{size:,}", *harness.milliseconds(times), f"{ratio:.3f}"]
            for size, times, ratio in zip(sizes, seconds, ratios, strict=True)
        ],
    )
    return harness.rounded(
        {
            "step_ratio": ratios[-1],
            "best_step_ratio": min(seconds[-1]) / min(seconds[0]),
            "sizes": sizes,
            "step_seconds": [float(f"{statistics.median(times):.5g}") for times in seconds],
            "steps": arguments.steps,
            "device": strategy.extended.worker_devices[0].split("/device:")[-1],
            "config": os.path.basename(arguments.config),
            "text": found.name,
        }
    )


if __name__ == "__main__":
    harness.run(main, define_flags())
