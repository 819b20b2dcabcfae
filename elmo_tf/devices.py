"""Which devices train: all GPUs, some of them, or a CPU cut into logical ones."""

from collections.abc import Sequence

import tensorflow as tf

from elmo_tf.errors import InputError


def make_strategy(devices: Sequence[str] = (), logical_cpus: int = 1) -> tf.distribute.MirroredStrategy:
    """A `MirroredStrategy` with one replica a device.

    Args:
        devices: such as `["GPU:0", "GPU:1"]`; empty for all GPUs, or the CPU where there is none.
        logical_cpus: with no devices named, how many logical CPUs to cut the CPU into, each a replica: for trying out
            several replicas without a GPU.

    Raises:
        InputError: a device does not exist, or TensorFlow has already started so that the CPU cannot be cut any more.
    """
    gpus = tf.config.list_physical_devices("GPU")
    for gpu in gpus:  # take memory as it is needed, so that others on the machine can work
        try:
            tf.config.experimental.set_memory_growth(gpu, True)
        except RuntimeError:
            break  # already started, by a caller who has decided
    if logical_cpus > 1:
        if devices:
            raise InputError("--logical_cpus cuts the CPU into replicas and goes without --devices, got both")
        devices = _cut_cpu(logical_cpus)
    elif not devices:
        devices = [f"GPU:{number}" for number in range(len(gpus))] or ["CPU:0"]
    available = [_short(device.name) for device in tf.config.list_logical_devices()]
    for device in devices:
        if _short(device) not in available:
            raise InputError(f"--devices={device}: no such device here; available are {', '.join(available)}")
    if len({_short(device) for device in devices}) < len(devices):
        raise InputError(f"--devices={','.join(devices)}: a device is named twice")
    return tf.distribute.MirroredStrategy([_short(device) for device in devices])


def _cut_cpu(count: int) -> list[str]:
    cpu = tf.config.list_physical_devices("CPU")[0]
    try:
        tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * count)
    except RuntimeError as error:
        if len(tf.config.list_logical_devices("CPU")) < count:
            raise InputError(f"--logical_cpus={count}: TensorFlow has already started with fewer; {error}") from error
    return [f"CPU:{number}" for number in range(count)]


def _short(name: str) -> str:
    """ "/device:GPU:0" and "gpu:0" -> "GPU:0"."""
    return name.replace("/device:", "").upper()
