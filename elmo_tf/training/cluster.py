"""The cluster of a run on several machines: read from TF_CONFIG or from Slurm's variables, and TensorFlow joined to it.

Every process of the run is a worker. The first worker is the chief, which writes the model's folder.
"""

import json
import os
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

import tensorflow as tf
from tensorflow.compiler.xla.tsl.protobuf import coordination_config_pb2
from tensorflow.python.eager import context

from elmo_tf.errors import InputError

JOIN_SECONDS = 600
"""Seconds that a worker waits for all others to start."""

HEARTBEAT_SECONDS = 20
"""Seconds without a sign of life after which a worker counts as lost, because it has ended or hangs."""

SHUTDOWN_SECONDS = 10
"""Seconds that a worker waits at its end for the others to end too."""

_EXAMPLE = '{"cluster": {"worker": ["host0:2222", "host1:2222"]}, "task": {"type": "worker", "index": 0}}'

_FIRST_PORT, _PORTS = 20_000, 10_000
"""The ports of Slurm jobs: below those that Linux gives out by itself, which begin at 32768."""


class Cluster(NamedTuple):
    """The workers of a run, and which of them this process is.

    Args:
        jobs: the addresses `host:port` of the workers, by the name of their job: `worker`, and maybe `chief`.
        job: the name of this process's job.
        number: the number of this process in its job.
    """

    jobs: Mapping[str, list[str]]
    job: str
    number: int

    @property
    def is_chief(self) -> bool:
        """Whether this process is the first worker, or the `chief` where there is a job of that name."""
        return self.number == 0 and self.job == ("chief" if self.jobs.get("chief") else "worker")


def find_cluster() -> Cluster:
    """Reads the cluster from the variable TF_CONFIG; without it, from those that Slurm's `srun` sets.

    Raises:
        InputError: there is no cluster, or its description is wrong.

    Example:

    >>> os.environ["TF_CONFIG"] = _EXAMPLE
    >>> cluster = find_cluster()
    >>> cluster.jobs, cluster.is_chief
    ({'worker': ['host0:2222', 'host1:2222']}, True)
    >>> del os.environ["TF_CONFIG"]
    """
    if os.environ.get("TF_CONFIG"):
        return _read_tf_config(os.environ["TF_CONFIG"])
    if "SLURM_PROCID" in os.environ and "SLURM_STEP_NODELIST" in os.environ:
        return _read_slurm()
    raise InputError(
        "--strategy=multi_worker: expected the variable TF_CONFIG, or those of a Slurm step (start the command by "
        f"srun), got neither; for example TF_CONFIG='{_EXAMPLE}'",
        option="strategy",
    )


def _read_tf_config(text: str) -> Cluster:
    try:
        values: Any = json.loads(text)
        jobs = {str(name): [str(address) for address in values["cluster"][name]] for name in values["cluster"]}
        job, index = str(values["task"]["type"]), int(values["task"]["index"])
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise InputError(f"TF_CONFIG: expected such as {_EXAMPLE}, got {text[:200]!r}") from error
    if not set(jobs) <= {"chief", "worker"}:
        raise InputError(f"TF_CONFIG: expected the jobs worker and maybe chief, got {', '.join(jobs)}")
    if job not in jobs or not 0 <= index < len(jobs[job]):
        raise InputError(f"TF_CONFIG: its task is {job} {index}, which its cluster does not have")
    addresses = [address for name in jobs for address in jobs[name]]
    for address in addresses:
        if not re.fullmatch(r".+:\d{1,5}", address) or addresses.count(address) > 1:
            raise InputError(f"TF_CONFIG: expected a different host:port for every worker, got {address!r}")
    return Cluster(jobs, job, index)


def _read_slurm() -> Cluster:
    """Reads the cluster by TensorFlow's `SlurmClusterResolver`.

    The resolver sorts the hosts as words, node10 before node9, where Slurm counts its tasks in the order of the
    numbers. The addresses are therefore sorted again. It also gives out GPUs; that is left to Slurm.
    """
    job_number = re.sub(r"\D", "", os.environ.get("SLURM_JOB_ID", "")) or "0"
    try:
        resolver = tf.distribute.cluster_resolver.SlurmClusterResolver(
            port_base=_FIRST_PORT + int(job_number) % _PORTS,
            gpus_per_node=2**20,  # any number that is large enough: with 0 the resolver fails
            gpus_per_task=1,
            auto_set_gpu=False,
        )
        addresses = sorted(resolver.cluster_spec().as_dict()["worker"], key=_by_numbers)
    except (RuntimeError, ValueError, KeyError) as error:
        raise InputError(f"Slurm's variables do not describe the workers: {error}; set TF_CONFIG instead") from error
    index, node = int(os.environ["SLURM_PROCID"]), os.environ.get("SLURMD_NODENAME")
    if index >= len(addresses) or (node and addresses[index].rpartition(":")[0] != node):
        raise InputError(
            f"Slurm's task {index} runs on {node}, where {addresses[index : index + 1]} was expected by the order of "
            "the nodes: start it by srun --distribution=block, or set TF_CONFIG"
        )
    return Cluster({"worker": addresses}, "worker", index)


def _by_numbers(address: str) -> list[tuple[int, str]]:
    """A key that sorts node9 before node10."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", address)]


def join_cluster(cluster: Cluster) -> tf.distribute.MultiWorkerMirroredStrategy:
    """Starts this worker's server, waits for the other workers, and makes the strategy.

    TensorFlow itself would wait for the others for an hour, and at the end for a worker that is lost for minutes.

    Args:
        cluster: the workers.

    Raises:
        InputError: the other workers do not start in time, or this worker's port is taken.
    """
    spec = tf.train.ClusterSpec(dict(cluster.jobs))
    if context.context().coordination_service is None:
        leader = "chief" if cluster.jobs.get("chief") else "worker"
        context.context().configure_coordination_service(
            service_type="standalone",
            service_leader=f"/job:{leader}/replica:0/task:0",
            cluster_register_timeout_in_ms=1000 * JOIN_SECONDS,
            heartbeat_timeout_in_ms=1000 * HEARTBEAT_SECONDS,
            shutdown_barrier_timeout_in_ms=1000 * SHUTDOWN_SECONDS,
            coordinated_jobs=[
                coordination_config_pb2.CoordinatedJob(name=name, num_tasks=len(addresses))
                for name, addresses in cluster.jobs.items()
            ],
        )
    resolver = tf.distribute.cluster_resolver.SimpleClusterResolver(
        spec,
        task_type=cluster.job,
        task_id=cluster.number,
        num_accelerators={"GPU": len(tf.config.list_physical_devices("GPU"))},
        rpc_layer="grpc",
    )
    try:
        return tf.distribute.MultiWorkerMirroredStrategy(resolver)
    except tf.errors.OpError as error:
        raise InputError(
            f"{cluster.job} {cluster.number} of {spec.as_dict()} cannot join the others: "
            f"{' '.join(str(error.message).split())[:300]}",
            option="strategy",
        ) from error
