"""Choosing devices; mistakes are one sentence."""

import pytest
from forked_python import run_code

from elmo_tf.errors import InputError
from elmo_tf.training.devices import make_strategy


def test_without_a_gpu_the_cpu_is_one_replica():
    assert make_strategy().num_replicas_in_sync == 1


def test_a_device_may_be_written_in_any_case():
    assert make_strategy(["cpu:0"]).num_replicas_in_sync == 1


@pytest.mark.parametrize(
    ("devices", "cpus", "words"),
    [
        (["GPU:7"], 1, ["GPU:7", "no such device", "CPU:0"]),
        (["CPU:0", "CPU:0"], 1, ["named twice"]),
        (["CPU:0"], 2, ["--logical_cpus", "--devices"]),
        ([], 1_000_000, ["--logical_cpus=1000000: expected at most 64"]),
    ],
)
def test_a_mistake_names_the_flag_and_what_there_is(devices, cpus, words):
    with pytest.raises(InputError) as caught:
        make_strategy(devices, cpus)
    assert all(word in str(caught.value) for word in words)


def test_logical_cpus_are_replicas():
    code = (
        "from elmo_tf.training.devices import make_strategy; print(make_strategy(logical_cpus=3).num_replicas_in_sync)"
    )
    assert run_code(code).stdout.split() == ["3"]
