"""Functions that the benchmarks share: flags, clocks, memory, the machine's matrix product, tables and the last line.

A machine is seldom quiet. Variants that are compared therefore take turns within one run, and their medians are
compared.
"""

import argparse
import json
import os
import resource
import statistics
import sys
import tempfile
import textwrap
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from elmo_tf.cli.quiet import start_tensorflow
from elmo_tf.errors import InputError

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_IMPORTED = time.time()

Main = Callable[[argparse.Namespace], dict[str, Any]]


def run(main: Main, parser: argparse.ArgumentParser) -> None:
    """Reads the flags, calls `main` and prints its result as the last line; a user's mistake ends in one sentence."""
    arguments = parser.parse_args()
    start_tensorflow()
    import tensorflow as tf

    tf.get_logger().setLevel("ERROR")  # TensorFlow warns of one function traced again; here several models are traced
    try:
        values = main(arguments)
    except InputError as error:
        sys.exit(f"{parser.prog}: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
    print(json.dumps(values), flush=True)


def flags(description: str | None) -> argparse.ArgumentParser:
    """Makes a parser without flags; `description` is the script's docstring."""
    return argparse.ArgumentParser(
        description=textwrap.dedent(description or ""),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )


def whole(lower: int) -> Callable[[str], int]:
    """Returns the type of a flag whose value is a whole number of at least `lower`."""

    def read(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = lower - 1
        if value < lower:
            raise argparse.ArgumentTypeError(f"expected a whole number of at least {lower}, got {text!r}")
        return value

    return read


def process_age() -> float:
    """Seconds since this process was started. Without /proc, the start of the interpreter itself is not counted."""
    try:
        with open("/proc/self/stat") as stat, open("/proc/uptime") as uptime:
            ticks = float(stat.read().rsplit(")", 1)[1].split()[19])
            return float(uptime.read().split()[0]) - ticks / os.sysconf("SC_CLK_TCK")
    except OSError:
        return time.time() - _IMPORTED


def resident_memory() -> int:
    """Bytes of this process that are in memory now; without /proc, the peak so far."""
    try:
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return peak_memory()


def peak_memory(device: str = "CPU:0") -> int:
    """The largest number of bytes in use so far: in the process, or by TensorFlow on a GPU."""
    if "GPU" in device:
        import tensorflow as tf

        return int(tf.config.experimental.get_memory_info(device)["peak"])
    try:
        with open("/proc/self/status") as file:  # getrusage's count would begin with the memory of the parent process
            return next(int(line.split()[1]) * 1024 for line in file if line.startswith("VmHWM:"))
    except (OSError, StopIteration):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def cores() -> int:
    """The number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class MatrixProduct:
    """The machine's rate of a product of square matrices, measured between the steps of a benchmark.

    In training, TensorFlow runs two operations at a time, each on half of the cores, so a single product would use only
    half of a CPU. Therefore the product is also computed as two halves, which run at the same time. With one core, or
    on a GPU, the single product is faster. The higher of the two rates counts.

    Args:
        device: the device, such as "CPU:0".
        size: the number of rows and columns; by default 2048, and 8192 on a GPU.
        dtype: the type of the matrices.
    """

    def __init__(self, device: str = "CPU:0", size: int | None = None, dtype: str = "float32") -> None:
        import tensorflow as tf

        self.size, self.dtype = size or (8192 if "GPU" in device else 2048), dtype
        with tf.device(device):
            left, right = (
                tf.cast(tf.random.stateless_normal([self.size] * 2, [1, number]), dtype) for number in range(2)
            )
            halves = [tf.identity(right[:, : self.size // 2]), tf.identity(right[:, self.size // 2 :])]
        self._corner = tf.function(lambda: tf.matmul(left, right)[0, 0])
        self._corners = tf.function(lambda: [tf.matmul(left, half)[0, 0] for half in halves])
        self.rates: dict[str, list[float]] = {"single": [], "halves": []}
        for function in (self._corner, self._corners):
            function()

    def measure(self) -> None:
        """Computes the product once as a whole and once as two halves."""
        for name, function in (("single", self._corner), ("halves", self._corners)):
            started = time.perf_counter()
            result = function()
            _ = [float(part) for part in (result if isinstance(result, list) else [result])]
            self.rates[name].append(2e-9 * self.size**3 / (time.perf_counter() - started))

    @property
    def gflops(self) -> float:
        """The median rate, of the whole or of the halves, whichever is higher; in 10^9 operations a second."""
        return max(map(statistics.median, self.rates.values()))

    def describe(self) -> str:
        """Returns a line that shows the rates."""
        single, halves = (self.rates[name] for name in ("single", "halves"))
        return (
            f"{self.dtype} product of {self.size} x {self.size}: single {statistics.median(single):.1f} GFLOP/s (best "
            f"{max(single):.1f}), as two halves at once {statistics.median(halves):.1f} (best {max(halves):.1f})"
        )


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Prints a table; the first column is aligned to the left, the others to the right."""
    widths = [max(len(row[column]) for row in [header, *rows]) for column in range(len(header))]
    for row in [header, *rows]:
        cells = [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        print("  ".join(cells).rstrip(), flush=True)


def milliseconds(seconds: Sequence[float]) -> tuple[str, str]:
    """Formats the median and the smallest of some times, in milliseconds."""
    return f"{1e3 * statistics.median(seconds):.1f}", f"{1e3 * min(seconds):.1f}"


def rounded(values: Mapping[str, Any], digits: int = 5) -> dict[str, Any]:
    """Returns the values with floats rounded to a number of significant digits."""
    return {name: float(f"{value:.{digits}g}") if isinstance(value, float) else value for name, value in values.items()}


def working_folder() -> "tempfile.TemporaryDirectory[str]":
    """Makes a temporary folder, which is removed at the end of its `with` block."""
    return tempfile.TemporaryDirectory(prefix="elmo_tf_benchmark_")
