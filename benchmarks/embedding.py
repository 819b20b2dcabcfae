#!/usr/bin/env python
"""Tokens/s of sentences that become vectors: elmo_tf, with and without a cache of words, and others that are installed.

    python benchmarks/embedding.py
    python benchmarks/embedding.py --config=configs/original.json --sentences=192
    python benchmarks/embedding.py --stages

The same weights, drawn at random, and the same batches of like length for everyone. Each is a process of its own, and
they take turns. The first turn, which compiles and fills the cache, counts only for the seconds to the first sentence:
from the start of its process, the imports included.

The share of the matrix product counts what has to be multiplied if each distinct word of the text is encoded once.
"""

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import Any

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))  # measure the checkout that this is in

from benchmarks import embedding_peers, harness, text
from elmo_tf.errors import InputError
from elmo_tf.inference.length_batches import BATCH_TOKENS, batches

_WORD_CACHE = 100_000


def define_flags() -> argparse.ArgumentParser:
    """The script's flags."""
    parser = harness.flags(__doc__)
    config = os.path.join(harness.ROOT, "configs", "small.json")
    parser.add_argument("--config", default=config, help="options of the model (%(default)s)")
    text.define_files(parser)
    parser.add_argument("--sentences", type=harness.whole(1), default=640, help="of the text (%(default)s)")
    parser.add_argument("--batch_tokens", type=harness.whole(1), default=BATCH_TOKENS, help="of a batch (%(default)s)")
    parser.add_argument("--turns", type=harness.whole(1), default=3, help="of each, after the first (%(default)s)")
    parser.add_argument("--stages", action="store_true", help="compare our own ways to compute, in one process")
    parser.add_argument(
        "--budgets", default="4096,8192,16384", help="with --stages: tokens of a batch to compare (%(default)s)"
    )
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    return parser


@dataclass
class _Result:
    """What one of them showed: seconds of each turn, seconds to the first sentence, and peak memory in bytes."""

    seconds: list[float]
    first_seconds: float
    memory: int


def main(arguments: argparse.Namespace) -> dict[str, Any]:
    """Measures; returns the last line's values."""
    from benchmarks.counting import embedding_multiplications
    from elmo_tf.options import Options

    options = Options.from_file(arguments.config)
    with harness.working_folder() as folder:
        sentences = _sentences(arguments, folder)
        flop = 2 * embedding_multiplications(options, sentences)
        if arguments.stages:
            return _stages(arguments, options, sentences, flop)
        _write_model(options, folder)
        with open(os.path.join(folder, "batches.json"), "w", encoding="utf-8") as file:
            ordered = batches(enumerate(sentences), arguments.batch_tokens)
            json.dump([[sentence for _, sentence in batch] for batch in ordered], file)
        product = harness.MatrixProduct()
        results = _measured(folder, options, arguments.turns, product)
    return _shown(results, sum(map(len, sentences)), flop, product)


def _stages(arguments: argparse.Namespace, options: Any, sentences: list[list[str]], flop: int) -> dict[str, Any]:
    from benchmarks.embedding_stages import compare

    budgets = [harness.whole(1)(number) for number in arguments.budgets.split(",")]
    rows = compare(options, sentences, budgets, arguments.turns, flop)
    return {"stages": rows, "tokens": sum(map(len, sentences))}


def _sentences(arguments: argparse.Namespace, folder: str) -> list[list[str]]:
    from elmo_tf.data.text import expand_patterns, iterate_lines

    arguments.vocabulary_size = 4  # words are read by their characters
    found = text.find(arguments, folder)
    files = expand_patterns(found.train_files, "--train_files")
    lines = (line.split() for file in files for line in iterate_lines(file))
    sentences = [words for words, _ in zip((w for w in lines if w), range(arguments.sentences), strict=False)]
    if not sentences:
        raise InputError(f"{found.name}: expected sentences, got none", option="train_files")
    return sentences


