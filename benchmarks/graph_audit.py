#!/usr/bin/env python
"""Operations of a training step by the place where a GPU would compute them, and the kernels that it would launch.

    python benchmarks/graph_audit.py
    python benchmarks/graph_audit.py --config=configs/small.json --precision=bfloat16

No GPU is needed: the graph is traced and not run, and TensorFlow's registry lists the GPU kernels of its CUDA build.
The graph is the traced one, without what TensorFlow simplifies when it runs, and so a little larger.

    launches    operations that start a GPU kernel; those that move no data (reshapes, reads of variables) are left out
    host        operations whose kernel on a GPU works in the machine's memory, such as arithmetic with shapes
    conditions  branches and loops, which wait until the host has read a boolean
    clusters    functions that XLA compiles, each to a few kernels; and the operations inside, which are not launched
    waits       operations that need a value in the machine's memory that a GPU computes: no operation behind them is
                launched before it is there
    misplaced   operations on many elements that have no GPU kernel, or on floats one that works in the machine's memory
"""

import argparse
import collections
import functools
import os
import sys
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))  # audit the checkout that this is in

from benchmarks import harness

if TYPE_CHECKING:
    import tensorflow as tf

FEW = 16
"""Elements up to which a value may be computed in the machine's memory: the shapes, sizes and flags of a step."""

_NO_KERNEL = frozenset(
    {
        *("Const", "Identity", "IdentityN", "StopGradient", "PreventGradient", "NoOp", "Placeholder"),
        *("Reshape", "ExpandDims", "Squeeze", "Bitcast", "ReadVariableOp", "VarHandleOp"),
        *("Shape", "ShapeN", "Size", "Rank", "Assert"),
    }
)
"""Operations that start no kernel on a GPU: they hand a buffer on, or work on shapes alone."""

_OF_SHAPES = frozenset({"Shape", "ShapeN", "Size", "Rank", "BroadcastGradientArgs"})
"""Operations whose results are shapes, of few elements even where the graph does not say how many."""

_CALLS = frozenset({"PartitionedCall", "StatefulPartitionedCall"})
"""Operations whose results are those of the function that they call, which TensorFlow puts in their place."""


class Operation(NamedTuple):
    """An operation of a graph.

    Args:
        name: its name, behind the names of the functions that it is nested in.
        type: its type, such as `MatMul`.
        kind: `launch`, `free`, `host`, `condition`, `cluster` or, inside of a cluster, `compiled`.
        misplaced: why a GPU cannot compute it where its data is; empty if it can.
        waits_for: the types of the operations whose results have to come from the GPU to the machine's memory first.
    """

    name: str
    type: str
    kind: str
    misplaced: str = ""
    waits_for: tuple[str, ...] = ()


def audit(function: Any) -> list[Operation]:
    """Lists the operations of a concrete function and of all functions nested in it, as a GPU would compute them.

    Args:
        function: the result of `tf.function.get_concrete_function`. Operations without an influence on its results or
            on variables are left out, as TensorFlow does when it runs. Operations that are placed on CPU:0 are the
            host's; the replicas, which stand for GPUs, must therefore be on other devices, as those of `cut_cpu` are.
    """
    return list(_walk(function.graph, "", _Places(), in_cluster=False))


def count_launches(operations: Iterable[Operation]) -> int:
    """Counts the kernels that a GPU launches: the operations of kind `launch`, and one for each cluster."""
    return sum(operation.kind in ("launch", "cluster") for operation in operations)


def _walk(graph: Any, prefix: str, places: "_Places", in_cluster: bool) -> Iterator[Operation]:
    for op in _needed(graph):
        nested, compiles = _nested(op), _is_compiled(op)
        name = f"{prefix}{op.name}"
        if nested and not in_cluster and op.type in ("If", "StatelessIf", "While", "StatelessWhile", "Case"):
            yield Operation(name, op.type, "condition", waits_for=places.waits(op, op.inputs[:1]))
        if compiles and not in_cluster:
            yield Operation(name, op.type, "cluster")
        for function in nested:
            inside = _Places()
            yield from _walk(function.graph, f"{name}/", inside, in_cluster or compiles)
            if op.type in _CALLS:
                places.take_over(op, function.graph, inside)
        if not nested and op.type != "Placeholder":
            yield Operation(name, op.type, "compiled") if in_cluster else places.place(op, name)


def _needed(graph: Any) -> list["tf.Operation"]:
    """The operations that outputs or effects of a function depend on."""
    waiting = [tensor.op for tensor in graph.outputs] + list(graph.control_outputs)
    found = set(waiting)
    while waiting:
        op = waiting.pop()
        new = {tensor.op for tensor in op.inputs} | set(op.control_inputs)
        waiting += new - found
        found |= new
    return [op for op in graph.get_operations() if op in found]


def _nested(op: "tf.Operation") -> list[Any]:
    """The functions that an operation calls; one that TensorFlow computes by a kernel of its own calls none."""
    names = [attribute.func.name for attribute in op.node_def.attr.values() if attribute.WhichOneof("value") == "func"]
    functions = [op.graph._get_function(name) for name in names]
    return [function for function in functions if function is not None]


