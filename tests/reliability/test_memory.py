"""The memory of a process does not grow with the number of steps, validations and checkpoints."""

import ctypes
import dataclasses
import gc
import resource

import pytest
from reused_runs import short

from elmo_tf.training.run import train
from elmo_tf.training.step import TrainStep

PERCENT = 2.0
"""How much the memory may grow."""


def resident():
    """The bytes of this process that are in memory, after all that is free was given back to the system."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()


def sizes_at(settings, monkeypatch, steps):
    """Trains, and measures the memory before each of these steps."""
    real, sizes = TrainStep.__call__, {}

    def take_step(self, step, *arguments):
        if step in steps:
            sizes[step] = resident()
        return real(self, step, *arguments)

    monkeypatch.setattr(TrainStep, "__call__", take_step)
    train(settings, lambda line: None)
    return sizes


def check_growth(sizes):
    first, last = min(sizes), max(sizes)
    percent = 100.0 * (sizes[last] / sizes[first] - 1.0)
    print({step: f"{size / 1e6:.1f} MB" for step, size in sizes.items()}, f"{percent:.2f} %")
    assert percent <= PERCENT, sizes


QUIET = {"n_epochs": 10**6, "count": 400, "validate_first": False, "validation_steps": 0, "checkpoint_steps": 10**6}


@pytest.mark.exhaustive
def test_the_memory_does_not_grow_from_step_500_to_step_5000(tmp_path, monkeypatch):
    settings = short(tmp_path, **{**QUIET, "valid_files": (), "max_steps": 5001, "log_steps": 50})
    check_growth(sizes_at(settings, monkeypatch, (500, 2000, 5000)))


@pytest.mark.exhaustive
@pytest.mark.parametrize("what", ["validation_steps", "checkpoint_steps"])
def test_the_memory_does_not_grow_over_a_hundred_validations_or_checkpoints(tmp_path, monkeypatch, what):
    settings = short(tmp_path, **{**QUIET, what: 5, "max_steps": 551})
    if what == "checkpoint_steps":
        settings = dataclasses.replace(settings, valid_files=())
    check_growth(sizes_at(settings, monkeypatch, (50, 300, 550)))


@pytest.mark.soak
def test_the_memory_does_not_grow_over_many_steps_validations_and_checkpoints(tmp_path, monkeypatch):
    settings = short(tmp_path, **{**QUIET, "validation_steps": 50, "checkpoint_steps": 50, "max_steps": 50_001})
    check_growth(sizes_at(settings, monkeypatch, (500, 5000, 50_000)))
