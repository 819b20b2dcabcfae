"""Saving a run, and every way in which a saved one can be unfit to go on from."""

import shutil

import numpy as np
import pytest
import tensorflow as tf
import tiny

from elmo_tf.checkpoint import TrainingCheckpoint, checkpoint_path
from elmo_tf.errors import InputError
from elmo_tf.exchange.names import named_variables
from elmo_tf.language_model import LanguageModel
from elmo_tf.optimizer import SparseAdagrad

NOTES = {"position": "„ 雨 “", "seed": 3}


def parts(folder, rows=(3, 3), value=0.0):
    """A checkpoint of a tiny model, and states for some replicas."""
    model = LanguageModel(tiny.options(n_tokens_vocab=9))
    model.build()
    variables = named_variables(model)
    optimizer = SparseAdagrad(variables, 0.1)
    states = tuple(tf.nest.map_structure(lambda part: part + value, model.zero_state(count)) for count in rows)
    return TrainingCheckpoint(str(folder), variables, optimizer), states, variables, optimizer


def saved(folder):
    checkpoint, states, variables, optimizer = parts(folder)
    states = tuple(tf.nest.map_structure(lambda part, k=k: part + k + 1.0, state) for k, state in enumerate(states))
    optimizer.accumulators["softmax/b"].assign(np.arange(9.0))
    checkpoint.save(7, NOTES, states)
    return variables


def test_everything_comes_back_and_each_replica_gets_its_own_rows(tmp_path):
    variables = saved(tmp_path)
    checkpoint, zeros, others, optimizer = parts(tmp_path)
    resumed = checkpoint.restore(zeros)
    assert (resumed.step, resumed.notes) == (7, NOTES)
    for name, variable in variables.items():
        np.testing.assert_array_equal(variable, others[name])
    np.testing.assert_array_equal(optimizer.accumulators["softmax/b"], np.arange(9.0))
    for k, state in enumerate(resumed.states):
        assert all((part.numpy() == k + 1.0).all() for part in tf.nest.flatten(state))


def test_the_same_rows_can_be_dealt_to_another_number_of_replicas(tmp_path):
    saved(tmp_path)
    checkpoint, zeros, _, _ = parts(tmp_path, rows=(6,))
    (state,) = checkpoint.restore(zeros).states
    np.testing.assert_array_equal(state[0][0][0][:, 0], [1, 1, 1, 2, 2, 2])


def test_without_a_checkpoint_there_is_nothing_to_resume(tmp_path):
    checkpoint, zeros, _, _ = parts(tmp_path)
    assert checkpoint.restore(zeros) is None
    with pytest.raises(InputError, match="holds no checkpoint"):
        checkpoint_path(str(tmp_path))


def test_two_latest_and_one_best_are_kept_and_the_best_comes_first(tmp_path):
    checkpoint, states, _, _ = parts(tmp_path)
    for step in (1, 2, 3):
        checkpoint.save(step, NOTES, states)
        checkpoint.save_best(step)
    kept = {name: sorted(path.name for path in (tmp_path / name).glob("*.index")) for name in ("latest", "best")}
    assert kept == {"latest": ["ckpt-2.index", "ckpt-3.index"], "best": ["ckpt-3.index"]}
    assert checkpoint_path(str(tmp_path)) == str(tmp_path / "best" / "ckpt-3")


def restore(folder):
    checkpoint, zeros, _, _ = parts(folder)
    return checkpoint.restore(zeros)


def cut(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda folder: cut(folder / "ckpt-7.data-00000-of-00001"), "damaged"),
        (lambda folder: cut(folder / "ckpt-7.index"), "damaged"),
        (lambda folder: (folder / "ckpt-7.data-00000-of-00001").unlink(), "damaged"),
        (lambda folder: (folder / "ckpt-7.index").unlink(), "not there"),
        (lambda folder: (folder / "checkpoint").write_text("nonsense {"), "names the checkpoints, is damaged"),
    ],
    ids=["data cut", "index cut", "no data", "no index", "list"],
)
def test_a_damaged_checkpoint_is_one_sentence(tmp_path, damage, words):
    saved(tmp_path)
    damage(tmp_path / "latest")
    with pytest.raises(InputError, match=words) as caught:
        restore(tmp_path)
    assert "\n" not in str(caught.value)
    assert str(tmp_path) in str(caught.value)


@pytest.mark.parametrize("lost", ["folder", "list"])
def test_weights_are_not_overwritten_by_a_new_run_where_the_latest_checkpoint_is_lost(tmp_path, lost):
    checkpoint, states, _, _ = parts(tmp_path)
    checkpoint.save(7, NOTES, states)
    checkpoint.save_best(7)
    if lost == "folder":
        shutil.rmtree(tmp_path / "latest")
    else:
        (tmp_path / "latest" / "checkpoint").unlink()
    with pytest.raises(InputError, match=r"holds a checkpoint, but .*latest none to go on from"):
        restore(tmp_path)


def test_another_number_of_rows_is_refused(tmp_path):
    saved(tmp_path)
    checkpoint, zeros, _, _ = parts(tmp_path, rows=(2, 2))
    with pytest.raises(InputError, match="batch_size times replicas"):
        checkpoint.restore(zeros)
