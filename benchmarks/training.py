#!/usr/bin/env python
"""Words per second of training, and the speed of training as a share of the speed of a matrix product.

    python benchmarks/training.py
    python benchmarks/training.py --stages
    python benchmarks/training.py --kinds
    python benchmarks/training.py --config=configs/original.json --batch_size=32 --steps=10

A word counts once, although both directions read it. Of the multiplications, only those that the algorithm needs are
counted (benchmarks/counting.py). Their rate is compared with that of a float32 matrix product on all cores, which is
measured between the steps. The step is that of `elmo-tf train`, and its time includes the wait for its input.

--stages measures the step without its optimizations, and then adds them one after the other. The stages take turns,
step by step, on the same words, and begin with the same weights, so that their losses (the mean of the last 50 steps)
can be compared. --stages --steps=500 shows that all of them learn equally well.

--kinds shows afterwards how much of a step each kind of operation takes: matrix products, compiled gates, copies,
look-ups and others, by TensorFlow's profiler, which itself takes some time.

peak_memory_bytes is the peak of the process, with --stages before the other stages are made; on a GPU, that of
TensorFlow on the GPU. first_step_seconds is the time from the start of the process to the end of the first step.
"""

import argparse
import functools
import os
import statistics
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))  # measure the checkout that this is in

from benchmarks import harness, settings, text
from elmo_tf.options import Options

if TYPE_CHECKING:
    import tensorflow as tf

    from benchmarks.stages import Stage, Staged
    from benchmarks.turns import StageSteps
    from elmo_tf.training.input_checks import RunInput


def define_flags() -> argparse.ArgumentParser:
    """Declares the script's flags."""
    parser = harness.flags(__doc__)
    settings.define_flags(parser, steps=40)
    text.define_flags(parser)
    settings.define_compute_flags(parser)
    parser.add_argument(
        "--accumulation_steps", type=harness.whole(1), default=1, help="number of batches in one step (%(default)s)"
    )
    parser.add_argument(
        "--deterministic",
        action="store_true",
        help="let TensorFlow take only deterministic operations",
    )
    parser.add_argument(
        "--stages", action="store_true", help="compare the step without optimizations with each stage up to the default"
    )
    parser.add_argument("--kinds", action="store_true", help="show the time of a step by kind of operation too")
    return parser


def main(arguments: argparse.Namespace) -> dict[str, Any]:
    """Measures, prints the table, and returns the values of the last line."""
    after_import = harness.resident_memory()
    from elmo_tf.data.corpus_cache import CorpusCache
    from elmo_tf.training.devices import enable_determinism, make_strategy
    from elmo_tf.training.input_checks import check_run_input

    if arguments.deterministic:
        enable_determinism()
    strategy = make_strategy()
    parts = strategy.num_replicas_in_sync * arguments.accumulation_steps
    with harness.working_folder() as folder:
        found = text.find(arguments, folder)
        cache = CorpusCache(folder, lambda line: None)
        options = settings.read_options(arguments)
        prepared = check_run_input(options, found.train_files, (), found.vocab_file, parts, cache)
        measured = _measure(arguments, strategy, prepared, parts, folder)
    values = {
        **_rates(measured),
        "peak_memory_bytes": measured.peak_memory,
        "memory_after_import_bytes": after_import,
        "estimated_memory_bytes": measured.estimated_memory,
        **_counts(measured),
        "device": measured.device,
        "cores": harness.cores(),
        "precision": arguments.precision,
        "jit_compile": arguments.jit_compile,
        "accumulation_steps": arguments.accumulation_steps,
        "config": os.path.basename(arguments.config),
        "vocabulary_size": len(prepared.vocabulary),
        "text": found.name,
        "stages": [harness.rounded(_stage_values(measured, stage)) for stage in measured.stages],
        **({"seconds_by_kind": harness.rounded(measured.kinds)} if measured.kinds else {}),
    }
    _show(measured, values)
    return harness.rounded(values)


@dataclass(frozen=True)
class _Measurements:
    """The measurements of all steps.

    Args:
        stages: the stages that took turns.
        trained: the one of them that `elmo-tf train` uses.
        words: the number of words of a step; each is read by both directions.
        multiplications: for each step, the number of multiplications that it needs.
        distinct: for each step, the number of distinct words of its parts.
        product: the matrix product, measured between the steps.
        first_step: the seconds from the start of the process to the end of the first step.
        peak_memory, estimated_memory: bytes of the stage that `elmo-tf train` uses, measured and estimated.
        device: the device that computed.
        kinds: the seconds of a step by kind of operation, of all cores together; empty if they are not asked for.
        profiled_seconds: the seconds of such a step.
    """

    stages: "list[StageSteps]"
    trained: "StageSteps"
    words: int
    multiplications: list[int]
    distinct: list[int]
    product: harness.MatrixProduct
    first_step: float
    peak_memory: int
    estimated_memory: int
    device: str
    kinds: dict[str, float]
    profiled_seconds: float

    @property
    def mflop_per_word(self) -> float:
        """The needed operations per word, in 10^6; a multiplication and its addition are two operations."""
        return 2e-6 * statistics.mean(self.multiplications) / self.words


