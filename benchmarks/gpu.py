#!/usr/bin/env python
"""All that is to be known of this package on a GPU, in one call of under eight minutes and without a network.

    python benchmarks/gpu.py
    python benchmarks/gpu.py --seconds=200 --models=original --batch_sizes=512

First come the versions and the devices, then the checks: the embeddings and training traces of bilm-tf and AllenNLP, if
they lie in $ELMO_TF_SHARED or ../shared, and with several devices two steps of one replica beside those of all replicas
with the same rows. Then follow the rates of large products, of embedding, and of training: for each model, batch size,
precision and with XLA or without, on the first device, and the most important of them on all devices. The most
important runs come first, and those for which no time is left are named.

Of a run, words/s are those of steps that are sent one after the other without a wait for their results, and the wait
for the input is counted in. "waiting" are the words/s where each step is waited for. "of f32" and "of bf16" are the
needed multiplications relative to products of large matrices. "peak" is the memory of the steps on a GPU, "estimate"
what `elmo-tf train` prints. "launches" are counted in the graph. --small tries everything out with a tiny model.
"""

import argparse
import dataclasses
import functools
import gc
import importlib
import os
import statistics
import sys
import time
from typing import TYPE_CHECKING, Any

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))  # measure the checkout that this is in

from benchmarks import harness, text
from elmo_tf.option_groups import CharCnnOptions, LstmOptions
from elmo_tf.options import Options

if TYPE_CHECKING:
    import tensorflow as tf

    from elmo_tf.training.input_checks import RunInput

PRECISIONS = ("bfloat16", "float32", "tf32", "float16")
"""The precisions, the most important first; tf32 is float32 with TensorFloat-32 products."""

_SYNCHRONOUS, _IN_FLIGHT, _ROUNDS = 4, 6, 3
"""The number of steps that are waited for, each; of those that are sent one after the other; and of rounds of these."""


def define_flags() -> argparse.ArgumentParser:
    """Declares the script's flags."""
    parser = harness.flags(__doc__)
    parser.add_argument("--models", default="original,small", help="models of configs/ (%(default)s)")
    parser.add_argument("--batch_sizes", default="512,128,256", help="rows, the most important first (%(default)s)")
    parser.add_argument("--seconds", type=harness.whole(0), default=440, help="time for all of it (%(default)s)")
    parser.add_argument("--small", action="store_true", help="tiny models and two runs, to try the script out on a CPU")
    text.define_flags(parser, vocabulary_size=100_000)
    return parser


@dataclasses.dataclass(frozen=True)
class Case:
    """A run of training steps to measure.

    Args:
        model: the name of a model in configs/.
        rows: the batch size of a replica.
        precision: one of `PRECISIONS`.
        jit_compile: whether XLA compiles loss and gradients.
        devices: the devices of the replicas.
    """

    model: str
    rows: int
    precision: str
    jit_compile: bool
    devices: tuple[str, ...]

    @property
    def name(self) -> str:
        """The case in words, for the table."""
        xla = " XLA" if self.jit_compile else ""
        replicas = f" x {len(self.devices)}" if len(self.devices) > 1 else ""
        return f"{self.model} {self.rows}{replicas} {self.precision}{xla}"


def order_cases(models: list[str], rows: list[int], devices: tuple[str, ...]) -> list[Case]:
    """All cases, the most important first.

    For each model, first all precisions without XLA and then those with it at the first batch size, then the other
    batch sizes; the best precision on all devices comes second.

    Example:

    >>> cases = order_cases(["original"], [512, 128], ("GPU:0", "GPU:1"))
    >>> [case.name for case in cases[:4]]
    ['original 512 bfloat16', 'original 512 x 2 bfloat16', 'original 512 bfloat16 XLA', 'original 512 float32']
    >>> len(cases)
    17
    """
    found = []
    for size in rows:
        for model in models:
            for precision in PRECISIONS:
                for jit_compile in (False, True):
                    found.append(Case(model, size, precision, jit_compile, devices[:1]))
    if len(devices) > 1:
        found.insert(1, dataclasses.replace(found[0], devices=devices))
    return found


