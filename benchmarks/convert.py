"""Time and memory of a conversion from a checkpoint to HDF5, compared with copying the file.

    python benchmarks/convert.py [--options_file=configs/original.json] [--repeats=5]

A separate process makes a model of random weights without a softmax. The benchmark then converts it and copies the
resulting file, in turn. A conversion reads the model, embeds a few sentences, writes, reads back, compares every array
and embeds again. A copy is `shutil.copyfile` and then fsync, which the conversion calls too. A tiny model is converted
first, so that the start of TensorFlow and the loading of libraries are not measured.

It prints a table and, as its last line, one JSON object: `copy_seconds` and `convert_seconds` (medians of all but the
first), `time_ratio` (of these two), `minimum_ratio` (of the shortest times), `first_convert_seconds` (the first
conversion, for which the process has to get its memory from the system), `peak_memory_bytes` (growth of the resident
memory during the first conversion) and `memory_ratio` (to the size of the HDF5 file).
"""

import argparse
import contextlib
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

TINY = {
    "lstm": {"dim": 6, "projection_dim": 4, "use_skip_connections": True},
    "char_cnn": {"activation": "relu", "embedding": {"dim": 4}, "filters": [[1, 8]], "n_highway": 1},
}


def make(options_file: str, folder: str) -> None:
    """Writes a checkpoint of a biLM with random weights; without an options file, that of a tiny model."""
    import numpy as np
    import tensorflow as tf

    from elmo_tf.models.weight_names import expected_shapes
    from elmo_tf.options import Options

    options = Options.from_file(options_file) if options_file else Options.from_dict(TINY)
    random = np.random.default_rng(0)
    weights = {
        name: tf.Variable(0.02 * random.standard_normal(shape, np.float32))
        for name, shape in expected_shapes(options).items()
    }
    options.write(os.path.join(folder, "options.json"))
    checkpoint = tf.train.Checkpoint(weights=weights, step=tf.Variable(0, dtype=tf.int64))
    tf.train.CheckpointManager(checkpoint, os.path.join(folder, "best"), max_to_keep=1).save(checkpoint_number=0)


@contextlib.contextmanager
def peak_memory() -> Iterator[list[int]]:
    """Measures the largest growth of resident memory during the block; yields a list whose one number it is."""
    before, found, done = resident(), [0], threading.Event()

    def watch() -> None:
        while not done.is_set():
            found[0] = max(found[0], resident() - before)
            time.sleep(0.002)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield found
    finally:
        done.set()
        thread.join()


def resident() -> int:
    """Bytes of resident memory of the process (Linux)."""
    pages = int(pathlib.Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGESIZE")


def copy_file(source: pathlib.Path, target: pathlib.Path) -> float:
    """Copies a file until it is on the disk, and removes the copy; returns the seconds without the removal."""
    start = time.perf_counter()
    shutil.copyfile(source, target)
    with open(target, "rb+") as file:
        os.fsync(file.fileno())
    seconds = time.perf_counter() - start
    target.unlink()
    return seconds


def give_pages(folder: pathlib.Path, size: int) -> None:
    """Writes and removes a file, so that the system has free pages of memory at hand.

    A virtual machine returns memory that is free for a second or two to its host, and has to wait when it needs it
    again. This waiting would be counted as time of the copy or of the conversion, whichever comes first.
    """
    with open(folder / "pages", "wb") as file:
        for _ in range(size >> 24):
            file.write(bytes(1 << 24))
    (folder / "pages").unlink()


def measure(folder: pathlib.Path, repeats: int) -> dict[str, float]:
    """Converts and copies in turn; prints each time, and returns the values of the last line."""
    from elmo_tf.conversion.convert import convert

    convert(str(folder / "tiny"), str(folder / "tiny_hdf5"))
    copies, conversions, size, peak = [], [], 0, 0
    source = sum(path.stat().st_size for path in (folder / "model").rglob("*") if path.is_file())
    for repeat in range(repeats):
        give_pages(folder, 2 * source)
        with peak_memory() as memory:
            start = time.perf_counter()
            convert(str(folder / "model"), str(folder / "hdf5"))
            conversions.append(time.perf_counter() - start)
        written = folder / "hdf5" / "weights.hdf5"
        size = written.stat().st_size
        peak = peak if repeat else memory[0]  # later conversions use memory that the allocator has kept
        give_pages(folder, 2 * source)
        copies.append(copy_file(written, folder / "copy"))
        shutil.rmtree(folder / "hdf5")
        print(f"{repeat + 1:>6}  copy {copies[-1]:7.3f} s   convert {conversions[-1]:7.3f} s", flush=True)
    first, later = conversions[0], conversions[1:] or conversions
    print(f"\n{size:,} bytes; first: copy {copies[0]:.3f} s, convert {first:.3f} s, {first / copies[0]:.2f} times")
    for name, of in (("minimum", min), ("median", statistics.median)):
        copy, conversion = of(copies[1:] or copies), of(later)
        print(f"{name}: copy {copy:.3f} s, convert {conversion:.3f} s, {conversion / copy:.2f} times")
    print(f"peak memory of the first: {peak:,} bytes, {peak / size:.2f} times the file\n")
    return {
        "copy_seconds": round(copy, 4),
        "convert_seconds": round(conversion, 4),
        "time_ratio": round(conversion / copy, 3),
        "minimum_ratio": round(min(later) / min(copies[1:] or copies), 3),
        "first_convert_seconds": round(first, 4),
        "peak_memory_bytes": peak,
        "memory_ratio": round(peak / size, 3),
    }


def main() -> None:
    """Reads the flags, makes the models, measures, and prints the last line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--options_file", default=str(HERE.parent / "configs" / "original.json"))
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--work_dir", default=None, help="folder to work in; not set: the system's temporary folder")
    parser.add_argument("--make", default=None, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.make:
        make(arguments.options_file, arguments.make)
        return
    with tempfile.TemporaryDirectory(dir=arguments.work_dir) as name:
        folder = pathlib.Path(name)
        for kind, options_file in (("model", arguments.options_file), ("tiny", "")):
            (folder / kind).mkdir()
            command = [sys.executable, __file__, f"--options_file={options_file}", f"--make={folder / kind}"]
            subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
        result = measure(folder, arguments.repeats)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
