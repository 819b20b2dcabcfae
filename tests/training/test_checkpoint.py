"""Saving a run, and all reasons for which a saved run cannot be resumed."""

import contextlib
import errno
import gc
import itertools
import os
import shutil
import subprocess

import numpy as np
import pytest
import tensorflow as tf
import tiny
from full_disk import largest_file
from riding import state_of

from elmo_tf.errors import InputError
from elmo_tf.models.language_model import LanguageModel
from elmo_tf.models.weight_names import named_variables
from elmo_tf.store import checkpoint_files, checkpoint_writer
from elmo_tf.store.checkpoint_files import checkpoint_path
from elmo_tf.training.checkpoint import TrainingCheckpoint
from elmo_tf.training.optimizer import SparseAdagrad
from elmo_tf.training.state import RunState

REACHED = {"stream_position": "„ 雨 “", "seed": 3, "mean_loss": 2.5}


def after(step, states):
    """The state of a run after a step."""
    return state_of(states, step=step, **REACHED)


def parts(folder, rows=(3, 3), value=0.0, report=print):
    """A checkpoint of a tiny model, and states for some replicas."""
    model = LanguageModel(tiny.options(n_tokens_vocab=9))
    model.build()
    variables = named_variables(model)
    optimizer = SparseAdagrad(variables, 0.1)
    states = tuple(tf.nest.map_structure(lambda part: part + value, model.zero_state(count)) for count in rows)
    return TrainingCheckpoint(str(folder), variables, optimizer, report), states, variables, optimizer


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
    ],
    ids=["data cut", "index cut", "no data", "no index"],
)
def test_a_damaged_checkpoint_is_one_sentence(tmp_path, damage, words):
    saved(tmp_path)
    damage(tmp_path / "latest")
    with pytest.raises(InputError, match=words) as caught:
        restore(tmp_path)
    assert "\n" not in str(caught.value)
    assert str(tmp_path) in str(caught.value)


@pytest.mark.parametrize(
    "damage",
    [lambda path: path.unlink(), lambda path: path.write_text("nonsense {"), lambda path: path.write_bytes(b"\xff")],
    ids=["missing", "nonsense", "no text"],
)
def test_the_files_decide_and_not_the_list_of_checkpoints(tmp_path, damage):
    checkpoint, states, _, _ = parts(tmp_path)
    checkpoint.save(after(7, states))
    checkpoint.save_best(7)
    for name in ("latest", "best"):
        damage(tmp_path / name / "checkpoint")
    assert restore(tmp_path).step == 7
    assert checkpoint_path(str(tmp_path)) == str(tmp_path / "best" / "ckpt-7")


def test_a_list_that_names_a_checkpoint_whose_files_are_gone_is_refused(tmp_path):
    saved(tmp_path)
    for path in (tmp_path / "latest").glob("ckpt-*"):
        path.unlink()
    with pytest.raises(InputError, match="names one that is not there"):
        restore(tmp_path)


def test_weights_are_not_overwritten_by_a_new_run_where_the_latest_checkpoint_is_lost(tmp_path):
    checkpoint, states, _, _ = parts(tmp_path)
    checkpoint.save(after(7, states))
    checkpoint.save_best(7)
    shutil.rmtree(tmp_path / "latest")
    with pytest.raises(InputError, match=r"holds a checkpoint, but .*latest none to go on from"):
        restore(tmp_path)


def two_saved(folder, digests=True):
    """Checkpoints of steps 7 and 8, without their digests as an earlier release leaves them where asked for."""
    checkpoint, states, _, _ = parts(folder)
    checkpoint.save(after(7, states))
    checkpoint.save(after(8, states))
    for path in [] if digests else (folder / "latest").glob("*.sha256"):
        path.unlink()


def zero(path):
    path.write_bytes(bytes(path.stat().st_size))