def main(arguments: argparse.Namespace) -> dict[str, Any]:
    """Measures, prints the tables, and returns the values of the last line."""
    import tensorflow as tf

    from benchmarks import gpu_checks
    from elmo_tf.training.devices import make_strategy

    until = time.perf_counter() + arguments.seconds - (0 if arguments.small else harness.process_age())
    strategy = make_strategy()
    devices = tuple(name.split("/device:")[-1] for name in strategy.extended.worker_devices)
    values: dict[str, Any] = {"versions": gpu_checks.versions(devices)}
    for name, value in values["versions"].items():
        print(f"{name}: {value}", flush=True)
    tf32 = tf.config.experimental.tensor_float_32_execution_enabled()
    try:
        tf.config.experimental.enable_tensor_float_32_execution(False)
        values["checks"] = gpu_checks.check(_options("original", 8, True, characters=True), strategy)
        values["products"] = measure_products(devices[0], 64 if arguments.small else None)
        with harness.working_folder() as folder:
            found = text.find(arguments, folder)
            values["embedding"] = measure_embedding(arguments, found, devices[0])
            values |= measure_cases(arguments, found, strategy, values["products"], until, folder)
    finally:
        tf.config.experimental.enable_tensor_float_32_execution(tf32)
    return values


def measure_products(device: str, size: int | None) -> dict[str, float]:
    """The rates of large products by precision, in 10^9 operations a second."""
    import tensorflow as tf

    rates = {}
    for precision in PRECISIONS:
        tf.config.experimental.enable_tensor_float_32_execution(precision == "tf32")
        product = harness.MatrixProduct(device, size, "float32" if precision == "tf32" else precision)
        for _ in range(5):
            product.measure()
        rates[precision] = float(f"{product.gflops:.5g}")
        print(f"{precision} product of {product.size} x {product.size}: {product.gflops:,.0f} GFLOP/s", flush=True)
    tf.config.experimental.enable_tensor_float_32_execution(False)
    return rates


def measure_embedding(arguments: argparse.Namespace, found: text.Text, device: str) -> dict[str, Any]:
    """The tokens/s of sentences that become vectors, words encoded once a batch."""
    import tensorflow as tf

    from elmo_tf.data.text import expand_patterns, iterate_lines
    from elmo_tf.inference.length_batches import batches
    from elmo_tf.inference.sentence_embedder import SentenceEmbedder
    from elmo_tf.models.bilm import BiLM

    model = arguments.models.split(",")[0]
    options = _options(model, 8, arguments.small, characters=True)
    lines = (
        line.split() for file in expand_patterns(found.train_files, "--train_files") for line in iterate_lines(file)
    )
    sentences = [
        words for words, _ in zip((w for w in lines if w), range(8 if arguments.small else 3000), strict=False)
    ]
    with tf.device(device):
        embed = SentenceEmbedder(BiLM(options))
        parts = [[words for _, words in batch] for batch in batches(enumerate(sentences), 16_384)]
        embed(parts[-1])
        started = time.perf_counter()
        for part in parts:
            embed(part)
        rate = sum(map(len, sentences)) / (time.perf_counter() - started)
    print(f"embedding with {model}: {rate:,.0f} tokens/s", flush=True)
    return {"model": model, "tokens_per_second": float(f"{rate:.5g}")}


