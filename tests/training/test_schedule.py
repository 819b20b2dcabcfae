"""The learning rate of each step."""

import math

import pytest

from elmo_tf.training.schedule import Schedule, learning_rate
from elmo_tf.training_options import TrainingOptions


def rates(**changes):
    made = learning_rate(TrainingOptions(learning_rate=0.5, **changes), total_steps=10)
    assert isinstance(made, Schedule)
    return [float(made(step)) for step in range(12)]


def test_a_constant_rate_without_a_warm_up_is_a_number():
    assert learning_rate(TrainingOptions(learning_rate=0.5), total_steps=10) == 0.5


@pytest.mark.parametrize("kind", ["linear", "cosine"])
def test_the_rate_rises_to_its_peak_and_falls_to_0_at_the_last_step(kind):
    found = rates(schedule=kind, warmup_steps=4)
    fall = {"linear": lambda p: 1 - p, "cosine": lambda p: 0.5 * (1 + math.cos(math.pi * p))}[kind]
    expected = [0.125, 0.25, 0.375, 0.5, *(0.5 * fall(k / 6) for k in range(7)), 0.0]
    assert found == pytest.approx(expected, abs=1e-7)


def test_decay_steps_count_before_the_steps_of_the_run():
    assert rates(schedule="linear", decay_steps=2)[:3] == pytest.approx([0.5, 0.25, 0.0])


def test_a_warm_up_alone_ends_in_a_constant_rate():
    assert rates(warmup_steps=2)[:4] == pytest.approx([0.25, 0.5, 0.5, 0.5])


def test_a_run_without_an_end_stays_at_its_peak():
    made = learning_rate(TrainingOptions(schedule="cosine", learning_rate=0.5), total_steps=None)
    assert made == 0.5
