"""A cluster of Ray, on this machine or on many, and the actors that compute on it."""

import contextlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from elmo_tf.errors import InputError

SPARE_CORES = 2
"""The cores that Ray needs beside those of the actors: one to read and write, one to leave out finished rows."""


@dataclass(frozen=True)
class Actors:
    """How many actors there are, and what each of them gets. Each loads the model once.

    Args:
        number: the number of actors; 0 for as many as the cluster has room for, beside `SPARE_CORES`.
        cpus: the cores of each.
        gpus: the GPUs of each; a fraction shares one.
    """

    number: int = 0
    cpus: int = 1
    gpus: float = 0.0

    def __post_init__(self) -> None:
        for name, least in (("number", 0), ("cpus", 1), ("gpus", 0)):
            value = getattr(self, name)
            if value < least:
                raise InputError(f"actors: expected a {name} of at least {least}, got {value}")

    def count(self, resources: Mapping[str, float]) -> int:
        """The number of actors on a cluster with these resources.

        A number that was given is not checked, because a cluster may grow.

        Raises:
            InputError: no number was given, and the cluster has no room for a single actor.

        >>> Actors(cpus=4).count({"CPU": 18}), Actors(gpus=1).count({"CPU": 32, "GPU": 8}), Actors(5).count({})
        (4, 8, 5)
        """
        if self.number:
            return self.number
        cores, gpus = resources.get("CPU", 0), resources.get("GPU", 0)
        by_cores = int((cores - SPARE_CORES) // self.cpus)
        room = min(by_cores, int(gpus / self.gpus)) if self.gpus else by_cores
        if room < 1:
            raise InputError(
                f"actors: expected a cluster with {self.cpus + SPARE_CORES} cores and {self.gpus:g} GPUs or more, got "
                f"one with {cores:g} cores and {gpus:g} GPUs"
            )
        return room


ONE_A_CORE = Actors()
"""As many actors as a cluster has room for, each with a core."""


@contextlib.contextmanager
def cluster(address: str | None, actors: Actors = ONE_A_CORE) -> Iterator[Any]:
    """Connects to a cluster, or starts one on this machine, which ends with the block; yields the module `ray`.

    A cluster of this process that runs already is used, and left running.

    Raises:
        InputError: Ray is not installed, or there is no cluster at the address.
    """
    ray = imported_ray()
    if ray.is_initialized():
        yield ray
        return
    cores = max(os.cpu_count() or 1, actors.cpus * max(1, actors.number)) + SPARE_CORES
    own = {} if address else {"num_cpus": cores}
    try:
        ray.init(address=address, include_dashboard=None if address else False, log_to_driver=False, **own)
    except ConnectionError as error:
        said = " ".join(str(error).split())
        raise InputError(f"address: expected that of a running cluster of Ray, got {address}: {said}") from error
    try:
        yield ray
    finally:
        ray.shutdown()


def imported_ray() -> Any:
    """Imports and returns ray; raises an `InputError` if it is not installed."""
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise InputError("Ray is not installed: pip install 'elmo_tf[ray]'") from error
    return ray
