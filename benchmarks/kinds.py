"""The time of a training step by kind of operation, from TensorFlow's profiler."""

import glob
import os
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import tensorflow as tf

from benchmarks import harness

PRODUCTS, COMPILED, MOVES = "matrix products", "gates and softmax, compiled", "copies: stack, slice, pad, transpose"
TABLES, OPTIMIZER, OTHER = "look-ups and sums of rows", "optimizer and norm", "other operations"
SCHEDULING, IDLE = "scheduling by TensorFlow", "idle, or not recorded"

_KIND_OF = {
    "MatMul": PRODUCTS,
    **dict.fromkeys(("Adagrad", "Adam", "L2Loss"), OPTIMIZER),
    **dict.fromkeys(("Gather", "SegmentSum", "Unique", "Where"), TABLES),
    **dict.fromkeys(("Pack", "Concat", "Slice", "Split", "Pad", "Transpose", "Reshape", "Cast", "Tile"), MOVES),
}
"""The kind of an operation by a part of its type's name; the first that fits counts."""

_COMPILED_CALL = "CpuExecutable::ExecuteAsyncOnStream"
"""The event in which the kernels of a function that XLA has compiled run."""

_THREADS = "tf_Compute"
"""The names of the threads that run operations begin with it."""


def profile(take_step: Callable[[], Any], steps: int, folder: str) -> tuple[dict[str, float], float]:
    """Profiles steps; returns the seconds of each kind in a step, of all cores together, and the seconds of a step.

    An operation that is divided between cores counts on one of them; what the other cores do for it is in `IDLE`.

    Args:
        take_step: takes one step and waits for its end.
        steps: the number of steps.
        folder: a folder for the profiler's files.
    """
    options = tf.profiler.experimental.ProfilerOptions(host_tracer_level=2, python_tracer_level=0)
    tf.profiler.experimental.start(folder, options=options)
    started = time.perf_counter()
    for _ in range(steps):
        take_step()
    seconds = (time.perf_counter() - started) / steps
    tf.profiler.experimental.stop()
    kinds: dict[str, float] = defaultdict(float)
    for plane in _read(folder).planes:
        names = {number: entry.name for number, entry in plane.event_metadata.items()}
        for line in plane.lines:
            if line.name.startswith(_THREADS):
                for kind, own in _own_times([(names[e.metadata_id], e.offset_ps, e.duration_ps) for e in line.events]):
                    kinds[kind] += own * 1e-12 / steps
    kinds[IDLE] = max(0.0, harness.cores() * seconds - sum(kinds.values()))
    return kinds, seconds


def _read(folder: str) -> Any:
    from tensorflow.tsl.profiler.protobuf import xplane_pb2  # a part of TensorFlow without a public name

    (path,) = glob.glob(os.path.join(glob.escape(folder), "**", "*.xplane.pb"), recursive=True)
    space = xplane_pb2.XSpace()
    with open(path, "rb") as file:
        space.ParseFromString(file.read())
    return space


def _own_times(events: list[tuple[str, int, int]]) -> Iterator[tuple[str, int]]:
    """Yields the kind and the time of each event of a thread, and takes that time off the event which it is inside of.

    So the sum of a kind's times is the time of its events without the events inside of them.

    Args:
        events: name, start and duration of each.
    """
    running: list[tuple[str, int]] = []  # kind and end of each event that the current one is inside of
    for name, start, duration in sorted(events, key=lambda event: (event[1], -event[2])):
        while running and running[-1][1] <= start:
            running.pop()
        inside = running[-1][0] if running else None
        if inside is not None:
            yield inside, -duration
        kind = COMPILED if inside == COMPILED else _kind(name)
        yield kind, duration
        running.append((kind, start + duration))


def _kind(name: str) -> str:
    """The kind of an event; those of operations are named `name:type`, others `part::function`."""
    if name == _COMPILED_CALL:
        return COMPILED
    operation, _, kind = name.rpartition(":")
    if not operation or operation.endswith(":"):
        return SCHEDULING
    return next((known for part, known in _KIND_OF.items() if part in kind), OTHER)


def show(kinds: Mapping[str, float], seconds: float) -> None:
    """Prints the table."""
    print(f"a step of {1e3 * seconds:.1f} ms with the profiler, on {harness.cores()} cores:")
    largest_first = sorted(kinds.items(), key=lambda item: -item[1])
    rows = [[kind, f"{1e3 * own:.1f}", f"{own / (harness.cores() * seconds):.1%}"] for kind, own in largest_first]
    harness.table(["kind", "ms of all cores", "share"], rows)