def measure_cases(
    arguments: argparse.Namespace,
    found: text.Text,
    strategy: "tf.distribute.Strategy",
    products: dict[str, float],
    until: float,
    folder: str,
) -> dict[str, Any]:
    """Measures the cases for which there is time; returns them, and the names of the others.

    `strategy` is that of all devices; a process can have one of several devices only (`gpu_checks.compare_replicas`).
    """
    from elmo_tf.data.corpus_cache import CorpusCache
    from elmo_tf.training.input_checks import check_run_input

    cache = CorpusCache(folder, lambda line: None)

    @functools.cache
    def prepared(model: str, rows: int, replicas: int) -> "RunInput":
        options = _options(model, rows, arguments.small)
        made = check_run_input(options, found.train_files, (), found.vocab_file, replicas, cache)
        cache.keep()  # the next case finds the text encoded; it is removed with the folder
        return made

    sizes = [harness.whole(1)(size) for size in arguments.batch_sizes.split(",")]
    devices = tuple(name.split("/device:")[-1] for name in strategy.extended.worker_devices)
    cases = order_cases(arguments.models.split(","), sizes, devices)
    if arguments.small:
        cases = [cases[0], cases[1] if len(devices) > 1 else dataclasses.replace(cases[0], precision="tf32")]
    measured: list[dict[str, Any]] = []
    left_out = []
    longest = {True: 0.0, False: 0.0}
    for case in cases:
        if time.perf_counter() + longest[case.jit_compile] > until:
            left_out.append(case.name)
            continue
        started = time.perf_counter()
        measured.append(_measure_or_say_why_not(case, strategy, prepared, products))
        longest[case.jit_compile] = max(longest[case.jit_compile], time.perf_counter() - started)
        print(f"{case.name}: {describe(measured[-1])}", flush=True)
    show(measured)
    if left_out:
        print(f"left out, for --seconds={arguments.seconds} were over: {', '.join(left_out)}")
    return {"training": measured, "left_out": left_out}


def _measure_or_say_why_not(case: Case, strategy: Any, prepared: Any, products: dict[str, float]) -> dict[str, Any]:
    """Measures a case; where TensorFlow fails, as for want of memory, the result says why."""
    import tensorflow as tf

    try:
        made = prepared(case.model, case.rows, len(case.devices))
        return {"case": case.name, **measure_case(case, strategy, made, products)}
    except tf.errors.OpError as error:
        return {"case": case.name, "error": f"{type(error).__name__}: {' '.join(str(error.message).split())[:200]}"}
    finally:
        gc.collect()  # a model holds its memory until then, because its functions and variables refer to each other


def measure_case(
    case: Case, strategy: "tf.distribute.Strategy", prepared: "RunInput", products: dict[str, float]
) -> dict[str, Any]:
    """Takes steps of a case, and returns what they show; `strategy` is that of all devices."""
    import tensorflow as tf

    from benchmarks.trainer import TimedTrainer, run_settings
    from elmo_tf.training import assembly
    from elmo_tf.training.devices import make_strategy
    from elmo_tf.training.prefetch import PrefetchedStream

    tf.config.experimental.enable_tensor_float_32_execution(case.precision != "float32")  # as a run does
    precision = "float32" if case.precision == "tf32" else case.precision
    on_gpu = "GPU" in case.devices[0]
    if on_gpu:
        tf.config.experimental.reset_memory_stats(case.devices[0])
    before = tf.config.experimental.get_memory_info(case.devices[0])["current"] if on_gpu else 0
    started = time.perf_counter()
    trainer = TimedTrainer(
        prepared.options,
        strategy if len(case.devices) > 1 else make_strategy(case.devices),
        precision=precision,
        jit_compile=case.jit_compile,
    )
    settings = run_settings(prepared.options, jit_compile=case.jit_compile)
    stream = PrefetchedStream(assembly.make_stream(settings, prepared, len(case.devices)))
    trainer(next(stream)[0])
    first = time.perf_counter() - started
    seconds = statistics.median(_take(trainer, stream)[1] for _ in range(_SYNCHRONOUS))
    rounds, waits = [], []
    for _ in range(_ROUNDS):
        started = time.perf_counter()
        for _ in range(_IN_FLIGHT):
            waited = time.perf_counter()
            tensors, _ = next(stream)
            waits.append(time.perf_counter() - waited)
            result = trainer.send(tensors)
        float(result.norm)
        rounds.append((time.perf_counter() - started) / _IN_FLIGHT)
    in_flight = statistics.median(rounds)  # in a round XLA may have compiled for shapes that were new
    words = len(case.devices) * case.rows * prepared.options.training.unroll_steps
    rate = _flop(prepared.options, tensors) / in_flight / 1e9 / len(case.devices)
    peak = tf.config.experimental.get_memory_info(case.devices[0])["peak"] - before if on_gpu else None
    return harness.rounded(
        {
            "words_per_second": words / in_flight,
            "words_per_second_waiting": words / seconds,
            "step_seconds": in_flight,
            "first_step_seconds": first,
            "input_wait_seconds": statistics.mean(waits),
            "launches": count_launches(trainer),
            "peak_memory_bytes": peak,
            "estimated_memory_bytes": trainer.estimate_run_memory(stream).total,
            "fraction_of_float32": rate / products["float32"],
            "fraction_of_bfloat16": rate / products["bfloat16"],
            "loss": float(tf.reduce_mean(result.losses)),
        }
    )