def flip_a_bit(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.write_bytes(content)


@pytest.mark.parametrize(
    "damage", [cut, zero, flip_a_bit, lambda path: path.unlink()], ids=["cut", "zero", "flip", "gone"]
)
@pytest.mark.parametrize("ending", ["data-00000-of-00001", "index"])
@pytest.mark.parametrize("digests", [True, False])
def test_a_damaged_checkpoint_is_skipped_with_a_line_and_the_one_before_is_taken(tmp_path, damage, ending, digests):
    two_saved(tmp_path, digests)
    damage(tmp_path / "latest" / f"ckpt-8.{ending}")
    lines = []
    checkpoint, zeros, _, _ = parts(tmp_path, report=lines.append)
    assert checkpoint.restore(state_of(zeros)).step == 7
    if digests or ending != "index" or (tmp_path / "latest" / "ckpt-8.index").exists():
        (line,) = lines
        assert line.startswith(f"{tmp_path}/latest/ckpt-8 is damaged: ")
        assert line.endswith(
            f"skipped, and {tmp_path}/latest/ckpt-7 is taken, the newest complete checkpoint before it"
        )


def test_loading_takes_the_same_checkpoint_as_a_resume_and_warns(tmp_path, caplog):
    two_saved(tmp_path)
    cut(tmp_path / "latest" / "ckpt-8.index")
    assert checkpoint_path(str(tmp_path)) == str(tmp_path / "latest" / "ckpt-7")
    assert "ckpt-8 is damaged" in caplog.text


def test_with_every_checkpoint_damaged_no_run_begins(tmp_path):
    two_saved(tmp_path)
    for step in (7, 8):
        zero(tmp_path / "latest" / f"ckpt-{step}.index")
    with pytest.raises(InputError, match="ckpt-8 is damaged"):
        restore(tmp_path)


def test_damaged_digests_leave_the_decision_to_tensorflow(tmp_path):
    two_saved(tmp_path)
    cut(tmp_path / "latest" / "ckpt-8.sha256")
    assert restore(tmp_path).step == 8


def test_the_digests_are_those_of_sha256sum(tmp_path):
    two_saved(tmp_path)
    subprocess.run(["sha256sum", "--check", "--strict", "ckpt-8.sha256"], cwd=tmp_path / "latest", check=True)


def test_after_a_fallback_the_damaged_checkpoint_goes_with_the_next_save(tmp_path):
    two_saved(tmp_path)
    cut(tmp_path / "latest" / "ckpt-8.index")
    lines = []
    checkpoint, states, _, _ = parts(tmp_path, report=lines.append)
    resumed = checkpoint.restore(state_of(states))
    checkpoint.save(after(8, states))
    assert resumed.step == 7
    lines.clear()
    assert checkpoint.restore(state_of(states)).step == 8
    assert not lines
    assert {path.name.partition(".")[0] for path in (tmp_path / "latest").iterdir()} == {
        "checkpoint",
        "ckpt-7",
        "ckpt-8",
    }


class KilledError(BaseException):
    """A kill, after which the process does nothing more."""


@contextlib.contextmanager
def killed_at_file_operation(number):
    """Ends the block before its file operation of this number, as a kill would; counts those of this process's saves.

    TensorFlow's own operations are counted as one, from its temporary files to both names.
    """
    count = itertools.count()

    def kill_before(function):
        def call(*arguments, **named):
            if next(count) == number:
                raise KilledError
            return function(*arguments, **named)

        return call

    with pytest.MonkeyPatch.context() as patch:
        for name in ("link", "replace", "remove", "fsync"):
            patch.setattr(os, name, kill_before(getattr(os, name)))
        patch.setattr(tf.train.Checkpoint, "write", kill_before(tf.train.Checkpoint.write))
        patch.setattr(shutil, "rmtree", kill_before(shutil.rmtree))
        yield


@pytest.fixture(scope="module")
def model_parts():
    """The states, variables and optimizer of a model, for tests to which their values do not matter."""
    return parts("unused")[1:]


@pytest.mark.parametrize("first", [False, True], ids=["second save", "first save"])
def test_a_kill_before_any_file_operation_of_a_save_leaves_a_checkpoint_to_go_on_from(tmp_path, model_parts, first):
    states, variables, optimizer = model_parts
    for number in range(100):
        folder = tmp_path / str(number)
        checkpoint, again = (TrainingCheckpoint(str(folder), variables, optimizer) for _ in range(2))
        if not first:
            checkpoint.save(after(7, states))
        try:
            with killed_at_file_operation(number):
                checkpoint.save(after(8, states))
        except KilledError:
            resumed = again.restore(state_of(states))
            assert resumed is None if first and number < 1 else resumed.step in {7, 8}
        else:
            assert number > 8
            break
        again.save(after(9, states))
        assert checkpoint.restore(state_of(states)).step == 9


def test_a_kill_in_a_second_save_of_one_step_loses_neither(tmp_path, model_parts):
    states, variables, optimizer = model_parts
    for number in range(100):
        folder = tmp_path / str(number)
        checkpoint, again = (TrainingCheckpoint(str(folder), variables, optimizer) for _ in range(2))
        checkpoint.save(after(0, states))
        try:
            with killed_at_file_operation(number):
                checkpoint.save(state_of(states, step=0, **{**REACHED, "mean_loss": 1.5}))
        except KilledError:
            assert again.restore(state_of(states)).mean_loss in {1.5, 2.5}
        else:
            break
    assert number > 12
    assert files_of(folder / "latest") == [
        "checkpoint", "ckpt-0.data-00000-of-00001", "ckpt-0.index", "ckpt-0.sha256"
    ]  # fmt: skip


def test_a_second_save_of_one_step_that_was_torn_between_its_files_falls_back_to_the_first(tmp_path):
    checkpoint, states, _, _ = parts(tmp_path)
    checkpoint.save(after(0, states))
    index = (tmp_path / "latest" / "ckpt-0.index").read_bytes()
    with killed_at_file_operation(7), contextlib.suppress(KilledError):
        checkpoint.save(state_of(states, step=0, **{**REACHED, "mean_loss": 1.25}))
    assert (tmp_path / "latest" / "ckpt-0-previous.sha256").exists()
    (tmp_path / "latest" / "ckpt-0.index").write_bytes(index)
    (tmp_path / "latest" / "ckpt-0.sha256").unlink(missing_ok=True)
    assert restore(tmp_path).mean_loss == 2.5


def test_an_error_in_a_second_save_of_one_step_brings_the_first_back(tmp_path, monkeypatch):
    checkpoint, states, _, _ = parts(tmp_path)
    checkpoint.save(after(7, states))
    before = files_of(tmp_path)

    def fail(self, names):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoint_writer.CheckpointWriter, "_name_checkpoints", fail)
    with pytest.raises(InputError, match="latest cannot be written: No space left on device"):
        checkpoint.save(state_of(states, step=7, **{**REACHED, "mean_loss": 1.5}))
    assert files_of(tmp_path) == before
    assert restore(tmp_path).mean_loss == 2.5


