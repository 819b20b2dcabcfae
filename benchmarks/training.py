#!/usr/bin/env python
"""Words per second of training, and what share that is of what the machine can multiply.

    python benchmarks/training.py
    python benchmarks/training.py --stages
    python benchmarks/training.py --config=configs/original.json --batch_size=32 --steps=10

A word is one that both directions read. The rate of multiplications counts those that the algorithm needs, and no
others (benchmarks/counting.py), and is held against the rate of a float32 matrix product on all cores, measured between
the steps. The step is that of `elmo-tf train`, the wait for its input included. --stages takes the savings away and
gives them back one after the other; the stages take turns, step by step, on the same words, and begin alike, so that
their losses (the mean of the last 50 steps) can be compared: --stages --steps=500 shows that they learn alike.

Memory is the process's at its largest, with --stages before the other stages are made; on a GPU it is what TensorFlow
took there. first_step_seconds counts from the start of the process to the end of the first step.
"""

import argparse
import os
import statistics
import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))  # measure the checkout that this is in

from benchmarks import counting, harness, settings, text

if TYPE_CHECKING:
    from benchmarks.stages import Staged

_WARM_UP = 3
"""Steps before the clock counts."""

_LAST = 50
"""Steps at the end whose mean loss is printed."""


def define_flags() -> argparse.ArgumentParser:
    """The script's flags."""
    parser = harness.flags(__doc__)
    settings.define_flags(parser, steps=40)
    text.define_flags(parser)
    settings.define_compute_flags(parser)
    parser.add_argument(
        "--accumulation_steps", type=harness.whole(1), default=1, help="batches that make one step (%(default)s)"
    )
    parser.add_argument("--stages", action="store_true", help="a table of stages, from every token encoded on")
    return parser


def main(arguments: argparse.Namespace) -> dict[str, Any]:
    """Measures; returns the last line's values."""
    after_import = harness.resident_memory()
    from benchmarks.stages import STAGES, TRAINED, Staged
    from benchmarks.trainer import Trainer, make_stream
    from elmo_tf.data.prefetching import Prefetched
    from elmo_tf.devices import make_strategy
    from elmo_tf.preparation import prepare

    strategy = make_strategy()
    device = strategy.extended.worker_devices[0].split("/device:")[-1]
    parts = strategy.num_replicas_in_sync * arguments.accumulation_steps
    with harness.working_folder() as folder:
        found = text.find(arguments, folder)
        prepared = prepare(settings.read_options(arguments), found.train_files, (), found.vocab_file, parts)
        stream = Prefetched(make_stream(prepared, parts))

        def staged(stage: Any) -> Staged:
            jit_compile = stage.jit_compile or arguments.jit_compile
            trainer = Trainer(
                prepared.options, strategy, stage.implementation, arguments.precision, accumulation, jit_compile
            )
            return Staged(stage, trainer)

        accumulation = arguments.accumulation_steps
        trained = staged(TRAINED)
        trained(next(stream)[0])
        first_step = harness.process_age()
        product = harness.MatrixProduct(device)
        for _ in range(_WARM_UP):
            trained(next(stream)[0])
        peak = harness.peak_memory(device)
        estimated = trained.trainer.estimated_memory(stream).total
        stages = [trained]
        if arguments.stages:
            stages.clear()
            del trained  # it is ahead of the others; all begin alike, so that their losses can be compared
            stages = [staged(stage) for stage in STAGES]
            trained = stages[STAGES.index(TRAINED)]
        run = _Run(stages, stream, product)
        run.measure(arguments.steps)
    if not arguments.stages:
        peak = harness.peak_memory(device)
    training = prepared.options.training
    words = parts * training.batch_size * training.unroll_steps
    needed = (
        2e-6
        * statistics.mean(
            sum(counting.of_window(prepared.options, part, training.batch_size).total for part in step)
            for step in run.distinct
        )
        / words
    )
    seconds = statistics.median(run.seconds[stages.index(trained)])
    values = {
        "words_per_second": words / seconds,
        "best_words_per_second": words / min(run.seconds[stages.index(trained)]),
        "needed_mflop_per_word": needed,
        "gflops": 1e-3 * needed * words / seconds,
        "matmul_gflops": product.gflops,
        "fraction_of_matmul": 1e-3 * needed * words / seconds / product.gflops,
        "peak_memory_bytes": peak,
        "memory_after_import_bytes": after_import,
        "estimated_memory_bytes": estimated,
        "first_step_seconds": first_step,
        "step_seconds": seconds,
        "steps": arguments.steps,
        "words_per_step": words,
        "distinct_words_per_step": statistics.mean(sum(map(len, step)) for step in run.distinct),
        "device": device,
        "cores": harness.cores(),
        "precision": arguments.precision,
        "jit_compile": arguments.jit_compile,
        "accumulation_steps": accumulation,
        "config": os.path.basename(arguments.config),
        "vocabulary_size": len(prepared.vocabulary),
        "text": found.name,
    }
    values["stages"] = run.show(words, needed, product)
    _describe(values, product)
    return harness.rounded(values)


