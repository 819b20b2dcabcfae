#!/usr/bin/env python
"""Milliseconds of the LSTM alone, forward and backward, for several implementations, which take turns in one run.

    python benchmarks/recurrence.py
    python benchmarks/recurrence.py --size=20,32,512,4096

    plain           the reference, with TensorFlow's gradients (elmo_tf.layers.recurrence.plain_recurrence)
    fused, ungated  with the hand-written backward pass; the gates are ordinary TensorFlow operations
    fused           the same with the gates compiled to kernels, as used in training
    XLA             the hand-written backward pass, compiled as a whole by XLA

One layer is computed in both directions, each with weights of its own. GFLOP/s counts the matrix products alone; a
multiplication and its addition are two operations.
"""

import argparse
import contextlib
import os
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from unittest import mock

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))  # measure the checkout that this is in

from benchmarks import harness

if TYPE_CHECKING:
    import tensorflow as tf

_WARM_UP = 2


def define_flags() -> argparse.ArgumentParser:
    """Declares the script's flags."""
    parser = harness.flags(__doc__)
    parser.add_argument(
        "--size",
        default="20,64,128,512",
        type=_sizes,
        help="numbers of steps, rows, the projection (which is also the input's size) and cells (%(default)s)",
    )
    parser.add_argument(
        "--repeats", type=harness.whole(1), default=40, help="turns of each implementation (%(default)s)"
    )
    return parser


def _sizes(text: str) -> list[int]:
    parts = text.split(",")
    if len(parts) != 4:
        raise argparse.ArgumentTypeError(f"expected four whole numbers, such as 20,64,128,512, got {text!r}")
    return [harness.whole(1)(part) for part in parts]


def main(arguments: argparse.Namespace) -> dict[str, Any]:
    """Measures, prints the table, and returns the values of the last line."""
    measured = _measure(arguments)
    _show(measured)
    return harness.rounded({**_values(measured), "size": arguments.size, "device": measured.device})


@dataclass(frozen=True)
class _Measurements:
    """The measurements of all turns.

    Args:
        first: for each implementation, the seconds of the first call, tracing and compiling included.
        seconds: for each implementation, the seconds of every turn.
        product: the matrix product, measured between the turns.
        work: the operations of the matrix products of a turn, in 10^9.
        device: the device that computed.
    """

    first: dict[str, float]
    seconds: dict[str, list[float]]
    product: harness.MatrixProduct
    work: float
    device: str

    def median(self, way: str) -> float:
        """The median seconds of an implementation."""
        return statistics.median(self.seconds[way])

    def ratio(self, way: str) -> float:
        """The time of the plain implementation, divided by that of this one."""
        return self.median("plain") / self.median(way)


def _measure(arguments: argparse.Namespace) -> _Measurements:
    from elmo_tf.training.devices import make_strategy

    device = make_strategy().extended.worker_devices[0].split("/device:")[-1]  # sets the threads as training does
    ways = _ways(_Layer(*arguments.size))
    first: dict[str, float] = {}
    for name, compute in ways.items():
        with _plain_gates(name in ("fused, ungated", "XLA")):
            first[name] = _seconds(compute)
    for compute in ways.values():
        for _ in range(_WARM_UP):
            _seconds(compute)
    product = harness.MatrixProduct(device)
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(arguments.repeats):
        product.measure()
        for name, compute in ways.items():
            seconds[name].append(_seconds(compute))
    return _Measurements(first, seconds, product, _work(*arguments.size), device)


def _ways(layer: "_Layer") -> dict[str, Callable[[], Any]]:
    from elmo_tf.layers.fused_recurrence import fused_recurrence
    from elmo_tf.layers.recurrence import plain_recurrence

    return {
        "plain": layer.gradients(plain_recurrence),
        "fused, ungated": layer.gradients(fused_recurrence),
        "fused": layer.gradients(fused_recurrence),
        "XLA": layer.gradients(fused_recurrence, jit_compile=True),
    }