def kept_in(folder):
    return sorted(path.name.removesuffix(".index") for path in folder.glob("*.index"))


def test_a_checkpoint_that_is_not_confirmed_replaces_none_that_is(tmp_path, model_parts):
    states, variables, optimizer = model_parts
    checkpoint = TrainingCheckpoint(str(tmp_path), variables, optimizer)
    for step, confirmed in ((1, 0), (2, 1), (3, 1), (4, 1)):
        checkpoint.save(after(step, states), confirmed)
        assert "ckpt-1" in kept_in(tmp_path / "latest")
    assert kept_in(tmp_path / "latest") == ["ckpt-1", "ckpt-4"]
    checkpoint.save(after(5, states), 4)
    assert kept_in(tmp_path / "latest") == ["ckpt-4", "ckpt-5"]


def test_the_checkpoints_after_a_divergence_are_withdrawn_if_a_complete_one_of_before_is_left(tmp_path, model_parts):
    states, variables, optimizer = model_parts
    lines = []
    checkpoint = TrainingCheckpoint(str(tmp_path), variables, optimizer, lines.append)
    checkpoint.save(after(7, states))
    checkpoint.withdraw(6)
    assert kept_in(tmp_path / "latest") == ["ckpt-7"]
    checkpoint.save(after(8, states))
    checkpoint.withdraw(7)
    assert kept_in(tmp_path / "latest") == ["ckpt-7"]
    assert lines == [f"note: {tmp_path}/latest/ckpt-8 is removed, because the run had diverged by then"]
    assert tf.train.latest_checkpoint(str(tmp_path / "latest")) == str(tmp_path / "latest" / "ckpt-7")
    checkpoint.save(after(8, states))
    cut(tmp_path / "latest" / "ckpt-7.index")
    checkpoint.withdraw(7)
    assert kept_in(tmp_path / "latest") == ["ckpt-7", "ckpt-8"]


@pytest.mark.parametrize("digests", [True, False])
def test_a_complete_checkpoint_that_the_user_put_there_stays_and_remains_of_killed_saves_do_not(
    tmp_path, model_parts, digests
):
    states, variables, optimizer = model_parts
    latest, elsewhere = tmp_path / "latest", tmp_path / "elsewhere"
    checkpoint = TrainingCheckpoint(str(tmp_path), variables, optimizer)
    checkpoint.save(after(3, states))
    shutil.copytree(latest, elsewhere)
    for step in (4, 5):
        checkpoint.save(after(step, states))
    for path in elsewhere.glob("ckpt-3.*"):
        if digests or path.suffix != ".sha256":
            for copy in (
                latest / path.name,
                latest / path.name.replace("ckpt-3", "ckpt-99"),
                latest / f"{path.name}.mine",
            ):
                shutil.copyfile(path, copy)
    if digests:  # they name the files of step 3 under any name
        (latest / "ckpt-99.sha256").write_text((latest / "ckpt-99.sha256").read_text().replace("ckpt-3", "ckpt-99"))
    (latest / "ckpt-2.data-00000-of-00001").write_bytes(b"half")
    shutil.copyfile(latest / "ckpt-3.index", latest / "ckpt-1.index")
    for step in (6, 7, 8):
        checkpoint.save(after(step, states))
    assert kept_in(latest) == ["ckpt-3", "ckpt-7", "ckpt-8", "ckpt-99"]
    assert len(list(latest.glob("*.mine"))) == 2 + digests
    assert not list(latest.glob("ckpt-[12].*"))


