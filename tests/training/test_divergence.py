"""Which losses keep a state out of the checkpoints, and when skipped steps end a run."""

import math

import pytest
import tensorflow as tf
from riding import state_of

from elmo_tf.errors import InputError
from elmo_tf.training.divergence import MOST_SKIPS, DivergenceError, DivergenceGuard

BOUND = math.log(1000) + 5.0


def guard_of(weights=(), **values):
    state, lines = state_of(**values), []
    return DivergenceGuard(state, 1000, lines.append, weights), state, lines


def test_a_state_without_any_step_and_one_of_a_new_model_are_saved():
    assert guard_of()[0].may_save()
    guard, _, lines = guard_of(step=1, mean_loss=math.log(1000) + 1)
    guard.count_step(math.log(1000) + 1)
    assert guard.may_save()
    assert not lines


def test_a_last_loss_beyond_the_bound_keeps_the_state_out_of_the_checkpoints_until_one_within_it():
    guard, _, lines = guard_of(step=7, mean_loss=5.0)
    guard.count_step(BOUND + 0.1)
    assert not guard.may_save()
    assert lines == ["note: no checkpoint of step 7 is saved, for its loss is 12.01 nats a token"]
    guard.count_step(BOUND - 0.1)
    assert guard.may_save()


def test_a_mean_loss_beyond_the_bound_ends_the_run_with_a_sentence_that_names_flags():
    guard, _, _ = guard_of(step=7, mean_loss=BOUND + 0.1)
    with pytest.raises(InputError, match=r"is 12.01 nats a token at step 7, and 6.91 .*--learning_rate or --all_clip"):
        guard.may_save()


def test_steps_in_a_row_without_a_finite_gradient_end_the_run_and_others_are_counted():
    guard, state, lines = guard_of(step=3)
    guard.count_skip(math.inf)
    guard.count_step(2.0)
    for _ in range(MOST_SKIPS - 1):
        state.step += 1
        guard.count_skip(math.nan)
    assert len(lines) == state.skipped_steps == MOST_SKIPS
    state.step += 1
    with pytest.raises(InputError, match="from step 4 to step 13 no gradient is finite: training diverged"):
        guard.count_skip(math.nan)


@pytest.mark.parametrize(("weight", "shown"), [(-10001.0, "10001"), (math.inf, "inf"), (math.nan, "nan")])
def test_a_weight_out_of_all_reason_ends_the_run_before_it_is_saved(weight, shown):
    weights = [tf.Variable([0.0, 10000.0]), tf.Variable([1.0, 2.0])]
    guard, _, _ = guard_of(weights, step=7, mean_loss=5.0)
    assert guard.may_save()
    weights[1].assign([weight, 2.0])
    with pytest.raises(DivergenceError, match=rf"^the largest weight is {shown} after step 7, above 10,000: "):
        guard.may_save()


def test_a_loss_confirms_the_checkpoint_before_its_step_where_the_model_knows_something():
    guard, state, _ = guard_of(step=4)
    assert guard.confirmed == 3
    for loss, confirmed in ((5.0, 4), (math.log(1000) + 0.1, 4), (math.log(1000) - 0.1, 6)):
        state.step += 1
        guard.count_step(loss)
        assert guard.confirmed == confirmed
    state.step += 1
    guard.count_skip(math.inf)
    assert guard.confirmed == 6
