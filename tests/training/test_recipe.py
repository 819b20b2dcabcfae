"""Runs with the options that bilm-tf does not know: Adam, schedules, dropout over rows, words and recurrent weights,
penalties on activations, averaged weights."""

import dataclasses
import os

import numpy as np
import pytest
import tensorflow as tf
import tiny
from forked_python import ForkedPython
from riding import end_step, ride, state_of
from training_runs import REGULARISED, arrays, assert_equal, command, quiet, small

from elmo_tf.errors import InputError
from elmo_tf.store.load_model import load_language_model
from elmo_tf.training.adam import SparseAdam
from elmo_tf.training.averaging import WeightAverage
from elmo_tf.training.best_checkpoint import BestCheckpoint
from elmo_tf.training.checkpoint import TrainingCheckpoint
from elmo_tf.training.imported_checkpoint import write_imported
from elmo_tf.training.optimizer import SparseAdagrad
from elmo_tf.training.plateau import ReduceOnPlateau
from elmo_tf.training.run import train

ALL = {
    "optimizer": "adamw",
    "learning_rate": 0.01,
    "weight_decay": 0.1,
    "schedule": "cosine",
    "warmup_steps": 2,
    "decay_steps": 12,
    "plateau_patience": 1,
    "locked_dropout": True,
    "word_dropout": 0.2,
    "output_dropout": 0.0,
    **REGULARISED,
    "softmax_bias": "zipf",
    "average_decay": 0.5,
    "average_steps": 1,
    "validation_steps": 2,
}


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory):
    """The folder and the settings of a run of 9 steps with all of these options."""
    folder = tmp_path_factory.mktemp("recipe")
    settings = small(folder, model="unbroken", max_steps=9, **ALL)
    quiet(settings)
    return folder, settings


def test_a_run_that_was_stopped_and_goes_on_ends_with_the_very_numbers_of_the_unbroken_one(unbroken):
    folder, settings = unbroken
    broken = small(folder, model="broken", max_steps=5, **ALL)
    quiet(broken)
    assert quiet(dataclasses.replace(broken, max_steps=9)).steps == 9
    whole = arrays(settings.model_dir)
    assert_equal(whole, arrays(broken.model_dir))
    parts = {name.split("/")[0] for name in whole}
    assert {"weights", "average", "adam"} <= parts
    assert float(np.max(np.abs(whole["adam/first/softmax.Sb/.ATTRIBUTES/VARIABLE_VALUE"]))) > 0


def test_a_model_that_is_loaded_and_its_best_checkpoint_have_the_averages(unbroken):
    _, settings = unbroken
    latest, best = arrays(settings.model_dir), arrays(settings.model_dir, "best")
    assert {name.split("/")[0] for name in best} == {"weights", "step"}
    ending = "softmax.SW/.ATTRIBUTES/VARIABLE_VALUE"
    loaded = load_language_model(settings.model_dir, "latest").model.softmax.kernel
    np.testing.assert_array_equal(loaded, latest[f"average/{ending}"])
    assert (latest[f"average/{ending}"] != latest[f"weights/{ending}"]).any()


def test_another_optimizer_than_the_checkpoints_is_refused_in_one_sentence(unbroken):
    _, settings = unbroken
    options = settings.options.replace(optimizer="adagrad", weight_decay=0.0)
    with pytest.raises(InputError, match="was trained with adam, and this run asks for adagrad: give --optimizer=adam"):
        quiet(dataclasses.replace(settings, options=options, max_steps=12))


def test_two_replicas_with_adam_and_an_average_do_what_one_with_all_rows_does(tmp_path):
    """They drop the same recurrent weights too, and their penalties on activations are as large. The epsilon is large,
    because Adam divides by it the rounding errors of gradients that are nearly 0."""
    changes = {"dropout": 0.0, "max_steps": 6, "optimizer": "adam", "learning_rate": 0.01}
    changes |= {"adam_epsilon": 0.01, "schedule": "linear", "decay_steps": 8, "plateau_patience": 1}
    changes |= {"average_decay": 0.5, "average_steps": 1, "validation_steps": 2, **REGULARISED}
    one = small(tmp_path, model="one", batch_size=8, **changes)
    two = small(tmp_path, model="two", batch_size=4, **changes)
    quiet(one)
    flags = ("--max_steps=6", "--validation_steps=2", "--logical_cpus=2")
    ForkedPython(*command(two, *flags)).wait().check_returncode()
    assert_equal(arrays(one.model_dir), arrays(two.model_dir), tolerance=1e-5)