class _Run:
    """Stages that take turns.

    Args:
        stages: what is compared.
        stream: the input.
        product: measured between the rounds.
    """

    def __init__(self, stages: "Sequence[Staged]", stream: Any, product: harness.MatrixProduct) -> None:
        self._stages, self._stream, self._product = stages, stream, product
        self.seconds: list[list[float]] = [[] for _ in stages]
        self.distinct: list[list[Any]] = []

    def measure(self, steps: int) -> None:
        """So many steps of every stage; those that are new warm up first."""
        from elmo_tf.data.steps import unflattened

        for _ in range(_WARM_UP if len(self._stages) > 1 else 0):
            tensors, _ = next(self._stream)
            for stage in self._stages:
                stage(tensors)
        for _ in range(steps):
            self._product.measure()
            started = time.perf_counter()
            tensors, _ = next(self._stream)
            waited = time.perf_counter() - started
            for stage, seconds in zip(self._stages, self.seconds, strict=True):
                seconds.append(waited + stage(tensors))
            self.distinct.append([window.words.numpy() for window in unflattened(tensors).windows])

    def show(self, words: int, needed: float, product: harness.MatrixProduct) -> list[dict[str, Any]]:
        """Prints the table; its rows as values."""
        first = statistics.median(self.seconds[0])
        rows, values = [], []
        for stage, seconds in zip(self._stages, self.seconds, strict=True):
            rate = words / statistics.median(seconds)
            gflops = 1e-3 * needed * rate
            ratio = first / statistics.median(seconds)
            loss = statistics.mean(stage.trainer.losses[-_LAST:])
            rows.append(
                [
                    stage.stage.name,
                    *harness.milliseconds(seconds),
                    f"{rate:,.0f}",
                    f"{gflops:.1f}",
                    f"{gflops / product.gflops:.1%}",
                    f"{ratio:.2f}",
                    f"{loss:.4f}",
                ]
            )
            value = {"name": stage.stage.name, "words_per_second": rate, "ratio": ratio, "loss": loss}
            values.append(harness.rounded(value))
        header = ["stage", "median ms", "best ms", "words/s", "needed GFLOP/s", "of product", "ratio", "loss"]
        harness.table(header, rows)
        return values


def _describe(values: dict[str, Any], product: harness.MatrixProduct) -> None:
    print(product.describe())
    print(
        f"needed: {values['needed_mflop_per_word']:.1f} MFLOP a word; a step has {values['words_per_step']:,} words of "
        f"{values['text']}, {values['distinct_words_per_step']:,.0f} distinct ones in its parts"
    )
    print(
        f"memory: {values['peak_memory_bytes'] / 1e6:,.0f} MB; {values['memory_after_import_bytes'] / 1e6:,.0f} MB "
        f"after the import of TensorFlow, and {values['estimated_memory_bytes'] / 1e6:,.0f} MB above that by estimate"
    )
    print(f"first step {values['first_step_seconds']:.1f} s after the start, on {values['device']}")


if __name__ == "__main__":
    harness.run(main, define_flags())
