"""The files of numbers beside a TensorFlow checkpoint's index: whether they are there, and as long as it says."""

import glob
import os
import re

_SHARD = re.compile(r"\.data-(\d{5})-of-(\d{5})$")


def fault(prefix: str, expected_bytes: int) -> str | None:
    """What of a checkpoint's numbers is not there; None where nothing is missing.

    Args:
        prefix: the checkpoint: the path without `.index`.
        expected_bytes: what the arrays of numbers in the index take; text entries are not counted.
    """
    name = os.path.basename(prefix)
    sizes: dict[int, dict[int, int]] = {}
    for path in glob.glob(f"{glob.escape(prefix)}.data-?????-of-?????"):
        match = _SHARD.search(path)
        if match and os.path.isfile(path):
            sizes.setdefault(int(match[2]), {})[int(match[1])] = os.path.getsize(path)
    if not sizes:
        return f"there is no {name}.data-00000-of-00001 beside its index"
    faults = [_fault_of(name, number, sizes[number], expected_bytes) for number in sorted(sizes)]
    return None if None in faults else faults[-1]  # of two sets, one may be left of an older checkpoint


def _fault_of(name: str, number: int, sizes: dict[int, int], expected_bytes: int) -> str | None:
    """What is wrong with one set of `number` files, those there by their places."""
    missing = [f"{name}.data-{place:05}-of-{number:05}" for place in range(number) if place not in sizes]
    if missing:
        others = f", and {len(missing) - 1} more," if len(missing) > 1 else ""
        return f"of {number} files of numbers {missing[0]}{others} is missing"
    total = sum(sizes.values())
    if total < expected_bytes:
        files = f"{name}.data-00000-of-{number:05}" + (f" and the {number - 1} beside it" if number > 1 else "")
        return f"expected {expected_bytes:,} bytes or more by its index, got {total:,} in {files}: cut short"
    return None