def test_a_vocabulary_too_small_to_sample_from_is_trained_with_the_full_softmax_and_a_line_says_so(tmp_path):
    lines = []
    settings = small(tmp_path, max_steps=2, n_negative_samples_batch=8192)
    assert train(settings, report=lines.append).finished
    words = len(tiny.WORDS) + 3
    assert lines[0] == (
        f"note: the vocabulary has {words} words, no more than --n_negative_samples_batch=8192: the full softmax is "
        "trained"
    )
    with open(os.path.join(settings.model_dir, "log.csv")) as file:
        assert file.readline().split(",")[2] == "loss"


def test_the_average_forgets_the_first_weights_of_a_short_run_and_is_exchanged_for_the_weights():
    weight = tf.Variable([0.0])
    average = WeightAverage({"x": weight}, decay=0.25, every=2)
    expected, seen = 0.0, []
    for step in range(1, 9):
        weight.assign([float(step)])
        average.update(step)
        if step % 2 == 0:
            decay = min(0.25, (1 + step // 2) / (10 + step // 2))
            expected = decay * expected + (1 - decay) * step
    with average.in_place():
        seen.append(float(weight[0]))
        np.testing.assert_array_equal(average.averages["x"], [8.0])
    assert seen == pytest.approx([expected], rel=1e-6)
    assert float(weight[0]) == 8.0
    average.reset()
    np.testing.assert_array_equal(average.averages["x"], [8.0])


def test_a_run_that_had_no_average_goes_on_with_one_that_begins_with_its_weights(tmp_path):
    def checkpoint(value, average):
        variables = {"softmax/b": tf.Variable([value])}
        made = WeightAverage(variables, 0.5, 1) if average else None
        return TrainingCheckpoint(str(tmp_path), variables, SparseAdam(variables, 0.1), average=made), made

    states = (((tf.zeros([2, 3]),),),)
    checkpoint(3.0, False)[0].save(state_of(states, step=4))
    resumed, average = checkpoint(5.0, True)
    assert resumed.restore(state_of(states)).step == 4
    np.testing.assert_array_equal(average.averages["softmax/b"], [3.0])


def test_adam_starts_anew_from_an_imported_model_whose_accumulators_are_those_of_adagrad(tmp_path):
    arrays = {"softmax/b": np.array([3.0], np.float32)}
    write_imported(str(tmp_path), arrays, arrays, step=4)
    lines, variables = [], {"softmax/b": tf.Variable([5.0])}
    optimizer = SparseAdam(variables, 0.1)
    states = (((tf.zeros([2, 3]),),),)
    resumed = TrainingCheckpoint(str(tmp_path), variables, optimizer, lines.append).restore(state_of(states))
    assert (resumed.step, float(variables["softmax/b"][0])) == (4, 3.0)
    assert "has nothing of adam, which starts anew" in lines[0]


def test_the_rate_falls_by_the_factor_whenever_the_patience_is_at_an_end_and_stays_so_when_the_run_goes_on():
    variable, lines, state = tf.Variable([0.0]), [], state_of()
    optimizer = SparseAdagrad({"x": variable}, 1.0, initial_accumulator=0.0, can_be_reduced=True)
    best = BestCheckpoint(state, lambda step: None, 0, str)
    riding, _ = ride(best, ReduceOnPlateau(state, optimizer, 2, 0.5, lines.append))
    factors = []
    for perplexity in (9.0, 9.0, 9.5, 9.0, 9.0, 8.0, 8.0):
        end_step(riding, state, {"val_perplexity": perplexity})
        end_step(riding, state, {})
        factors.append(state.rate_factor)
    assert factors == [1.0, 1.0, 0.5, 0.5, 0.25, 0.25, 0.25]
    assert [line.split(":")[0] for line in lines] == ["step 5", "step 9"]
    other = SparseAdagrad({"x": variable}, 1.0, initial_accumulator=0.0, can_be_reduced=True)
    ReduceOnPlateau(state, other, 2, 0.5, lines.append)
    other.apply([tf.constant([2.0])])
    np.testing.assert_allclose(variable, [-0.25], atol=1e-7)