def _take(trainer: Any, stream: Any) -> tuple[float, float]:
    """Takes a step and waits for it; returns the wait for its input, and that with the time of the step."""
    started = time.perf_counter()
    tensors, _ = next(stream)
    waited = time.perf_counter() - started
    return waited, waited + trainer(tensors)


def _flop(options: Options, tensors: Any) -> float:
    """The floating point operations that a step on this input needs, in all replicas."""
    from benchmarks import counting
    from elmo_tf.training.step_input import unflatten_step

    windows = unflatten_step([tensor.numpy() for tensor in tensors]).windows
    return 2.0 * sum(counting.of_window(options, part.words, options.training.batch_size).total for part in windows)


def count_launches(trainer: Any) -> int | None:
    """The launches of a step on a GPU, by its graph; None without `benchmarks/graph_audit.py`."""
    try:
        graph_audit: Any = importlib.import_module("benchmarks.graph_audit")
    except ImportError:
        return None
    return int(graph_audit.count_launches(graph_audit.audit(trainer.graph())))


def _options(model: str, rows: int, small: bool, characters: bool = False) -> Options:
    """The options of a model of configs/; where `small`, those of a tiny one, which reads words or characters."""
    if small:
        lstm = LstmOptions(dim=8, projection_dim=4, n_layers=1, cell_clip=3, proj_clip=3)
        char_cnn = CharCnnOptions(((1, 4), (2, 4)), 4, "relu", 1, 12) if characters else None
        options = Options(lstm, char_cnn, bidirectional=False)
        return options.replace(batch_size=4, unroll_steps=4, n_negative_samples_batch=8)
    path = model if model.endswith(".json") else os.path.join(harness.ROOT, "configs", f"{model}.json")
    return Options.from_file(path).replace(batch_size=rows, n_tokens_vocab=None)


def describe(row: dict[str, Any]) -> str:
    """A measured case in a few words."""
    if "error" in row:
        return str(row["error"])
    return f"{row['words_per_second']:,.0f} words/s, first step after {row['first_step_seconds']:.0f} s"


def show(measured: list[dict[str, Any]]) -> None:
    """Prints the table of the cases that could be measured."""
    header = [
        "case",
        "words/s",
        "waiting",
        "step ms",
        "input ms",
        "launches",
        "peak MB",
        "estimate MB",
        "of f32",
        "of bf16",
    ]
    harness.table(
        header,
        [
            [
                row["case"],
                f"{row['words_per_second']:,.0f}",
                f"{row['words_per_second_waiting']:,.0f}",
                f"{1e3 * row['step_seconds']:.1f}",
                f"{1e3 * row['input_wait_seconds']:.1f}",
                "" if row["launches"] is None else f"{row['launches']:,}",
                "" if row["peak_memory_bytes"] is None else f"{row['peak_memory_bytes'] / 1e6:,.0f}",
                f"{row['estimated_memory_bytes'] / 1e6:,.0f}",
                f"{row['fraction_of_float32']:.1%}",
                f"{row['fraction_of_bfloat16']:.1%}",
            ]
            for row in measured
            if "error" not in row
        ],
    )


if __name__ == "__main__":
    harness.run(main, define_flags())
