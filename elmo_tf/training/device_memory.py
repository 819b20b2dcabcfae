"""The memory that a device has left: a GPU by its driver, a CPU by the machine's system or container."""

import ctypes
import os
import re

_CUDA = "libcuda.so.1"

_NUMBER = re.compile(r"GPU:(\d+)$")


def free_memory(device: str) -> int | None:
    """The bytes that a device has left for a training; None where nothing tells.

    Args:
        device: the device as TensorFlow names it, such as "/job:localhost/replica:0/task:0/device:GPU:0".
    """
    gpu = _NUMBER.search(device.upper())
    return available_memory() if gpu is None else free_gpu_memory(int(gpu.group(1)))


def free_gpu_memory(number: int) -> int | None:
    """The free bytes of a GPU, by CUDA's driver; None without one.

    TensorFlow tells of a GPU how much it uses itself, but not how much there is.

    Args:
        number: the number of the GPU among those that the process sees.
    """
    try:
        cuda = ctypes.CDLL(_CUDA)
    except OSError:
        return None
    device, context = ctypes.c_int(), ctypes.c_void_p()
    free, total = ctypes.c_size_t(), ctypes.c_size_t()
    # every call returns 0 where it succeeded; the context is the one that TensorFlow uses too
    if cuda.cuInit(0) or cuda.cuDeviceGet(ctypes.byref(device), number):
        return None
    if cuda.cuDevicePrimaryCtxRetain(ctypes.byref(context), device):
        return None
    try:
        if cuda.cuCtxPushCurrent_v2(context):
            return None
        failed = cuda.cuMemGetInfo_v2(ctypes.byref(free), ctypes.byref(total))
        cuda.cuCtxPopCurrent_v2(ctypes.byref(context))
    finally:
        cuda.cuDevicePrimaryCtxRelease_v2(device)
    return None if failed else int(free.value)


def available_memory() -> int | None:
    """The bytes that this machine can give without swapping, or its container; None where the system does not tell."""
    lines = _read_text("/proc/meminfo").splitlines()
    found = [1024 * int(line.split()[1]) for line in lines if line.startswith("MemAvailable:")]
    limit, used = (_read_text(f"/sys/fs/cgroup/memory.{name}").strip() for name in ("max", "current"))
    if limit.isdecimal() and used.isdecimal():
        found.append(max(0, int(limit) - int(used)))
    return min(found) if found else None


def machine_memory() -> int | None:
    """The bytes of memory of this machine, swap included, or of its container; None where the system does not tell."""
    try:
        found = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") + _read_swap()
    except (AttributeError, OSError, ValueError):  # not on Windows
        return None
    limit = _read_text("/sys/fs/cgroup/memory.max").strip()
    swap = _read_text("/sys/fs/cgroup/memory.swap.max").strip()
    if limit.isdecimal() and swap.isdecimal():
        return min(found, int(limit) + int(swap))
    return found


def _read_swap() -> int:
    lines = _read_text("/proc/meminfo").splitlines()
    return sum(1024 * int(line.split()[1]) for line in lines if line.startswith("SwapTotal:"))


def _read_text(path: str) -> str:
    """The content of a file of the system; empty where it cannot be read."""
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except OSError:
        return ""