def _work(steps: int, rows: int, dim: int, cells: int) -> float:
    """Counts operations, in 10^9: a multiplication and its addition are two, for three passes and two directions."""
    return 2e-9 * 3 * 2 * steps * rows * (2 * dim * 4 * cells + (cells * dim if dim < cells else 0))


def _show(measured: _Measurements) -> None:
    harness.table(
        ["recurrence", "median ms", "best ms", "GFLOP/s", "plain / this", "first call s"],
        [
            [
                way,
                *harness.milliseconds(seconds),
                f"{measured.work / measured.median(way):.1f}",
                f"{measured.ratio(way):.2f}",
                f"{measured.first[way]:.1f}",
            ]
            for way, seconds in measured.seconds.items()
        ],
    )
    print(measured.product.describe())


def _values(measured: _Measurements) -> dict[str, Any]:
    keys = {"plain": "plain", "fused, ungated": "ungated", "fused": "fused", "XLA": "xla"}
    gflops = measured.work / measured.median("fused")
    return {
        **{f"{key}_seconds": measured.median(way) for way, key in keys.items()},
        **{f"{key}_ratio": measured.ratio(way) for way, key in keys.items()},
        "fused_gflops": gflops,
        "matmul_gflops": measured.product.gflops,
        "fraction_of_matmul": gflops / measured.product.gflops,
    }


class _Layer:
    """The inputs and weights of one layer in two directions."""

    def __init__(self, steps: int, rows: int, dim: int, cells: int) -> None:
        import tensorflow as tf

        def normal(shape: list[int], scale: float, number: int) -> "tf.Tensor":
            return scale * tf.random.stateless_normal(shape, [1, number])

        self.inputs = [normal([steps, rows, dim], 1.0, number) for number in (0, 1)]
        self.weights = [
            [
                normal([2 * dim, 4 * cells], 0.05, 2 + number),
                tf.zeros([4 * cells]),
                *([normal([cells, dim], 0.05, 4 + number)] if dim < cells else []),
            ]
            for number in (0, 1)
        ]
        self.state = tf.zeros([rows, cells]), tf.zeros([rows, dim])

    def gradients(self, implementation: Callable[..., Any], jit_compile: bool = False) -> Callable[[], Any]:
        """Returns a `tf.function` that computes all gradients of both directions."""
        import tensorflow as tf

        from elmo_tf.layers.recurrence import Weights

        def one(inputs: "tf.Tensor", weights: "list[tf.Tensor]") -> Any:
            kernel, bias, *projection = weights
            with tf.GradientTape() as tape:
                tape.watch([inputs, weights])
                layer = Weights(kernel, bias, projection[0] if projection else None, 3.0, 3.0)
                outputs, _ = implementation(inputs, layer, self.state, None)
                objective = tf.reduce_sum(outputs * outputs)
            return tape.gradient(objective, [inputs, weights])

        function = tf.function(one, jit_compile=jit_compile, autograph=False)
        pairs = list(zip(self.inputs, self.weights, strict=True))
        # in one graph, so that both directions are computed at the same time
        return tf.function(lambda: [function(*pair) for pair in pairs], autograph=False)


def _plain_gates(really: bool) -> Any:
    """A context in which gates are traced as ordinary TensorFlow operations, if `really`."""
    from elmo_tf.layers import fused_recurrence

    if not really:
        return contextlib.nullcontext()
    return mock.patch.object(fused_recurrence, "compile_elementwise", lambda function, *_: function)


def _seconds(compute: Callable[[], Any]) -> float:
    import tensorflow as tf

    started = time.perf_counter()
    _ = [float(tf.reshape(gradient, [-1])[0]) for gradient in tf.nest.flatten(compute())]
    return time.perf_counter() - started


if __name__ == "__main__":
    harness.run(main, define_flags())
