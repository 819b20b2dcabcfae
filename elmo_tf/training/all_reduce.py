"""The sum of gradients over the replicas of a run: in which way, in which order, and in which type."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import tensorflow as tf

from elmo_tf.errors import InputError
from elmo_tf.models.weight_names import SOFTMAX_PREFIX
from elmo_tf.training.gradients import Gradient, sum_repeated_rows
from elmo_tf.training.settings import TrainSettings

PACK_BYTES = 32 * 2**20
"""Bytes of dense gradients that are summed together. TensorFlow's default is one pack of all of them, which cannot
start before the last gradient is computed. Smaller packs start earlier but are more calls."""

_LAYER = re.compile(r"RNN_\d+/.*/Cell(\d+)/")

CommunicationOptions = tf.distribute.experimental.CommunicationOptions
CommunicationImplementation = tf.distribute.experimental.CommunicationImplementation


@dataclass(frozen=True)
class AllReduce:
    """The sum of the gradients of all replicas, which each replica gets.

    Sparse gradients cross replicas as rows and their indices: every replica gathers those of all others. Dense ones are
    summed in packs of about `PACK_BYTES`. TensorFlow makes the sums of a step one after the other, in the order in
    which the graph has them. That is the order in which the backward pass computes gradients: the softmax, the LSTM
    layers from the last to the first, the token encoder. So the first sums run while the rest is still computed.

    Args:
        implementation: what computes the sums: NCCL, TensorFlow's own ring, or TensorFlow's choice. `HierarchicalCopy`
            and `ReductionToOneDevice` are properties of the strategy, and disregard it.
        gradient_dtype: the type in which dense gradients are summed, float32 or bfloat16.
        bytes_per_pack: the bytes of a pack.
    """

    implementation: Any = field(default=CommunicationImplementation.AUTO)
    gradient_dtype: str = "float32"
    bytes_per_pack: int = PACK_BYTES

    def __call__(self, gradients: Sequence[Gradient], weights: Mapping[str, Any]) -> list[Gradient]:
        """Sums the gradients; called by every replica in `strategy.run`.

        Args:
            gradients: the gradients of this replica, sparse ones without repeated rows.
            weights: their weights by name. The graph does not know the shapes of all gradients, and TensorFlow makes no
                packs where it does not.

        Returns:
            The sums, in the order of `gradients`, sparse ones without repeated rows.
        """
        context = tf.distribute.get_replica_context()
        options = CommunicationOptions(bytes_per_pack=self.bytes_per_pack, implementation=self.implementation)
        narrow = [self._narrow(gradient) for gradient in gradients]
        for gradient, weight in zip(narrow, weights.values(), strict=True):
            if not isinstance(gradient, tf.IndexedSlices):
                gradient.set_shape(weight.shape)
        summed: dict[int, Gradient] = {}
        for group in summing_groups(gradients, list(weights)):
            values = [narrow[number] for number in group]
            for number, value in zip(
                group, context.all_reduce(tf.distribute.ReduceOp.SUM, values, options), strict=True
            ):
                summed[number] = sum_repeated_rows(_cast(value, tf.float32))
        return [summed[number] for number in range(len(gradients))]

    def _narrow(self, gradient: Gradient) -> Gradient:
        return _cast(gradient, tf.as_dtype(self.gradient_dtype))


def summing_groups(gradients: Sequence[Gradient], names: Sequence[str]) -> list[list[int]]:
    """The numbers of the gradients that are summed by one call, the calls in their order.

    Within a call TensorFlow begins with the last gradient. A group is therefore in the order of the forward pass.

    >>> names = ["char_embed", *(f"RNN_{d}/RNN/MultiRNNCell/Cell{k}/LSTMCell/W_0" for d in (0, 1) for k in (0, 1))]
    >>> summing_groups([tf.zeros(1)] * 6, [*names, "softmax/W"])
    [[5], [0, 1, 3, 2, 4]]
    """
    softmax = [number for number, name in enumerate(names) if name.startswith(SOFTMAX_PREFIX)]
    others = [number for number in range(len(names)) if number not in softmax]
    sparse = [number for number in others if isinstance(gradients[number], tf.IndexedSlices)]
    dense = sorted((number for number in others if number not in sparse), key=lambda number: _depth(names[number]))
    return [group for group in (softmax, dense, sparse) if group]


def _depth(name: str) -> int:
    """The number of the LSTM layer that a weight belongs to, from 1; 0 for the weights of the token encoder."""
    layer = _LAYER.match(name)
    return 0 if layer is None else 1 + int(layer.group(1))


def _cast(gradient: Gradient, dtype: tf.DType) -> Gradient:
    """Casts a dense gradient; a sparse one is returned as it is."""
    return gradient if isinstance(gradient, tf.IndexedSlices) else tf.cast(gradient, dtype)


def all_reduce_of(settings: TrainSettings, strategy: tf.distribute.Strategy) -> AllReduce:
    """The sum over replicas that the settings of a run ask for.

    TensorFlow's own choice for the workers of a cluster is its ring, on GPUs too; there NCCL is taken.

    Args:
        settings: the run's settings.
        strategy: the strategy that was made for them.
    """
    implementation = CommunicationImplementation.AUTO
    if settings.all_reduce in ("nccl", "ring"):
        implementation = CommunicationImplementation(settings.all_reduce.upper())
    elif settings.strategy == "multi_worker" and _has_gpus(strategy.extended.worker_devices):
        implementation = CommunicationImplementation.NCCL
    return AllReduce(implementation, settings.gradient_dtype)


def cross_device_ops(name: str, devices: Sequence[str]) -> tf.distribute.CrossDeviceOps | None:
    """The way to sum that a `MirroredStrategy` is made with; None for the one that `AllReduce` can choose.

    Args:
        name: the value of --all_reduce.
        devices: the devices of the replicas.

    Raises:
        InputError: these devices cannot be summed over in this way.

    Example:

    >>> cross_device_ops("reduction_to_one", ["CPU:0", "CPU:1"]).__class__.__name__
    'ReductionToOneDevice'
    """
    check_all_reduce(name, devices)
    if name == "hierarchical":
        if len(devices) % 2:  # TensorFlow would leave out the gradients of the last one
            raise InputError(
                f"--all_reduce=hierarchical: expected an even number of replicas, got {len(devices)}",
                option="all_reduce",
            )
        return tf.distribute.HierarchicalCopyAllReduce()
    return tf.distribute.ReductionToOneDevice() if name == "reduction_to_one" else None


def check_all_reduce(name: str, devices: Sequence[str], workers: bool = False) -> None:
    """Checks that gradients can be summed over the devices in a way.

    Args:
        name: the value of --all_reduce.
        devices: the devices of the replicas, or of one worker.
        workers: whether the replicas are those of several workers.

    Raises:
        InputError: they cannot.
    """
    if name == "nccl" and not _has_gpus(devices):
        raise InputError(
            f"--all_reduce=nccl: expected GPUs, between which alone NCCL sums, got {', '.join(devices)}",
            option="all_reduce",
        )
    if workers and name in ("hierarchical", "reduction_to_one"):
        raise InputError(
            f"--all_reduce={name}: expected auto, nccl or ring with --strategy=multi_worker, for the others sum over "
            "the devices of one machine",
            option="all_reduce",
        )


def note_of_one_replica(settings: TrainSettings, replicas: int) -> str | None:
    """A line for people where the settings are about a sum over replicas and there is only one; else None."""
    given = {"all_reduce": settings.all_reduce, "gradient_dtype": settings.gradient_dtype}
    flags = [f"--{name}={value}" for name, value in given.items() if value not in ("auto", "float32")]
    if replicas > 1 or not flags:
        return None
    return f"note: {' and '.join(flags)} {'have' if len(flags) > 1 else 'has'} no effect with one replica"


def _has_gpus(devices: Sequence[str]) -> bool:
    return all("GPU" in device.upper() for device in devices)