def _is_compiled(op: "tf.Operation") -> bool:
    return any(
        attributes.get("_XlaMustCompile") is not None and attributes["_XlaMustCompile"].b
        for attributes in [op.node_def.attr, *(function.definition.attr for function in _nested(op))]
    )


class _Places:
    """Finds where a GPU computes the operations of one graph, which are given in their order."""

    def __init__(self) -> None:
        self._on_host: set[str] = set()
        self._of_shapes: set[str] = set()

    def place(self, op: "tf.Operation", name: str) -> Operation:
        """Says where an operation that calls no function is computed."""
        if op.type in _OF_SHAPES or (op.inputs and all(tensor.name in self._of_shapes for tensor in op.inputs)):
            self._of_shapes |= {tensor.name for tensor in op.outputs if op.type not in ("Fill", "Range")}
        kernel, is_pinned = gpu_kernel(op), op.device.endswith("CPU:0")
        in_memory = list(op.inputs), list(op.outputs)
        inputs, outputs = in_memory if kernel is None or is_pinned else _in_host_memory(op, kernel)
        hands_on = op.type in _NO_KERNEL and not inputs and all(tensor.name in self._on_host for tensor in op.inputs)
        self._on_host |= {tensor.name for tensor in (op.outputs if hands_on else outputs)}
        waits = self.waits(op, inputs)
        misplaced = "" if is_pinned else self._reason(kernel, inputs, outputs)
        if op.type in _NO_KERNEL and (kernel is not None or is_pinned):
            return Operation(name, op.type, "free", misplaced, waits)
        is_on_host = len(outputs) == len(op.outputs) and bool(inputs or outputs)
        return Operation(name, op.type, "host" if is_on_host else "launch", misplaced, waits)

    def take_over(self, call: "tf.Operation", graph: Any, inside: "_Places") -> None:
        """Takes the results of a call to be where the graph that it calls has them."""
        for here, there in zip(call.outputs, graph.outputs, strict=True):
            if there.name in inside._on_host:
                self._on_host.add(here.name)
            if there.name in inside._of_shapes:
                self._of_shapes.add(here.name)

    def waits(self, op: "tf.Operation", inputs: Iterable["tf.Tensor"]) -> tuple[str, ...]:
        """The types of the operations that compute, on the GPU, inputs that are needed in the machine's memory.

        Whole numbers that a function is given are taken to lie there, as the input of a step does.
        """
        return tuple(
            tensor.op.type
            for tensor in inputs
            if tensor.name not in self._on_host
            and tensor.name not in self._of_shapes
            and tensor.dtype.name not in ("string", "resource", "variant")
            and not (tensor.op.type == "Placeholder" and tensor.dtype.is_integer)
            and tensor.op.type != "Const"
        )

    def _reason(self, kernel: Any, inputs: list["tf.Tensor"], outputs: list["tf.Tensor"]) -> str:
        """Says what is wrong if the host computes many elements that a GPU should.

        Whole numbers may be computed by the kernels that TensorFlow registers for it: whether they have to come from a
        GPU first is another question. Strings are the host's business.
        """
        large = [
            f"{tensor.dtype.name}{tensor.shape}"
            for tensor in (*inputs, *outputs)
            if tensor.dtype.name not in ("string", "resource", "variant") and tensor.name not in self._of_shapes
            if kernel is None or not (tensor.dtype.is_integer or tensor.dtype.is_bool)
            if tensor.shape.num_elements() is None or tensor.shape.num_elements() > FEW
        ]
        what = "no GPU kernel" if kernel is None else "a kernel that works in the machine's memory"
        return f"{what} for {', '.join(large)}" if large else ""


def gpu_kernel(op: "tf.Operation") -> Any:
    """The kernel, a `KernelDef`, that a GPU computes an operation with; None if there is none for its types."""
    kernels = [kernel for kernel in _kernels(op.type) if not kernel.label and _accepts(kernel, op)]
    for device in ("GPU", "DEFAULT"):
        fitting = [kernel for kernel in kernels if kernel.device_type == device]
        if fitting:
            return max(fitting, key=lambda kernel: int(kernel.priority))
    return None


@functools.cache
def _kernels(name: str) -> list[Any]:
    from tensorflow.python.framework import kernels

    return list(kernels.get_registered_kernels_for_op(name).kernel)


def _accepts(kernel: Any, op: "tf.Operation") -> bool:
    """Whether a kernel is for the types of an operation."""
    for constraint in kernel.constraint:
        value = op.node_def.attr[constraint.name]
        types = value.list.type if value.WhichOneof("value") == "list" else [value.type]
        if not set(types) <= set(constraint.allowed_values.list.type):
            return False
    return True


