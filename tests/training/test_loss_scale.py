"""The loss scale: halved by an overflow, doubled after many steps without one, never changed where it is not needed."""

import tensorflow as tf

from elmo_tf.training.loss_scale import FIRST, LARGEST, STEADY, LossScale


def run(scale, finite):
    """The factors after each step."""
    factors = []
    for one in finite:
        scale = scale.after(tf.constant(one))
        factors.append(float(scale.factor))
    return factors, scale


def test_an_overflow_halves_it_and_never_below_one():
    factors, scale = run(LossScale.first("float16"), [False, True, False])
    assert factors == [FIRST / 2, FIRST / 2, FIRST / 4]
    assert scale.to_list() == [FIRST / 4, 0]
    assert run(LossScale.of(1.0, 0), [False, False])[0] == [1.0, 1.0]


def test_it_doubles_after_enough_steps_without_overflow_and_up_to_its_bound():
    factors, scale = run(LossScale.of(8.0, STEADY - 2), [True, True, True])
    assert factors == [8.0, 16.0, 16.0]
    assert scale.to_list() == [16.0, 1]
    assert run(LossScale.of(LARGEST, STEADY - 1), [True])[0] == [LARGEST]


def test_outside_float16_it_stays_one():
    for dtype in ("float32", "bfloat16"):
        factors, scale = run(LossScale.first(dtype), [True, False, True])
        assert factors == [1.0, 1.0, 1.0]
        assert scale.to_list() == [1.0, -1]


def test_it_comes_back_from_its_numbers():
    scale = LossScale.of(*LossScale.of(64.0, 5).to_list())
    assert scale.to_list() == [64.0, 5]
