"""A run's state: its text in a checkpoint, and the properties that follow from it."""

import dataclasses
import json

import pytest
from riding import state_of

from elmo_tf.training.loss_scale import LossScale

STATES = ("lstm states",)
REACHED = {
    "step": 9,
    "stream_position": "„ 雨 “",
    "mean_loss": 2.5,
    "best_perplexity": 31.0,
    "best_step": 6,
    "validations_since_best": 2,
    "validation_due": {"loss": 2.25},
    "held_out": "1 files",
}


def restored(text, new=None, step=9):
    return type(state_of()).from_json(text, new or state_of(), step, STATES)


def test_a_state_comes_back_from_its_text_as_one_that_was_resumed():
    state = state_of(STATES, **REACHED)
    came = restored(state.to_json())
    assert came == dataclasses.replace(state, first_step=9, is_resumed=True, loss_scale=came.loss_scale)
    assert came.to_json() == state.to_json()


def test_the_text_has_the_names_that_checkpoints_always_had():
    values = json.loads(state_of(**REACHED, loss_scale=LossScale.of(64.0, 5)).to_json())
    assert values == {
        "seed": 1,
        "unroll_steps": 5,
        "corpus": "c0ffee",
        "position": "„ 雨 “",
        "mean_loss": 2.5,
        "best_perplexity": 31.0,
        "best_step": 6,
        "since_best": 2,
        "validation_due": {"loss": 2.25},
        "held_out": "1 files",
        "loss_scale": [64.0, 5],
    }


def test_what_is_not_known_yet_is_not_in_the_text():
    assert set(json.loads(state_of().to_json())) == {"seed", "unroll_steps", "corpus", "mean_loss", "since_best"}


def test_an_imported_model_takes_what_it_lacks_from_the_new_run():
    new = state_of(seed=7)
    came = restored("{}", new, step=120)
    assert came == dataclasses.replace(new, lstm_states=STATES, step=120, first_step=120, is_resumed=True)


@pytest.mark.parametrize(("dtype", "factor"), [("float16", 64.0), ("float32", 1.0), ("bfloat16", 1.0)])
def test_a_saved_loss_scale_is_for_float16_alone(dtype, factor):
    text = state_of(loss_scale=LossScale.of(64.0, 5)).to_json()
    came = restored(text, state_of(loss_scale=LossScale.first(dtype)))
    assert float(came.loss_scale.factor) == factor


def test_a_step_of_this_process_is_told_from_those_before_it():
    state = restored("{}")
    assert not state.has_new_steps
    state.step += 1
    assert state.has_new_steps


@pytest.mark.parametrize(
    ("values", "patience", "finished"),
    [
        ({"step": 9}, 0, False),
        ({"step": 10}, 0, True),
        ({"step": 10, "validation_due": {}}, 0, False),
        ({"step": 9, "validations_since_best": 2}, 0, False),
        ({"step": 9, "validations_since_best": 2}, 3, False),
        ({"step": 9, "validations_since_best": 2}, 2, True),
        ({"step": 9, "validations_since_best": 2, "validation_due": {"loss": 1.0}}, 2, False),
    ],
)
def test_a_run_is_finished_after_its_steps_or_its_patience_and_with_no_validation_due(values, patience, finished):
    assert state_of(**values).is_finished(10, patience) == finished
