"""Parts of the step that no reference of bilm-tf covers: fresh and carried states, and sparse gradients."""

import numpy as np
import pytest
import tensorflow as tf
import tiny
from training_runs import REGULARISED

from elmo_tf.data.corpus import Corpus
from elmo_tf.data.training_stream import StreamSettings, TrainingStream
from elmo_tf.data.word_counts import build_vocabulary, count_corpus
from elmo_tf.models.language_model import LanguageModel
from elmo_tf.models.weight_names import named_variables
from elmo_tf.training.devices import make_strategy
from elmo_tf.training.loss_scale import LossScale
from elmo_tf.training.optimizer import SparseAdagrad
from elmo_tf.training.step import TrainStep
from elmo_tf.training.step_input import flatten_step


def first_steps(folder, fresh_states, count=3, policy="float32", **changes):
    """The step function, and the input of the first steps of a tiny text."""
    path = folder / "text.txt"
    path.write_text("\n".join(tiny.sentences(60)) + "\n")
    vocabulary = build_vocabulary(count_corpus([str(path)])[0])
    options = tiny.options(n_tokens_vocab=len(vocabulary), **changes)
    tf.keras.utils.set_random_seed(1)
    strategy = make_strategy()
    with strategy.scope():
        model = LanguageModel(options, dtype=policy)
        model.build()
        optimizer = SparseAdagrad(named_variables(model), options.training.learning_rate)
    stream = TrainingStream(Corpus.scan([str(path)]), vocabulary, options, StreamSettings(rows=4, negatives=8))
    steps = [step for _, (step, _) in zip(range(count), stream, strict=False)]
    return TrainStep(model, optimizer, strategy, fresh_states=fresh_states), steps, model


def run(take_step, steps, states):
    for number, step in enumerate(steps):
        result = take_step(number, [tf.constant(array) for array in flatten_step(step)], states)
        states = result.states
    return result


def test_a_row_that_begins_a_sentence_forgets_its_state_and_the_others_keep_theirs(tmp_path):
    for fresh in (True, False):
        take_step, (step,), _ = first_steps(tmp_path, fresh, count=1, dropout=0.0)
        begins = np.array([[True, False, True, False], [False, False, True, True]])
        step = step._replace(windows=(step.windows[0]._replace(begins=begins),))
        full = tf.nest.map_structure(lambda state: state + 1.0, take_step.zero_states(4))
        from_full = run(take_step, [step], full).states[0]
        take_step, _, _ = first_steps(tmp_path, fresh, count=1, dropout=0.0)
        from_zero = run(take_step, [step], take_step.zero_states(4)).states[0]
        for direction in range(2):
            left, right = from_full[direction][0][0].numpy(), from_zero[direction][0][0].numpy()
            same = np.isclose(left, right, atol=1e-6).all(1)
            np.testing.assert_array_equal(same, begins[direction] if fresh else [False] * 4)


def test_states_are_carried_from_step_to_step(tmp_path):
    take_step, steps, model = first_steps(tmp_path, False, dropout=0.0, learning_rate=1e-12)
    result = run(take_step, steps, take_step.zero_states(4))
    state = None
    for step in steps:
        window = step.windows[0]
        _, state = model(window.words, window.inputs, window.targets, state=state)
    for ours, plain in zip(tf.nest.flatten(result.states[0]), tf.nest.flatten(state), strict=True):
        assert float(tf.reduce_max(tf.abs(plain))) > 0.0
        np.testing.assert_allclose(ours, plain, atol=1e-6)
    from_zero = run(take_step, steps[-1:], take_step.zero_states(4)).states[0]
    apart = [tf.reduce_max(tf.abs(a - b)) for a, b in zip(*map(tf.nest.flatten, (from_zero, state)), strict=True)]
    assert max(apart) > 1e-3


def test_a_step_touches_the_softmax_rows_of_targets_and_negatives_alone(tmp_path):
    take_step, (step,), model = first_steps(tmp_path, False, count=1)
    before = model.softmax.kernel.numpy()
    run(take_step, [step], take_step.zero_states(4))
    changed = set(np.flatnonzero((model.softmax.kernel.numpy() != before).any(1)).tolist())
    touched = set(step.windows[0].targets.ravel().tolist()) | set(step.negatives.ravel().tolist())
    assert changed <= touched
    assert set(step.windows[0].targets.ravel().tolist()) <= changed


