"""Sums gradients over two replicas in every way, and trains with float32 and bfloat16 sums; prints JSON.

python all_reduce_run.py FOLDER
"""

import dataclasses
import json
import pathlib
import sys

import numpy as np
import tensorflow as tf

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))
import training_runs

from elmo_tf.training import assembly
from elmo_tf.training.all_reduce import AllReduce, CommunicationImplementation
from elmo_tf.training.devices import make_strategy
from elmo_tf.training.input_checks import check_run_input
from elmo_tf.training.step_input import flatten_step

STEPS = 10
WEIGHTS = {
    "embedding": np.zeros([9, 3]),
    "RNN_0/RNN/MultiRNNCell/Cell0/LSTMCell/B": np.zeros(2),
    "RNN_0/RNN/MultiRNNCell/Cell1/LSTMCell/B": np.zeros(1),
    "softmax/W": np.zeros([9, 3]),
}


def sums(strategy, all_reduce):
    """The sums of two dense gradients and of the rows of two sparse ones, as each replica has them."""

    def of_replica():
        mine = tf.cast(tf.distribute.get_replica_context().replica_id_in_sync_group, tf.float32)
        count = 2 + tf.cast(mine, tf.int32)  # the replicas have different numbers of rows
        rows = tf.IndexedSlices(tf.ones([count, 3]) * (mine + 1.0), tf.range(count) * 2, tf.constant([9, 3]))
        pair = (tf.constant([1.0, 2.0, 9.0]) + mine)[
            : count - tf.cast(mine, tf.int32)
        ]  # of a shape that the graph does not know
        summed = all_reduce([rows, pair, tf.constant([4.0]) + mine, rows], WEIGHTS)
        dense = [tf.math.unsorted_segment_sum(value.values, value.indices, 9)[:, 0] for value in (summed[0], summed[3])]
        return [summed[1], summed[2], *dense, tf.shape(summed[0].indices)[0]]

    function = tf.function(lambda: strategy.run(of_replica)).get_concrete_function()
    local = [strategy.experimental_local_results(value) for value in function()]
    reduced = [
        operation.inputs[0].shape.as_list()
        for operation in function.graph.get_operations()
        if operation.type == "CollectiveReduceV2" and operation.device.endswith("CPU:0")
    ]
    return {
        "replicas": [[value.numpy().tolist() for value in own] for own in zip(*local, strict=True)],
        "reduced": reduced,
    }


def train(settings, prepared, strategy, dtype):
    """The losses and norms of a few steps, and the shapes of what replica 0 sums and gathers."""
    settings = dataclasses.replace(settings, gradient_dtype=dtype)
    trainer = assembly.build_trainer(settings, prepared.options, strategy)
    stream = assembly.make_stream(settings, prepared, trainer.parts)
    states, losses, norms = trainer.take_step.zero_states(settings.options.training.batch_size), [], []
    for number, (step, _) in zip(range(STEPS), stream, strict=False):
        result = trainer.take_step(number, [tf.constant(array) for array in flatten_step(step)], states)
        states = result.states
        losses.append(float(tf.reduce_mean(result.losses)))
        norms.append(float(result.norm))
    graph = trainer.take_step._function.get_concrete_function(
        tf.constant(0), tuple(map(tf.constant, flatten_step(step))), states, result.loss_scale
    ).graph
    between = [
        [operation.type, operation.inputs[0].dtype.name, operation.inputs[0].shape.as_list()]
        for operation in graph.get_operations()
        if operation.type.startswith("Collective") and operation.device.endswith("CPU:0")
    ]
    return {"losses": losses, "norms": norms, "between": between}


def main(folder):
    folder = pathlib.Path(folder)
    strategies = {
        name: make_strategy(logical_cpus=2, all_reduce=name) for name in ("auto", "hierarchical", "reduction_to_one")
    }
    ways = {name: (strategy, AllReduce()) for name, strategy in strategies.items()}
    ways["ring"] = strategies["auto"], AllReduce(CommunicationImplementation.RING)
    ways["small packs"] = strategies["auto"], AllReduce(bytes_per_pack=1)
    ways["bfloat16"] = strategies["auto"], AllReduce(gradient_dtype="bfloat16")
    found = {name: sums(*way) for name, way in ways.items()}
    settings = training_runs.small(folder, bidirectional=True, dropout=0.0)
    prepared = check_run_input(settings.options, settings.train_files, (), settings.vocab_file, 2)
    trained = {dtype: train(settings, prepared, strategies["auto"], dtype) for dtype in ("float32", "bfloat16")}
    print(json.dumps({"sums": found, "trained": trained}))


if __name__ == "__main__":
    main(sys.argv[1])
