"""The flags of `elmo-tf embed` and `score` for Ray, and the report of a job."""

import sys
from typing import Any

from elmo_tf.cli import flags as shared_flags
from elmo_tf.cli.flags import FlagSet, FlagValues
from elmo_tf.errors import InputError


def define_engine(flag_set: FlagSet) -> None:
    """Declares --engine and the flags of Ray."""
    flag_set.choice(
        "engine", "local", ("local", "ray"), "local: this process; ray: actors of Ray, on this machine or on a cluster"
    )
    flag_set.string(
        "ray_address",
        None,
        "with --engine=ray the address of a running cluster, auto for this machine's; not set: one is started here",
    )
    flag_set.integer(
        "ray_actors", 0, "with --engine=ray the actors; 0 for as many as the cluster has room for", lower=0
    )
    flag_set.integer("ray_cpus", 1, "with --engine=ray the cores of each actor", lower=1)
    flag_set.number("ray_gpus", 0.0, "with --engine=ray the GPUs of each actor; a fraction shares one", lower=0.0)


def check_shares(values: FlagValues) -> None:
    """Refuses shares with --engine=ray, which divides the work itself."""
    if values.num_shards > 1:
        raise InputError(
            f"--num_shards={values.num_shards}: expected 1 with --engine=ray, which divides the work itself",
            option="num_shards",
        )


def arguments_of_ray(values: FlagValues) -> dict[str, Any]:
    """The arguments of `elmo_tf.bulk.ray.embed_file` and `score_file` that come from flags of both commands."""
    from elmo_tf.bulk.ray_cluster import Actors

    return {
        "address": values.ray_address,
        "actors": Actors(values.ray_actors, values.ray_cpus, values.ray_gpus),
        "which": shared_flags.which_checkpoint(values),
        "vocab_file": values.vocab_file,
        "overwrite": values.overwrite,
    }


def print_rows(output: str, done: Any) -> None:
    """Prints how many rows Ray has written, and what was wrong with the first bad ones."""
    print(f"{output}: {done.rows:,} rows, {done.bad:,} of them bad")
    for row, error in done.errors:
        print(f"{output}: row {row}: {error}", file=sys.stderr)
