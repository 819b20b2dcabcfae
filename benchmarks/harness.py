"""What the benchmarks share: clocks, memory, the machine's matrix product, a text, tables and the last line.

A machine is seldom quiet, so whatever is compared takes turns within one run, and medians are compared.
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
    """Reads the flags, measures, and prints what `main` returns as the last line; bad input ends in one sentence."""
    arguments = parser.parse_args()
    start_tensorflow()
    import tensorflow as tf

    tf.get_logger().setLevel("ERROR")  # several models are traced here, which it takes for one traced again and again
    try:
        values = main(arguments)
    except InputError as error:
        sys.exit(f"{parser.prog}: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
    print(json.dumps(values), flush=True)


def flags(description: str | None) -> argparse.ArgumentParser:
    """An empty set of flags; `description` is the script's docstring."""
    return argparse.ArgumentParser(
        description=textwrap.dedent(description or ""),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )


def whole(lower: int) -> Callable[[str], int]:
    """A flag's type: a whole number from `lower` on."""

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
    """Seconds since this process was started, the interpreter's own start included where /proc tells."""
    try:
        with open("/proc/self/stat") as stat, open("/proc/uptime") as uptime:
            ticks = float(stat.read().rsplit(")", 1)[1].split()[19])
            return float(uptime.read().split()[0]) - ticks / os.sysconf("SC_CLK_TCK")
    except OSError:
        return time.time() - _IMPORTED


def resident_memory() -> int:
    """Bytes of this process that are in memory now; the peak where /proc does not tell."""
    try:
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return peak_memory()


def peak_memory(device: str = "CPU:0") -> int:
    """The most bytes that were in use so far: of the process, or those that TensorFlow took on a GPU."""
    if "GPU" in device:
        import tensorflow as tf

        return int(tf.config.experimental.get_memory_info(device)["peak"])
    try:
        with open("/proc/self/status") as file:  # the system's other count begins with the memory of who started us
            return next(int(line.split()[1]) * 1024 for line in file if line.startswith("VmHWM:"))
    except (OSError, StopIteration):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class MatrixProduct:
    """The machine's rate at a float32 product of square matrices, to be measured between the steps of something else.

    Training sets one operation on half of the cores and two operations at once, so a single product would show half of
    a CPU. Two products that make the halves of the result, which run beside one another, show all of it; where there is
    but one core, or on a GPU, the single product is the faster. The higher rate is the machine's.

    Args:
        device: such as "CPU:0".
        size: rows and columns; by default 2048, and 8192 on a GPU.
    """

    def __init__(self, device: str = "CPU:0", size: int | None = None) -> None:
        import tensorflow as tf

        self.size = size or (8192 if "GPU" in device else 2048)
        with tf.device(device):
            left, right = (tf.random.stateless_normal([self.size] * 2, [1, number]) for number in range(2))
            halves = [tf.identity(right[:, : self.size // 2]), tf.identity(right[:, self.size // 2 :])]
        self._corner = tf.function(lambda: tf.matmul(left, right)[0, 0])
        self._corners = tf.function(lambda: [tf.matmul(left, half)[0, 0] for half in halves])
        self.rates: dict[str, list[float]] = {"single": [], "halves": []}
        for function in (self._corner, self._corners):
            function()

    def measure(self) -> None:
        """Multiplies once in either way."""
        for name, function in (("single", self._corner), ("halves", self._corners)):
            started = time.perf_counter()
            result = function()
            _ = [float(part) for part in (result if isinstance(result, list) else [result])]
            self.rates[name].append(2e-9 * self.size**3 / (time.perf_counter() - started))

    @property
    def gflops(self) -> float:
        """The median of the better way, in 10^9 operations a second."""
        return max(map(statistics.median, self.rates.values()))

    def describe(self) -> str:
        """One line for people."""
        single, halves = (self.rates[name] for name in ("single", "halves"))
        return (
            f"float32 product of {self.size} x {self.size}: single {statistics.median(single):.1f} GFLOP/s (best "
            f"{max(single):.1f}), as two halves at once {statistics.median(halves):.1f} (best {max(halves):.1f})"
        )


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Prints columns: the first to the left, the others to the right."""
    widths = [max(len(row[column]) for row in [header, *rows]) for column in range(len(header))]
    for row in [header, *rows]:
        cells = [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        print("  ".join(cells).rstrip(), flush=True)


def milliseconds(seconds: Sequence[float]) -> tuple[str, str]:
    """Median and best, in milliseconds."""
    return f"{1e3 * statistics.median(seconds):.1f}", f"{1e3 * min(seconds):.1f}"


def rounded(values: Mapping[str, Any], digits: int = 5) -> dict[str, Any]:
    """The values, floats with so many significant digits."""
    return {name: float(f"{value:.{digits}g}") if isinstance(value, float) else value for name, value in values.items()}


def working_folder() -> "tempfile.TemporaryDirectory[str]":
    """A folder that is gone when it is left."""
    return tempfile.TemporaryDirectory(prefix="elmo_tf_benchmark_")
