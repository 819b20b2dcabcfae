"""Audits graphs in a process of its own, for the CPU is cut into devices: `python graph_audit_run.py CASES`.

CASES is a comma-separated list of `PRECISION:plain|jit:REPLICAS`, `evaluator` and `layer`. The last line is JSON: for
each case the misplaced operations, what is waited for, and the numbers of launches and clusters.
"""

import collections
import json
import pathlib
import sys
import types

import tensorflow as tf

sys.path.insert(0, str(pathlib.Path(__file__).parents[2]))
sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))
import tiny

from benchmarks.graph_audit import audit, count_launches, cut_cpu, trace_step
from elmo_tf.elmo.elmo_layer import ElmoLayer
from elmo_tf.inference.evaluator import Evaluator
from elmo_tf.models.language_model import LanguageModel

OPTIONS = tiny.options(n_tokens_vocab=50, batch_size=6, unroll_steps=3)


def trace(case, strategies):
    """The concrete function of a case."""
    if case == "evaluator":
        model = LanguageModel(OPTIONS)
        model.build()
        corpus = types.SimpleNamespace(sentences=6)
        return Evaluator(model, corpus, None)._compiled(model.zero_state(6)).get_concrete_function()
    if case == "layer":
        layer = ElmoLayer(OPTIONS, trainable=True)
        layer.build(None)
        ids = tf.TensorSpec([None, None, OPTIONS.char_cnn.max_characters_per_token], tf.int32)

        @tf.function(input_signature=[ids])
        def gradients(ids):
            with tf.GradientTape() as tape:
                loss = tf.reduce_sum(layer(ids))
            return tape.gradient(loss, layer.trainable_variables)

        return gradients.get_concrete_function()
    precision, mode, replicas = case.split(":")
    return trace_step(OPTIONS, strategies[int(replicas)], precision=precision, jit_compile=mode == "jit")


def main(cases):
    strategies = {2: cut_cpu(2), 1: tf.distribute.MirroredStrategy(["CPU:1"])}
    found = {}
    for case in cases.split(","):
        operations = audit(trace(case, strategies))
        found[case] = {
            "misplaced": [f"{one.type} {one.name}: {one.misplaced}" for one in operations if one.misplaced],
            "waits": collections.Counter(f"{one.type} for {kind}" for one in operations for kind in one.waits_for),
            "launches": count_launches(operations),
            "clusters": sum(one.kind == "cluster" for one in operations),
        }
    print(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