def test_an_error_after_the_older_checkpoints_were_removed_does_not_remove_the_new_one(
    tmp_path, model_parts, monkeypatch
):
    _, variables, optimizer = model_parts
    checkpoint = TrainingCheckpoint(str(tmp_path), variables, optimizer)
    checkpoint.save_best(7)
    real, calls = checkpoint_writer.write_text, []

    def write_text(path, text):
        calls.append(text)
        if len(calls) == 2:
            raise InputError("checkpoint cannot be written: No space left on device")
        real(path, text)

    monkeypatch.setattr(checkpoint_writer, "write_text", write_text)
    checkpoint.save_best(8)
    assert len(calls) == 2
    assert checkpoint_path(str(tmp_path)) == str(tmp_path / "best" / "ckpt-8")
    assert kept_in(tmp_path / "best") == ["ckpt-8"]


def test_the_checkpoint_that_a_run_was_resumed_from_is_its_own_though_no_list_names_it(tmp_path, model_parts):
    states, variables, optimizer = model_parts
    checkpoint, again = (TrainingCheckpoint(str(tmp_path), variables, optimizer) for _ in range(2))
    checkpoint.save(after(7, states))
    (tmp_path / "latest" / "checkpoint").unlink()
    again.restore(state_of(states))
    for step in (8, 9):
        again.save(after(step, states))
    assert kept_in(tmp_path / "latest") == ["ckpt-8", "ckpt-9"]


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


def test_a_killed_first_checkpoint_does_no_harm_and_its_remains_are_removed_with_the_next(tmp_path):
    (tmp_path / "latest" / "ckpt-9_temp").mkdir(parents=True)
    (tmp_path / "latest" / "ckpt-9_temp" / "part-0").write_text("half")
    (tmp_path / "latest" / "checkpoint.tmp0123").write_text("half")
    checkpoint, states, _, _ = parts(tmp_path)
    assert checkpoint.restore(state_of(states)) is None
    checkpoint.save(after(1, states))
    assert {path.name.partition(".")[0] for path in (tmp_path / "latest").iterdir()} == {"checkpoint", "ckpt-1"}


@pytest.mark.parametrize("spoil", [cut, zero], ids=["killed", "power cut"])
def test_a_first_checkpoint_whose_index_was_being_written_counts_as_none(tmp_path, spoil):
    saved(tmp_path)
    for name in ("checkpoint", "ckpt-7.sha256"):
        (tmp_path / "latest" / name).unlink()
    spoil(tmp_path / "latest" / "ckpt-7.index")
    checkpoint, states, _, _ = parts(tmp_path)
    assert checkpoint.restore(state_of(states)) is None
    checkpoint.save(after(7, states))
    assert restore(tmp_path).step == 7


@pytest.mark.parametrize("file", ["ckpt-7.data-00000-of-00001", "ckpt-7.index"])
def test_a_damaged_checkpoint_that_was_complete_once_never_counts_as_none(tmp_path, file):
    saved(tmp_path)
    latest = tmp_path / "latest"
    for name in ("checkpoint", "ckpt-7.sha256"):
        (latest / name).unlink()
    if file.endswith(".index"):  # a second checkpoint shows it
        for path in list(latest.iterdir()):
            shutil.copy(path, latest / path.name.replace("ckpt-7", "ckpt-3"))
        cut(latest / "ckpt-3.index")
    cut(latest / file)
    with pytest.raises(InputError, match="ckpt-7"):
        restore(tmp_path)


def test_a_folder_of_checkpoints_that_cannot_be_read_does_not_count_as_empty(tmp_path, monkeypatch):
    saved(tmp_path)

    def fail(folder):
        raise OSError(errno.EIO, "Input/output error", folder)

    monkeypatch.setattr(checkpoint_files.os, "listdir", fail)
    with pytest.raises(InputError, match=rf"^{tmp_path}/latest cannot be read: Input/output error$"):
        restore(tmp_path)


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
