"""The devices of a training run: all GPUs, some of them, a CPU cut into logical ones, or those of a whole cluster."""

import ctypes
import os
import sys
from collections.abc import Sequence

import tensorflow as tf

from elmo_tf.errors import InputError
from elmo_tf.training.all_reduce import check_all_reduce, cross_device_ops
from elmo_tf.training.cluster import find_cluster, join_cluster
from elmo_tf.training.settings import MOST_LOGICAL_CPUS, TrainSettings


def strategy_of(settings: TrainSettings) -> tf.distribute.Strategy:
    """Makes the strategy of a run: on the devices of this machine, or on those of a cluster that this process joins.

    With `settings.deterministic` it first calls `enable_determinism`.

    Args:
        settings: the run's settings.

    Raises:
        InputError: the devices do not exist, or the cluster cannot be joined.
    """
    if settings.deterministic:
        enable_determinism()
    if settings.strategy == "mirrored":
        return make_strategy(settings.devices, settings.logical_cpus, settings.all_reduce)
    for name, given in (("devices", bool(settings.devices)), ("logical_cpus", settings.logical_cpus > 1)):
        if given:
            raise InputError(
                f"--{name}: with --strategy=multi_worker every worker takes all of its GPUs, or its CPU; set the "
                "variable CUDA_VISIBLE_DEVICES instead",
                option=name,
            )
    cluster = find_cluster()
    gpus = _prepare_devices(1)
    check_all_reduce(settings.all_reduce, [f"GPU:{number}" for number in range(len(gpus))] or ["CPU:0"], workers=True)
    return join_cluster(cluster)


def enable_determinism() -> None:
    """Lets TensorFlow take only operations that give the same bits every time, for the whole process.

    NCCL then sums over GPUs in a ring, unless the environment says otherwise; by itself it chooses a way by the sizes.
    """
    os.environ.setdefault("NCCL_ALGO", "Ring")
    tf.config.experimental.enable_op_determinism()


def make_strategy(
    devices: Sequence[str] = (), logical_cpus: int = 1, all_reduce: str = "auto"
) -> tf.distribute.MirroredStrategy:
    """Makes a `MirroredStrategy` with one replica for each device.

    Without a GPU it also sets, for the whole process, how many operations run at one time, and that freed memory is
    kept (`keep_freed_memory`), unless the environment has settings of its own.

    Args:
        devices: devices such as `["GPU:0", "GPU:1"]`; empty for all GPUs, or the CPU where there is none.
        logical_cpus: the number of logical CPUs to cut the CPU into, each a replica, to try several replicas without a
            GPU. It excludes `devices`.
        all_reduce: how gradients are summed over the replicas, as for `TrainSettings`.

    Raises:
        InputError: a device does not exist, there are too many logical CPUs, TensorFlow has already started so that the
            CPU cannot be cut any more, or the gradients of these devices cannot be summed in this way.
    """
    if logical_cpus > MOST_LOGICAL_CPUS:
        raise InputError(f"--logical_cpus={logical_cpus}: expected at most {MOST_LOGICAL_CPUS}", option="logical_cpus")
    gpus = _prepare_devices(max(logical_cpus, 1))
    if logical_cpus > 1:
        if devices:
            raise InputError(
                "--logical_cpus cuts the CPU into replicas and goes without --devices, got both", option="logical_cpus"
            )
        devices = _cut_cpu(logical_cpus)
    elif not devices:
        devices = [f"GPU:{number}" for number in range(len(gpus))] or ["CPU:0"]
    available = [_short(device.name) for device in tf.config.list_logical_devices()]
    for device in devices:
        if _short(device) not in available:
            raise InputError(
                f"--devices={device}: no such device here; available are {', '.join(available)}", option="devices"
            )
    if len({_short(device) for device in devices}) < len(devices):
        raise InputError(f"--devices={','.join(devices)}: a device is named twice", option="devices")
    short = [_short(device) for device in devices]
    return tf.distribute.MirroredStrategy(short, cross_device_ops(all_reduce, short))


def _prepare_devices(replicas: int) -> list[tf.config.PhysicalDevice]:
    """Sets how GPUs take memory, or without GPUs the threads and memory of the CPU; returns the GPUs."""
    gpus: list[tf.config.PhysicalDevice] = tf.config.list_physical_devices("GPU")
    if not gpus:
        _set_threads(replicas)
        keep_freed_memory()
    for gpu in gpus:  # take memory as it is needed, so that other processes can use the GPU too
        try:
            tf.config.experimental.set_memory_growth(gpu, True)
        except RuntimeError:
            break  # already started, by a caller who has decided
    return gpus


def _set_threads(replicas: int) -> None:
    """Lets each replica run two operations at one time, the two directions, with half of its cores each.

    Small matrix products gain little from more threads, so computing both directions at one time is faster than one
    after the other with all cores: 1.3 times at lstm 512, batch 64, on two cores. Numbers that the user has set are
    left as they are.
    """
    threading = tf.config.threading
    chosen = any(os.environ.get(f"TF_NUM_{kind}_THREADS") for kind in ("INTRAOP", "INTEROP"))
    if chosen or threading.get_intra_op_parallelism_threads() or threading.get_inter_op_parallelism_threads():
        return
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        threading.set_intra_op_parallelism_threads(max(1, cores // (2 * replicas)))
        threading.set_inter_op_parallelism_threads(2 * replicas)
    except RuntimeError:
        return  # already started, by a caller who has decided


def _cut_cpu(count: int) -> list[str]:
    cpu = tf.config.list_physical_devices("CPU")[0]
    try:
        tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * count)
    except RuntimeError as error:
        if len(tf.config.list_logical_devices("CPU")) < count:
            raise InputError(
                f"--logical_cpus={count}: TensorFlow has already started with fewer; {error}", option="logical_cpus"
            ) from error
    return [f"CPU:{number}" for number in range(count)]


def _short(name: str) -> str:
    """ "/device:GPU:0" and "gpu:0" -> "GPU:0"."""
    return name.replace("/device:", "").upper()


_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD = -1, -2, -3  # of malloc.h

_SETTINGS = {_MMAP_THRESHOLD: 32 * 2**20, _TRIM_THRESHOLD: 2**31 - 1, _TOP_PAD: 64 * 2**20}
"""The threshold for mmap is the largest that glibc takes; the others keep freed memory from being returned at once."""


def keep_freed_memory() -> bool:
    """Lets glibc keep freed memory, instead of returning it to the system and taking it again page by page.

    TensorFlow on a CPU allocates and frees every tensor in every step. With glibc's own settings a step of some hundred
    megabytes takes tens of thousands of page faults: a fifth of the training time at lstm 512 on two cores. It does
    nothing with another C library, or where the environment has settings of its own (MALLOC_..., GLIBC_TUNABLES,
    LD_PRELOAD).

    Returns:
        Whether the settings were changed.
    """
    own = ("MALLOC_TRIM_THRESHOLD_", "MALLOC_TOP_PAD_", "MALLOC_MMAP_THRESHOLD_", "GLIBC_TUNABLES", "LD_PRELOAD")
    if not sys.platform.startswith("linux") or any(name in os.environ for name in own):
        return False
    try:
        mallopt = ctypes.CDLL("libc.so.6").mallopt
    except (OSError, AttributeError):
        return False  # another C library
    return all(mallopt(name, value) == 1 for name, value in _SETTINGS.items())
