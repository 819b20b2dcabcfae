"""Peak memory of embedding a short text and a long one, with a tiny model.

    python benchmarks/embedding_memory.py [--sentences=10000,1000000] [--output_format=hdf5]

Each text is embedded by a process of its own. The sentences have four words. What is written is one pooled vector a
sentence, so that the disk needs little room. The memory must not depend on the length of the text; `npz` is the
exception, because the directory of such an archive, an entry a sentence, has to be in memory.

It prints a table and, as its last line, one JSON object: `peak_memory_bytes` (by text) and `memory_ratio` (of the
longest text to the shortest).
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

from benchmarks import harness

OPTIONS = {
    "lstm": {"dim": 8, "projection_dim": 4, "n_layers": 2},
    "char_cnn": {"activation": "relu", "embedding": {"dim": 4}, "filters": [[1, 4]], "n_highway": 1},
}


def sentences(count: int) -> Iterator[str]:
    """Yields lines of four words, of which some are new in every thousand lines."""
    for number in range(count):
        yield f"the cat{number % 1000} saw w{number // 1000}\n"


def main(arguments: argparse.Namespace) -> dict[str, Any]:
    """Measures every text in a process of its own; or, with --measure, embeds one text in this process."""
    if arguments.measure:
        return embed(arguments.measure, arguments.output_format)
    peaks: dict[str, int] = {}
    rows = []
    with harness.working_folder() as folder:
        for count in map(int, arguments.sentences.split(",")):
            path = os.path.join(folder, f"{count}.txt")
            with open(path, "w", encoding="utf-8") as file:
                file.writelines(sentences(count))
            command = [sys.executable, __file__, f"--measure={path}", f"--output_format={arguments.output_format}"]
            done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
            found = json.loads(done.stdout.splitlines()[-1])
            peaks[f"{count:,}"] = found["peak_memory_bytes"]
            rows.append((f"{count:,}", f"{found['peak_memory_bytes'] / 1e6:,.1f} MB", f"{found['seconds']:,.0f} s"))
    harness.table(("sentences", "peak memory", "time"), rows)
    values = list(peaks.values())
    return {"peak_memory_bytes": peaks, "memory_ratio": round(values[-1] / values[0], 4)}


def embed(path: str, output_format: str) -> dict[str, Any]:
    """Embeds a text; returns the peak memory of this process, and the seconds that it took."""
    from elmo_tf.bulk.embed_file import embed_file
    from elmo_tf.models.bilm import BiLM
    from elmo_tf.store.load_model import LoadedBiLM

    bilm = BiLM(OPTIONS)
    bilm.build(None)
    start = time.perf_counter()
    settings: dict[str, Any] = {"layers": "top", "pooling": "mean", "output_format": output_format}
    embed_file(LoadedBiLM(bilm, None, path), path, path + ".vectors", **settings)
    os.remove(path + ".vectors")
    return {"peak_memory_bytes": harness.peak_memory(), "seconds": round(time.perf_counter() - start, 1)}


if __name__ == "__main__":
    parser = harness.flags(__doc__)
    parser.add_argument("--sentences", default="10000,1000000", help="lengths of the texts, comma-separated")
    parser.add_argument("--output_format", default="hdf5", choices=["hdf5", "parquet", "npz", "txt"])
    parser.add_argument("--measure", default=None, help=argparse.SUPPRESS)
    harness.run(main, parser)