def _write_model(options: Any, folder: str) -> None:
    """Weights at random, as HDF5: the form that everyone reads."""
    import keras
    import numpy as np

    from elmo_tf.formats.arrays import Arrays
    from elmo_tf.formats.hdf5 import write_hdf5
    from elmo_tf.models.bilm import BiLM
    from elmo_tf.models.weight_names import named_variables

    if options.char_cnn is None:
        raise InputError("expected a model that reads characters, as all that are compared do", option="config")
    keras.utils.set_random_seed(1)
    bilm = BiLM(options)
    bilm.build()
    arrays = {name: np.asarray(variable) for name, variable in named_variables(bilm).items()}
    write_hdf5(os.path.join(folder, "weights.hdf5"), Arrays.of("the random weights", arrays))
    options.write(os.path.join(folder, "options.json"))


def _measured(folder: str, options: Any, turns: int, product: harness.MatrixProduct) -> dict[str, _Result]:
    results: dict[str, _Result] = {}
    with contextlib.ExitStack() as stack:
        workers = {}
        for name in embedding_peers.installed(options):
            workers[name] = stack.enter_context(_worker(name, folder))
            first = _turn(name, workers[name])
            results[name] = _Result([], first["first_seconds"], first["memory"])
        for _ in range(turns):
            product.measure()
            for name, worker in workers.items():
                values = _turn(name, worker)
                results[name].seconds.append(values["seconds"])
                results[name].memory = values["memory"]
    return results


@contextlib.contextmanager
def _worker(name: str, folder: str) -> Any:
    """This script in a process of its own, which embeds the text whenever it is asked to."""
    command = [sys.executable, os.path.abspath(__file__), f"--worker={name}", f"--config={folder}"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        with contextlib.suppress(BrokenPipeError):
            process.communicate()


def _turn(name: str, process: Any) -> dict[str, Any]:
    with contextlib.suppress(BrokenPipeError):
        print(file=process.stdin, flush=True)
    line = process.stdout.readline()
    if not line:
        raise InputError(f"{name} could not be measured: see above")
    values: dict[str, Any] = json.loads(line)
    return values


def work(name: str, folder: str) -> None:
    """The worker: the whole text for every line that comes in; seconds and memory out."""
    with open(os.path.join(folder, "batches.json"), encoding="utf-8") as file:
        text_batches = json.load(file)
    embed = embedding_peers.load(name, folder, _WORD_CACHE)
    embed(text_batches[0][:1])
    first_seconds = harness.process_age()
    for _ in sys.stdin:
        started = time.perf_counter()
        for batch in text_batches:
            embed(batch)
        seconds = time.perf_counter() - started
        values = {"seconds": seconds, "first_seconds": first_seconds, "memory": harness.peak_memory()}
        print(json.dumps(values), flush=True)


def _shown(results: dict[str, _Result], tokens: int, flop: int, product: harness.MatrixProduct) -> dict[str, Any]:
    speeds = {name: tokens / statistics.median(result.seconds) for name, result in results.items()}
    shares = {name: speed * flop / tokens / (1e9 * product.gflops) for name, speed in speeds.items()}
    harness.table(
        ["", "tokens/s", "of the product", "peak MB", "s to the first"],
        [
            [name, f"{speeds[name]:,.0f}", f"{shares[name]:.1%}", f"{r.memory / 1e6:,.0f}", f"{r.first_seconds:.1f}"]
            for name, r in results.items()
        ],
    )
    print(product.describe())
    ours = {name: speed for name, speed in speeds.items() if name.startswith("elmo_tf")}
    best = max(ours, key=lambda name: ours[name])
    peers = [speed for name, speed in speeds.items() if name not in ours]
    return harness.rounded(
        {
            "tokens_per_second": speeds[best],
            "fraction_of_matmul": shares[best],
            "ratio_to_fastest_peer": speeds[best] / max(peers) if peers else None,
            "tokens": tokens,
            "mflop_per_token": 1e-6 * flop / tokens,
            "matmul_gflops": product.gflops,
            "peak_memory_bytes": results[best].memory,
            "first_sentence_seconds": results[best].first_seconds,
            "tokens_per_second_of": {name: round(speed, 1) for name, speed in speeds.items()},
        }
    )


if __name__ == "__main__":
    given = define_flags().parse_args()
    if given.worker:
        from elmo_tf.cli.quiet import start_tensorflow

        if given.worker.startswith("elmo_tf"):
            start_tensorflow()
        work(given.worker, given.config)
    else:
        harness.run(main, define_flags())