def _in_host_memory(op: "tf.Operation", kernel: Any) -> tuple[list["tf.Tensor"], list["tf.Tensor"]]:
    """The inputs and outputs that a kernel has in the machine's memory."""
    names = set(kernel.host_memory_arg)
    definition = op.op_def
    return (
        [tensor for tensor, name in zip(op.inputs, _names(op, definition.input_arg), strict=True) if name in names],
        [tensor for tensor, name in zip(op.outputs, _names(op, definition.output_arg), strict=True) if name in names],
    )


def _names(op: "tf.Operation", arguments: Iterable[Any]) -> Iterator[str]:
    """The name of each tensor of an operation, where one argument may be several tensors."""
    for argument in arguments:
        attributes, count = op.node_def.attr, 1
        if argument.number_attr:
            count = attributes[argument.number_attr].i
        elif argument.type_list_attr:
            count = len(attributes[argument.type_list_attr].list.type)
        yield from [argument.name] * count


def define_flags() -> argparse.ArgumentParser:
    """Declares the script's flags."""
    parser = harness.flags(__doc__)
    parser.add_argument(
        "--config", default=os.path.join(harness.ROOT, "configs", "original.json"), help="options (%(default)s)"
    )
    parser.add_argument("--vocabulary_size", type=harness.whole(3), default=20_000, help="words (%(default)s)")
    parser.add_argument("--batch_size", type=harness.whole(1), help="rows of a replica, if not those of the options")
    parser.add_argument(
        "--precision", default="float32", choices=("float32", "bfloat16", "float16"), help="(%(default)s)"
    )
    return parser


def cut_cpu(replicas: int) -> Any:
    """Cuts the CPU into CPU:0, which is the host, and a device for each replica; returns their strategy.

    TensorFlow must not have started yet.
    """
    import tensorflow as tf

    (cpu,) = tf.config.list_physical_devices("CPU")
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * (replicas + 1))
    return tf.distribute.MirroredStrategy([f"CPU:{number + 1}" for number in range(replicas)])


def trace_step(options: Any, strategy: Any, **changes: Any) -> Any:
    """Traces the training step of a run with these options; returns a concrete function, which was not run.

    Args:
        options: the model's options, with `n_tokens_vocab`.
        strategy: the strategy whose replicas compute.
        changes: settings of `TrainSettings` that are not the defaults, such as `jit_compile`.
    """
    import numpy as np

    from benchmarks.trainer import run_settings
    from elmo_tf.data.steps import Step
    from elmo_tf.data.windows import Window
    from elmo_tf.training.assembly import build_trainer
    from elmo_tf.training.step_input import flatten_step

    trainer = build_trainer(run_settings(options, **changes), options, strategy)
    training, directions = options.training, options.directions
    tokens = np.zeros([directions, training.batch_size, training.unroll_steps], np.int32)
    widest = 0 if options.char_cnn is None else options.char_cnn.max_characters_per_token
    words = np.zeros([tokens.size, widest] if widest else [tokens.size], np.int32)
    negatives = training.n_negative_samples_batch if training.sample_softmax else 0
    window = Window(words, tokens, tokens, np.zeros([directions, training.batch_size], bool))
    step = Step((window,) * trainer.parts, np.zeros([directions, negatives], np.int32), np.ones([directions], np.int32))
    return trainer.take_step.trace(flatten_step(step), trainer.take_step.zero_states(training.batch_size))


def main(arguments: argparse.Namespace) -> dict[str, Any]:
    """Traces, prints the table, and returns the values of the last line."""
    from elmo_tf.options import Options

    options = Options.from_file(arguments.config).replace(n_tokens_vocab=arguments.vocabulary_size)
    if arguments.batch_size:
        options = options.replace(batch_size=arguments.batch_size)
    strategy = cut_cpu(1)
    rows, values = [], {}
    for name, jit_compile in (("plain", False), ("jit_compile", True)):
        step = trace_step(options, strategy, jit_compile=jit_compile, precision=arguments.precision)
        operations = audit(step)
        kinds = collections.Counter(operation.kind for operation in operations)
        misplaced = [operation for operation in operations if operation.misplaced]
        waits = [operation for operation in operations if operation.waits_for]
        columns = [count_launches(operations), *(kinds[kind] for kind in _KINDS), len(waits), len(misplaced)]
        rows.append([name, *map(str, columns)])
        values[name] = dict(zip(["launches", *_KINDS, "waits", "misplaced"], columns, strict=True))
        launches = collections.Counter(operation.type for operation in operations if operation.kind == "launch")
        print(f"{name}: " + ", ".join(f"{count} {kind}" for kind, count in launches.most_common(40)))
        for operation in misplaced:
            print(f"  {operation.type} {operation.name}: {operation.misplaced}")
        for operation in waits:
            print(f"  {operation.type} {operation.name} waits for {', '.join(operation.waits_for)}")
    harness.table(["training step", "launches", *_KINDS, "waits", "misplaced"], rows)
    return {**values, "precision": arguments.precision, "config": os.path.basename(arguments.config)}


_KINDS = ("cluster", "compiled", "condition", "host")

if __name__ == "__main__":
    harness.run(main, define_flags())
