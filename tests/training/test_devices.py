"""Choosing devices; mistakes are one sentence."""

import os

import pytest
import tensorflow as tf
import tiny
from forked_python import run_code

from elmo_tf.errors import InputError
from elmo_tf.training.devices import make_strategy, strategy_of


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


@pytest.mark.parametrize("chosen", [None, "Tree"])
def test_deterministic_operations_are_switched_on_and_nccl_takes_a_ring_unless_told(tmp_path, monkeypatch, chosen):
    calls = []
    monkeypatch.setattr(tf.config.experimental, "enable_op_determinism", lambda: calls.append("called"))
    monkeypatch.setenv("NCCL_ALGO", chosen or "")
    if chosen is None:
        monkeypatch.delenv("NCCL_ALGO")
    strategy_of(tiny.settings(tmp_path))
    assert calls == []
    strategy_of(tiny.settings(tmp_path, deterministic=True))
    assert calls == ["called"]
    assert os.environ["NCCL_ALGO"] == (chosen or "Ring")


def test_logical_cpus_are_replicas():
    code = (
        "from elmo_tf.training.devices import make_strategy; print(make_strategy(logical_cpus=3).num_replicas_in_sync)"
    )
    assert run_code(code).stdout.split() == ["3"]
