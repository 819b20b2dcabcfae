"""Saving a run, and all reasons for which a saved run cannot be resumed."""

import gc
import shutil

import numpy as np
import pytest
import tensorflow as tf
import tiny
from full_disk import largest_file
from riding import state_of

from elmo_tf.errors import InputError
from elmo_tf.models.language_model import LanguageModel
from elmo_tf.models.weight_names import named_variables
from elmo_tf.store.checkpoint_files import checkpoint_path
from elmo_tf.training.checkpoint import TrainingCheckpoint, write_imported
from elmo_tf.training.optimizer import SparseAdagrad
from elmo_tf.training.state import RunState

REACHED = {"stream_position": "„ 雨 “", "seed": 3, "mean_loss": 2.5}


def after(step, states):
    """The state of a run after a step."""
    return state_of(states, step=step, **REACHED)


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
    checkpoint.save(after(7, states))
    return variables


def test_everything_comes_back_and_each_replica_gets_its_own_rows(tmp_path):
    variables = saved(tmp_path)
    checkpoint, zeros, others, optimizer = parts(tmp_path)
    resumed = checkpoint.restore(state_of(zeros))
    assert resumed.step == 7
    assert {name: getattr(resumed, name) for name in REACHED} == REACHED
    for name, variable in variables.items():
        np.testing.assert_array_equal(variable, others[name])
    np.testing.assert_array_equal(optimizer.accumulators["softmax/b"], np.arange(9.0))
    for k, state in enumerate(resumed.lstm_states):
        assert all((part.numpy() == k + 1.0).all() for part in tf.nest.flatten(state))


def test_the_same_rows_can_be_dealt_to_another_number_of_replicas(tmp_path):
    saved(tmp_path)
    checkpoint, zeros, _, _ = parts(tmp_path, rows=(6,))
    (state,) = checkpoint.restore(state_of(zeros)).lstm_states
    np.testing.assert_array_equal(state[0][0][0][:, 0], [1, 1, 1, 2, 2, 2])


def test_without_a_checkpoint_there_is_nothing_to_resume(tmp_path):
    checkpoint, zeros, _, _ = parts(tmp_path)
    assert checkpoint.restore(state_of(zeros)) is None
    with pytest.raises(InputError, match="holds no checkpoint"):
        checkpoint_path(str(tmp_path))


def test_two_latest_and_one_best_are_kept_and_the_best_comes_first(tmp_path):
    checkpoint, states, _, _ = parts(tmp_path)
    for step in (1, 2, 3):
        checkpoint.save(after(step, states))
        checkpoint.save_best(step)
    kept = {name: sorted(path.name for path in (tmp_path / name).glob("*.index")) for name in ("latest", "best")}
    assert kept == {"latest": ["ckpt-2.index", "ckpt-3.index"], "best": ["ckpt-3.index"]}
    assert checkpoint_path(str(tmp_path)) == str(tmp_path / "best" / "ckpt-3")


def restore(folder):
    checkpoint, zeros, _, _ = parts(folder)
    return checkpoint.restore(state_of(zeros))


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
    checkpoint.save(after(7, states))
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
        checkpoint.restore(state_of(zeros))


def files_of(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


@pytest.mark.parametrize("which", ["latest", "best"])
def test_a_disk_that_is_full_is_one_sentence_and_what_was_saved_before_stays(tmp_path, which):
    checkpoint, states, _, _ = parts(tmp_path)
    checkpoint.save(after(7, states))
    checkpoint.save_best(7)
    before = files_of(tmp_path)
    with largest_file(6000), pytest.raises(InputError, match=rf"{tmp_path}/{which} cannot be written: ") as caught:
        checkpoint.save(after(8, states)) if which == "latest" else checkpoint.save_best(8)
    assert str(caught.value).endswith(": File too large")
    assert files_of(tmp_path) == before
    assert restore(tmp_path).step == 7


def test_a_first_checkpoint_that_no_disk_takes_leaves_a_folder_to_begin_in(tmp_path):
    checkpoint, states, _, _ = parts(tmp_path)
    with largest_file(6000), pytest.raises(InputError, match="latest cannot be written: File too large"):
        checkpoint.save(after(8, states))
    assert restore(tmp_path) is None
    checkpoint.save(after(8, states))
    assert restore(tmp_path).step == 8


def test_an_imported_model_that_no_disk_takes_leaves_nothing(tmp_path):
    with largest_file(6000), pytest.raises(InputError, match="latest cannot be written: File too large"):
        write_imported(str(tmp_path), {"a": np.ones(9000, np.float32)}, {}, 3)
    assert files_of(tmp_path) == ["latest"]


def test_a_killed_first_checkpoint_does_no_harm_and_its_remains_are_removed_with_the_next(tmp_path):
    (tmp_path / "latest" / "ckpt-9_temp").mkdir(parents=True)
    (tmp_path / "latest" / "ckpt-9_temp" / "part-0").write_text("half")
    (tmp_path / "latest" / "checkpoint.tmp0123").write_text("half")
    checkpoint, states, _, _ = parts(tmp_path)
    assert checkpoint.restore(state_of(states)) is None
    checkpoint.save(after(1, states))
    assert {path.name.partition(".")[0] for path in (tmp_path / "latest").iterdir()} == {"checkpoint", "ckpt-1"}


def test_a_checkpoint_that_cannot_be_listed_does_not_stay(tmp_path):
    checkpoint, states, _, _ = parts(tmp_path)
    (tmp_path / "latest" / "checkpoint").mkdir(parents=True)
    with pytest.raises(InputError, match="latest cannot be written"):
        checkpoint.save(after(8, states))
    assert files_of(tmp_path / "latest") == ["checkpoint"]


def test_tensorflow_says_nothing_more_after_the_sentence_on_a_checkpoint_that_does_not_fit(tmp_path, caplog):
    saved(tmp_path)
    checkpoint, states, _, _ = parts(tmp_path, rows=(2,))
    with pytest.raises(InputError, match="does not fit this run"):
        checkpoint.restore(state_of(states))
    del checkpoint, states
    gc.collect()  # TensorFlow warns when the checkpoint is freed
    assert [record.getMessage() for record in caplog.records if record.name == "tensorflow"] == []


@pytest.mark.parametrize("text", ['{"best_step": ' + "9" * 5000 + "}", "{", "[]"])
def test_notes_on_the_run_that_cannot_be_read_are_one_sentence(tmp_path, monkeypatch, text):
    monkeypatch.setattr(RunState, "to_json", lambda state: text)
    saved(tmp_path)
    with pytest.raises(InputError, match="ckpt-7 is damaged: the notes on the run in it cannot be read"):
        restore(tmp_path)
