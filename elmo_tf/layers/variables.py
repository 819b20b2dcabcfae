"""Variables of a `tf.distribute` strategy, where their rows are read."""

from typing import Any

import tensorflow as tf


def replica_variable(variable: Any) -> Any:
    """The variable that a mirrored one stands for on this replica; any other, or where that is not known, as it is.

    `tf.gather` reads rows of a plain variable. Of a mirrored one it reads the whole first, which copies it once sparse
    updates have been made to it: 30 ms a step and read for 800,000 x 128.

    >>> variable = tf.Variable([1.0])
    >>> replica_variable(variable) is variable
    True
    """
    if not isinstance(variable, tf.distribute.DistributedValues):
        return variable
    local = variable.distribute_strategy.experimental_local_results(variable)
    replica = tf.distribute.get_replica_context()
    number = 0 if replica is None else tf.get_static_value(replica.replica_id_in_sync_group)
    if number is None:
        # one program for all replicas, as on TPUs: which one it runs on is not known before it runs
        return variable
    # Replicas are numbered over all workers; a worker has the variables of its own ones alone.
    return local[number % len(local)]
