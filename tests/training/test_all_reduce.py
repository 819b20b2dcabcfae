"""The sum of gradients over replicas: the ways, what crosses, and how exact bfloat16 is."""

import doctest
import json
import pathlib
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf
import tiny
from forked_python import run_script
from refusals import refused

from elmo_tf.training import all_reduce
from elmo_tf.training.all_reduce import (
    all_reduce_of,
    check_all_reduce,
    cross_device_ops,
    note_of_one_replica,
    summing_groups,
)

SCRIPT = pathlib.Path(__file__).with_name("all_reduce_run.py")


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """What the script prints."""
    result = run_script(SCRIPT, tmp_path_factory.mktemp("all_reduce"))
    result.check_returncode()
    return json.loads(result.stdout.splitlines()[-1])


@pytest.mark.parametrize("way", ["auto", "ring", "hierarchical", "reduction_to_one", "small packs", "bfloat16"])
def test_each_way_gives_every_replica_the_sum_of_dense_gradients_and_of_rows(found, way):
    rows = [3.0, 0.0, 3.0, 0.0, 2.0, 0.0, 0.0, 0.0, 0.0]  # of the first replica 0 and 2; of the second 4 too
    assert found["sums"][way]["replicas"] == [[[3.0, 5.0], [9.0], rows, rows, 3]] * 2


def test_packs_of_dense_gradients_begin_with_the_last_layer(found):
    assert found["sums"]["auto"]["reduced"] == [[3]]
    assert found["sums"]["small packs"]["reduced"] == [[1], [2]]


def test_softmax_and_word_table_cross_as_rows_the_softmax_first(found):
    between = found["trained"]["float32"]["between"]
    gathered, reduced = "CollectiveGatherV2", "CollectiveReduceV2"
    # kernel and bias of the softmax, one pack of all dense gradients, and the table of words
    assert [kind for kind, *_ in between] == [gathered, gathered, reduced, gathered]
    lstm = 2 * (12 * 48 + 48 + 12 * 6)  # kernel, bias and projection in both directions
    assert between[2] == [reduced, "float32", [lstm]]


def test_bfloat16_halves_what_crosses_and_rounds_norms_and_losses_to_its_eight_bits(found):
    exact, rounded = (found["trained"][dtype] for dtype in ("float32", "bfloat16"))
    assert [kind for _, kind, _ in rounded["between"]] == ["int32", "int32", "bfloat16", "int32"]
    assert rounded["losses"][0] == exact["losses"][0]
    assert rounded["norms"] != exact["norms"]
    np.testing.assert_allclose(rounded["norms"], exact["norms"], rtol=2.0**-9)
    np.testing.assert_allclose(rounded["losses"], exact["losses"], rtol=1e-4)


def test_examples_in_docstrings():
    assert doctest.testmod(all_reduce).failed == 0


@pytest.mark.parametrize(
    ("name", "devices", "workers", "words"),
    [
        (
            "nccl",
            ["CPU:0", "CPU:1"],
            False,
            "--all_reduce=nccl: expected GPUs, between which alone NCCL sums, got CPU:0",
        ),
        ("nccl", ["GPU:0", "CPU:0"], False, "got GPU:0, CPU:0"),
        ("nccl", ["CPU:0"], True, "got CPU:0"),
        ("hierarchical", ["GPU:0", "GPU:1"], True, "expected auto, nccl or ring with --strategy=multi_worker"),
        ("reduction_to_one", ["CPU:0"], True, "expected auto, nccl or ring with --strategy=multi_worker"),
    ],
)
def test_a_way_that_these_devices_do_not_have_is_refused(name, devices, workers, words):
    assert words in refused(check_all_reduce, name, devices, workers)


def test_hierarchical_copies_need_an_even_number_of_replicas():
    message = refused(cross_device_ops, "hierarchical", ["GPU:0", "GPU:1", "GPU:2"])
    assert message == "--all_reduce=hierarchical: expected an even number of replicas, got 3"
    assert cross_device_ops("nccl", ["GPU:0", "GPU:1", "GPU:2"]) is None


def test_a_sparse_word_table_is_summed_last_and_layers_in_the_order_of_the_forward_pass():
    table = tf.IndexedSlices(tf.ones([1, 2]), tf.constant([0]))
    names = ["embedding", "RNN_0/RNN/MultiRNNCell/Cell1/LSTMCell/B", "RNN_1/RNN/MultiRNNCell/Cell0/LSTMCell/B"]
    assert summing_groups([table, tf.ones(1), tf.ones(1), table], [*names, "softmax/W"]) == [[3], [2, 1], [0]]


def test_settings_of_the_sum_are_noted_where_there_is_one_replica_alone(tmp_path):
    settings = tiny.settings(tmp_path, all_reduce="ring", gradient_dtype="bfloat16")
    note = note_of_one_replica(settings, 1)
    assert note == "note: --all_reduce=ring and --gradient_dtype=bfloat16 have no effect with one replica"
    assert note_of_one_replica(settings, 2) is None
    assert note_of_one_replica(tiny.settings(tmp_path), 1) is None


@pytest.mark.parametrize(
    ("changes", "device", "implementation"),
    [
        ({}, "GPU:0", "AUTO"),  # a MirroredStrategy itself asks for NCCL on GPUs, and for a ring on CPUs
        ({"strategy": "multi_worker"}, "GPU:0", "NCCL"),
        ({"strategy": "multi_worker"}, "CPU:0", "AUTO"),
        ({"strategy": "multi_worker", "all_reduce": "ring"}, "GPU:0", "RING"),
        ({"all_reduce": "nccl"}, "GPU:0", "NCCL"),
        ({"all_reduce": "hierarchical"}, "GPU:0", "AUTO"),
    ],
)
def test_nccl_is_asked_for_between_the_gpus_of_several_workers(tmp_path, changes, device, implementation):
    strategy = SimpleNamespace(extended=SimpleNamespace(worker_devices=(f"/job:worker/task:0/device:{device}",)))
    made = all_reduce_of(tiny.settings(tmp_path, gradient_dtype="bfloat16", **changes), strategy)
    assert (made.implementation.value, made.gradient_dtype) == (implementation, "bfloat16")