def _measure(
    arguments: argparse.Namespace, strategy: "tf.distribute.Strategy", prepared: "RunInput", parts: int, folder: str
) -> _Measurements:
    from benchmarks.kinds import profile
    from benchmarks.stages import STAGES, TRAINED
    from benchmarks.trainer import make_stream
    from benchmarks.turns import Turns, warm_up
    from elmo_tf.training.prefetch import PrefetchedStream

    device = strategy.extended.worker_devices[0].split("/device:")[-1]
    stream = PrefetchedStream(make_stream(prepared, parts))
    make = functools.partial(_make_stage, arguments, strategy, prepared.options)
    stages = [make(TRAINED)]
    stages[0](next(stream)[0])
    first_step = harness.process_age()
    product = harness.MatrixProduct(device)
    warm_up(stages, stream)
    peak, estimated = harness.peak_memory(device), stages[0].trainer.estimate_run_memory(stream).total
    if arguments.stages:
        stages.clear()  # it has taken steps already, and all stages have to begin with the same weights
        stages += map(make, STAGES)
        warm_up(stages, stream)
    turns = Turns(stages, product, prepared.options)
    for _ in range(arguments.steps):
        turns.take(stream)
    taken, trained = turns.steps(), STAGES.index(TRAINED) if arguments.stages else 0
    if not arguments.stages:
        peak = harness.peak_memory(device)
    kinds: dict[str, float] = {}
    profiled = 0.0
    if arguments.kinds:
        kinds, profiled = profile(lambda: stages[trained](next(stream)[0]), arguments.steps, folder)
    return _Measurements(
        stages=taken,
        trained=taken[trained],
        words=parts * prepared.options.training.batch_size * prepared.options.training.unroll_steps,
        multiplications=turns.multiplications,
        distinct=turns.distinct,
        product=product,
        first_step=first_step,
        peak_memory=peak,
        estimated_memory=estimated,
        device=device,
        kinds=kinds,
        profiled_seconds=profiled,
    )


def _make_stage(
    arguments: argparse.Namespace, strategy: "tf.distribute.Strategy", options: Options, stage: "Stage"
) -> "Staged":
    from benchmarks.stages import Staged
    from benchmarks.trainer import TimedTrainer

    trainer = TimedTrainer(
        options,
        strategy,
        stage.implementation,
        precision=arguments.precision,
        accumulation_steps=arguments.accumulation_steps,
        jit_compile=stage.jit_compile or arguments.jit_compile,
    )
    return Staged(stage, trainer)


def _rates(measured: _Measurements) -> dict[str, Any]:
    """The rates of the stage that `elmo-tf train` uses."""
    rate = measured.words / measured.trained.median
    return {
        "words_per_second": rate,
        "best_words_per_second": measured.words / min(measured.trained.seconds),
        "needed_mflop_per_word": measured.mflop_per_word,
        "gflops": 1e-3 * measured.mflop_per_word * rate,
        "matmul_gflops": measured.product.gflops,
        "fraction_of_matmul": 1e-3 * measured.mflop_per_word * rate / measured.product.gflops,
    }


def _counts(measured: _Measurements) -> dict[str, Any]:
    return {
        "first_step_seconds": measured.first_step,
        "step_seconds": measured.trained.median,
        "steps": len(measured.distinct),
        "words_per_step": measured.words,
        "distinct_words_per_step": statistics.mean(measured.distinct),
    }


def _stage_values(measured: _Measurements, stage: "StageSteps") -> dict[str, Any]:
    return {
        "name": stage.name,
        "words_per_second": measured.words / stage.median,
        "ratio": measured.stages[0].median / stage.median,
        "loss": stage.loss,
    }


def _row(measured: _Measurements, stage: "StageSteps") -> list[str]:
    values = _stage_values(measured, stage)
    gflops = 1e-3 * measured.mflop_per_word * values["words_per_second"]
    return [
        stage.name,
        *harness.milliseconds(stage.seconds),
        f"{values['words_per_second']:,.0f}",
        f"{gflops:.1f}",
        f"{gflops / measured.product.gflops:.1%}",
        f"{values['ratio']:.2f}",
        f"{stage.loss:.4f}",
    ]


def _show(measured: _Measurements, values: dict[str, Any]) -> None:
    header = ["stage", "median ms", "best ms", "words/s", "needed GFLOP/s", "of product", "ratio", "loss"]
    harness.table(header, [_row(measured, stage) for stage in measured.stages])
    print(measured.product.describe())
    print(
        f"needed: {values['needed_mflop_per_word']:.1f} MFLOP a word; a step has {values['words_per_step']:,} words of "
        f"{values['text']}, {values['distinct_words_per_step']:,.0f} distinct ones in its parts"
    )
    print(
        f"memory: {values['peak_memory_bytes'] / 1e6:,.0f} MB; {values['memory_after_import_bytes'] / 1e6:,.0f} MB "
        f"after the import of TensorFlow, and {values['estimated_memory_bytes'] / 1e6:,.0f} MB above that by estimate"
    )
    print(f"first step {values['first_step_seconds']:.1f} s after the start, on {values['device']}")
    if measured.kinds:
        from benchmarks.kinds import show

        show(measured.kinds, measured.profiled_seconds)


if __name__ == "__main__":
    harness.run(main, define_flags())
