"""The audit of graphs: what has no GPU kernel, what the host would have to wait for, and what is launched."""

import json
import pathlib

import pytest
import tensorflow as tf
from forked_python import run_script

from benchmarks.graph_audit import audit, count_launches
from elmo_tf.layers import ProjectedLSTM
from elmo_tf.layers.host import on_host

SCRIPT = pathlib.Path(__file__).with_name("graph_audit_run.py")
STEPS = ("float32:plain:1", "bfloat16:plain:2", "float16:jit:1", "float32:jit:2")
ALL_STEPS = [
    f"{precision}:{mode}:{replicas}"
    for precision in ("float32", "bfloat16", "float16")
    for mode in ("plain", "jit")
    for replicas in (1, 2)
]


def audited(cases):
    result = run_script(SCRIPT, ",".join(cases))
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def found():
    """The audits of some training steps, the evaluator and `ElmoLayer`."""
    return audited([*STEPS, "evaluator", "layer"])


def test_a_gpu_has_a_kernel_for_all_floats_and_for_whole_numbers_of_more_than_a_few_elements(found):
    assert {case: values["misplaced"] for case, values in found.items()} == {case: [] for case in found}


def test_a_step_of_one_replica_waits_for_the_gpu_to_say_that_the_gradient_is_finite_and_for_nothing_else(found):
    assert found["float32:plain:1"]["waits"] == {"If for IsFinite": 1}


def test_under_xla_loss_and_gradient_of_a_replica_are_two_clusters(found):
    assert (found["float16:jit:1"]["clusters"], found["float32:jit:2"]["clusters"]) == (2, 4)
    assert found["float16:jit:1"]["launches"] < 0.5 * found["float32:plain:1"]["launches"]


@pytest.mark.exhaustive
def test_a_gpu_has_a_kernel_for_all_that_any_kind_of_training_step_computes():
    found = audited(ALL_STEPS)
    assert {case: values["misplaced"] for case, values in found.items()} == {case: [] for case in ALL_STEPS}


def launches_of_a_layer(steps):
    """The launches of the forward and backward pass of an LSTM layer."""
    layer = ProjectedLSTM(8, 4, 3.0, 3.0)
    layer.build((None, None, 4))

    @tf.function(input_signature=[tf.TensorSpec([2, steps, 4], tf.float32)])
    def gradients(inputs):
        with tf.GradientTape() as tape:
            outputs, _ = layer(inputs)
        return tape.gradient(outputs, layer.trainable_variables)

    return count_launches(audit(gradients.get_concrete_function()))


def test_a_time_step_of_a_layer_takes_four_launches_forward_and_five_backward():
    assert launches_of_a_layer(4) - launches_of_a_layer(3) == 9


FLOATS = tf.TensorSpec([5, 8, 8, 3], tf.float32)


def test_an_operation_without_a_gpu_kernel_is_found_in_a_nested_function():
    inner = tf.function(lambda values: tf.raw_ops.FractionalMaxPool(value=values, pooling_ratio=[1, 2, 2, 1])[0])
    outer = tf.function(lambda values: 2.0 * inner(values), input_signature=[FLOATS])
    (wrong,) = [one for one in audit(outer.get_concrete_function()) if one.misplaced]
    assert wrong.type == "FractionalMaxPool"
    assert "no GPU kernel for float32(5, 8, 8, 3)" in wrong.misplaced
    assert "PartitionedCall" in wrong.name


def test_a_size_that_a_gpu_computes_is_waited_for_and_one_that_the_host_computes_is_not():
    def positive(values):
        return tf.range(tf.cast(tf.reduce_sum(values), tf.int32))

    (waits,) = [
        one.waits_for
        for one in audit(tf.function(positive, input_signature=[FLOATS]).get_concrete_function())
        if one.waits_for
    ]
    assert waits == ("Cast",)

    def of_the_input(sizes):
        with on_host():
            return tf.range(tf.reduce_sum(sizes))

    function = tf.function(of_the_input, input_signature=[tf.TensorSpec([5], tf.int32)])
    assert not [one for one in audit(function.get_concrete_function()) if one.waits_for]

    @tf.function(autograph=False)
    def shape_of(values):
        return tf.concat([tf.shape(values), [1]], 0)

    @tf.function(autograph=False)
    def sum_of(values):
        return tf.cast(tf.reduce_sum(values), tf.int32) + tf.constant(1)

    def of_a_call(values):
        return tf.concat([shape_of(values), [2]], 0)

    def waits_for_a_call(values):
        return tf.range(sum_of(values))

    for caller, expected in ((of_a_call, []), (waits_for_a_call, [("Cast",)])):
        listed = audit(tf.function(caller, input_signature=[FLOATS]).get_concrete_function())
        assert [one.waits_for for one in listed if one.waits_for] == expected