def test_the_step_drops_the_weights_of_its_number_and_trains_penalties_that_its_loss_does_not_have(tmp_path):
    changes = {**REGULARISED, "sample_softmax": False, "all_clip_norm_val": 1e9}
    take_step, (step,), model = first_steps(tmp_path, False, count=1, dropout=0.0, **changes)
    window = step.windows[0]
    seed = tf.random.experimental.stateless_fold_in([1, 7], -1)  # the run's seed and the step, whatever the part
    with tf.GradientTape() as tape:
        losses, _, penalties = model(
            window.words, window.inputs, window.targets, weight_masks=model.weight_masks(seed), with_penalties=True
        )
        means = tf.reduce_mean(losses, [1, 2])
        objective = tf.reduce_mean(means + penalties) * model.options.training.unroll_steps
    gradients = tape.gradient(objective, list(named_variables(model).values()))
    expected = tf.linalg.global_norm([tf.convert_to_tensor(gradient) for gradient in gradients])  # repeated rows summed
    tensors = [tf.constant(array) for array in flatten_step(step._replace(negatives=step.negatives[:, :0]))]
    result = take_step(7, tensors, take_step.zero_states(4))
    assert float(tf.reduce_max(penalties)) > 1e-4
    np.testing.assert_allclose(result.losses[0], means, rtol=1e-6)
    np.testing.assert_allclose(result.norm, expected, rtol=1e-5)


def test_one_trace_serves_windows_with_any_number_of_words(tmp_path):
    take_step, steps, _ = first_steps(tmp_path, True, count=4)
    assert len({step.windows[0].words.shape for step in steps}) > 1
    run(take_step, steps, take_step.zero_states(4))
    assert take_step._function.experimental_get_tracing_count() == 1


def test_gradients_that_overflow_in_float16_change_no_weight_and_halve_the_scale(tmp_path):
    take_step, (step,), model = first_steps(tmp_path, True, count=1, policy="mixed_float16")
    tensors, states = [tf.constant(array) for array in flatten_step(step)], take_step.zero_states(4)
    before = [variable.numpy() for variable in named_variables(model).values()]
    result = take_step(0, tensors, states, LossScale.of(2.0**40, 7))
    assert not np.isfinite(result.norm)
    assert np.isfinite(result.losses).all()
    assert all(np.any(part) for part in tf.nest.flatten(result.states))  # those after the window
    assert (float(result.loss_scale.factor), int(result.loss_scale.steady)) == (2.0**39, 0)
    for old, variable in zip(before, named_variables(model).values(), strict=True):
        np.testing.assert_array_equal(old, variable)
    result = take_step(0, tensors, states, LossScale.of(2.0**15, 7))
    assert np.isfinite(result.norm)
    assert (float(result.loss_scale.factor), int(result.loss_scale.steady)) == (2.0**15, 8)
    assert any((old != v.numpy()).any() for old, v in zip(before, named_variables(model).values(), strict=True))


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
def test_a_gradient_that_is_not_finite_changes_no_weight_and_no_state(tmp_path, policy):
    take_step, (step,), model = first_steps(tmp_path, True, count=1, policy=policy)
    states = tf.nest.map_structure(lambda state: state + 0.5, take_step.zero_states(4))
    model.bilm.stacks[0].layers[0].kernel.assign(np.nan * model.bilm.stacks[0].layers[0].kernel.numpy())
    before = model.softmax.kernel.numpy()
    result = take_step(0, [tf.constant(array) for array in flatten_step(step)], states)
    assert not np.isfinite(result.norm)
    np.testing.assert_array_equal(model.softmax.kernel, before)
    for old, new in zip(tf.nest.flatten(states), tf.nest.flatten(result.states), strict=True):
        assert old.dtype == new.dtype
        np.testing.assert_array_equal(tf.cast(old, tf.float32), tf.cast(new, tf.float32))


def test_a_row_that_begins_a_sentence_is_rid_of_a_state_that_is_not_finite(tmp_path):
    take_step, (step,), _ = first_steps(tmp_path, True, count=1)
    step = step._replace(windows=(step.windows[0]._replace(begins=np.ones((2, 4), bool)),))
    broken = tf.nest.map_structure(lambda state: state + np.nan, take_step.zero_states(4))
    assert np.isfinite(run(take_step, [step], broken).norm)
