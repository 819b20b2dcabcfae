"""Training on a tiny text: it learns, logs, stops, and is resumed where it stopped."""

import csv
import dataclasses
import glob
import json
import math
import os
import signal
import textwrap

import numpy as np
import pytest
import reused_runs
import tensorflow as tf
import tiny
from forked_python import ForkedPython, run_code, wait_until
from full_disk import largest_file
from training_runs import ONE_LAYER, REGULARISED, arrays, assert_equal, command, quiet, small

from elmo_tf.cli.main import main
from elmo_tf.data.corpus import Corpus
from elmo_tf.data.encoded_corpus import CorpusEncoder
from elmo_tf.errors import InputError
from elmo_tf.inference.evaluator import Evaluator
from elmo_tf.options import CharCnnOptions, LstmOptions, Options
from elmo_tf.store.checkpoint_files import checkpoint_path
from elmo_tf.store.load_model import load_language_model
from elmo_tf.system.process_lock import process_lock
from elmo_tf.training import assembly, checkpoint, run
from elmo_tf.training.checkpoint import TrainingCheckpoint
from elmo_tf.training.prefetch import PrefetchedStream
from elmo_tf.training.run import train
from elmo_tf.training.settings import epoch_bounds
from elmo_tf.training.step import StepResult, TrainStep

pytestmark = pytest.mark.usefixtures("kept_trainers")


def rows(model_dir):
    with open(os.path.join(model_dir, "log.csv"), newline="") as file:
        return list(csv.DictReader(file))


def test_epochs_end_with_the_step_that_completes_them():
    assert epoch_bounds(100, 30, 3) == [0, 3, 6, 10]
    assert epoch_bounds(100, 30, 3, max_steps=6) == [0, 3, 6]
    assert epoch_bounds(100, 30, 3, max_steps=50) == [0, 3, 6, 10]


def test_a_run_learns_logs_and_leaves_a_folder_that_needs_nothing_else(tmp_path):
    settings = tiny.settings(
        tmp_path,
        count=400,
        n_epochs=8,
        batch_size=8,
        learning_rate=0.5,
        validate_first=True,
        log_steps=10,
        lstm=LstmOptions(dim=64, projection_dim=32, n_layers=1, cell_clip=3, proj_clip=3),
        char_cnn=CharCnnOptions(filters=((1, 16), (2, 32)), embedding_dim=8, max_characters_per_token=12),
    )
    result = quiet(settings)
    log = rows(settings.model_dir)
    validations = [float(row["val_perplexity"]) for row in log if row["val_perplexity"]]
    assert len(validations) == 9
    assert result.finished
    assert result.best_perplexity == pytest.approx(min(validations), rel=1e-4)
    vocabulary_size = len(tiny.WORDS) + 3
    assert validations[0] == pytest.approx(vocabulary_size, rel=0.3)
    assert result.best_perplexity < 0.4 * vocabulary_size
    assert [row["step"] for row in log if row["sampled_loss"] and not row["val_perplexity"]]
    assert len(load_language_model(settings.model_dir).vocabulary) == vocabulary_size
    options = Options.from_file(os.path.join(settings.model_dir, "options.json"))
    words = sum(len(line.split()) for line in tiny.sentences(400))
    assert options.training.n_train_tokens == words
    assert options.n_tokens_vocab == vocabulary_size
    assert os.listdir(os.path.join(settings.model_dir, "tensorboard"))
    steps = math.floor(8 * (words + 400) / 40)
    assert result.steps == steps
    assert os.path.basename(checkpoint_path(settings.model_dir, "latest")) == f"ckpt-{steps}"


@pytest.mark.parametrize("fresh_states", [True, False])
def test_a_run_that_was_stopped_and_goes_on_ends_with_the_very_numbers_of_the_unbroken_one(tmp_path, fresh_states):
    unbroken = tiny.settings(tmp_path, model="unbroken", max_steps=9, fresh_states=fresh_states, log_steps=1)
    quiet(unbroken)
    broken = tiny.settings(tmp_path, model="broken", max_steps=4, fresh_states=fresh_states, log_steps=1)
    assert quiet(broken).steps == 4
    lines = []
    result = train(dataclasses.replace(broken, max_steps=9), report=lines.append)
    assert result.steps == 9
    assert any("resumed from step 4" in line for line in lines)
    assert_equal(arrays(unbroken.model_dir), arrays(broken.model_dir))
    losses = [{row["step"]: row["sampled_loss"] for row in rows(run.model_dir)} for run in (unbroken, broken)]
    assert len(losses[0]) == 9
    assert losses[0] == losses[1]


def test_a_run_killed_without_warning_goes_on_from_its_last_checkpoint(tmp_path):
    settings = small(tmp_path, count=2000, n_epochs=50)
    process = ForkedPython(*command(settings, "--checkpoint_steps=20"))
    wait_until(lambda: os.path.exists(os.path.join(settings.model_dir, "latest", "checkpoint")))
    process.send_signal(signal.SIGKILL)
    assert process.wait().returncode == -signal.SIGKILL
    path = checkpoint_path(settings.model_dir, "latest")
    saved = int(path.rpartition("-")[2])
    assert saved % 20 == 0
    result = quiet(dataclasses.replace(settings, max_steps=saved + 3, valid_files=()))
    assert result.steps == saved + 3
    unbroken = dataclasses.replace(settings, model_dir=str(tmp_path / "unbroken"), max_steps=saved + 3, valid_files=())
    quiet(unbroken)
    assert_equal(arrays(unbroken.model_dir), arrays(settings.model_dir))


KILLED_AT_ITS_FIRST_BEST = """
    import os, signal, sys
    from elmo_tf.training.checkpoint import TrainingCheckpoint
    from elmo_tf.cli.main import main

    real = TrainingCheckpoint.save_best

    def save_best(self, step):
        if {after}:
            real(self, step)
        os.kill(os.getpid(), signal.SIGKILL)

    TrainingCheckpoint.save_best = save_best
    main(sys.argv[1:])
"""


@pytest.mark.parametrize(
    ("changes", "after", "step"),
    [
        ({"validate_first": True}, True, 0),
        ({"validate_first": True}, False, 0),
        ({"validation_steps": 2}, True, 2),
        ({"validation_steps": 3}, False, 3),
    ],
)
def test_a_run_killed_at_its_first_best_goes_on_there_as_the_unbroken_one(tmp_path, changes, after, step):
    changes = {"max_steps": 5, "log_steps": 1, **changes}
    unbroken = small(tmp_path, model="unbroken", **changes)
    expected = quiet(unbroken)
    broken = small(tmp_path, model="broken", **changes)
    flags = [f"--{name}={value}" for name, value in changes.items()]
    source = textwrap.dedent(KILLED_AT_ITS_FIRST_BEST.format(after=after))
    killed = run_code(source, "train", *command(broken, *flags)[1:])
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert os.path.exists(os.path.join(broken.model_dir, "best", "checkpoint")) == after
    lines = []
    result = train(broken, lines.append)
    assert lines[0] == f"resumed from step {step} of {broken.model_dir}"
    assert not any(line.startswith(f"step {step}: validation") for line in lines)  # which was done
    assert (result.steps, result.best_perplexity) == (expected.steps, expected.best_perplexity)
    assert validations(broken.model_dir) == validations(unbroken.model_dir)
    assert notes(broken.model_dir) == notes(unbroken.model_dir)
    for which in ("latest", "best"):
        assert_equal(arrays(unbroken.model_dir, which), arrays(broken.model_dir, which))


def test_a_best_that_a_kill_kept_from_being_saved_is_made_up_for_though_the_run_never_sees_a_better_one(
    tmp_path, monkeypatch
):
    settings = small(tmp_path, validate_first=True, max_steps=3, learning_rate=9.0)

    class KilledError(Exception):
        pass

    def kill(self, step):
        raise KilledError

    with monkeypatch.context() as patch:
        patch.setattr(TrainingCheckpoint, "save_best", kill)
        with pytest.raises(KilledError):
            quiet(settings)
    start = arrays(settings.model_dir)
    assert quiet(settings).finished
    best = arrays(settings.model_dir, "best")
    assert checkpoint_path(settings.model_dir, "best").endswith("ckpt-0")
    for name in (name for name in best if name.startswith("weights/")):
        np.testing.assert_array_equal(best[name], start[name])


def test_with_every_best_goes_a_latest_and_none_is_saved_twice(tmp_path, monkeypatch):
    written, real = [], checkpoint.save_checkpoint

    def saved(manager, step, *confirmed):
        written.append((os.path.basename(manager.directory), step))
        return real(manager, step, *confirmed)

    monkeypatch.setattr(checkpoint, "save_checkpoint", saved)
    quiet(tiny.settings(tmp_path, validate_first=True, validation_steps=2, checkpoint_steps=2, max_steps=6))
    assert len(written) == len(set(written))
    bests = [step for name, step in written if name == "best"]
    assert bests[:2] == [0, 2]
    assert all(written.index(("latest", step)) < written.index(("best", step)) for step in bests)


def test_sigterm_ends_the_run_after_a_step_with_a_checkpoint(tmp_path):
    settings = small(tmp_path, count=2000, n_epochs=500)
    process = ForkedPython(*command(settings, "--log_steps=1"))
    log = os.path.join(settings.model_dir, "log.csv")
    wait_until(lambda: os.path.exists(log) and os.path.getsize(log) > 200)
    process.send_signal(signal.SIGTERM)
    done = process.wait(120)
    output = done.stdout + done.stderr
    assert done.returncode == 128 + signal.SIGTERM, output
    assert "stopped; the same command goes on" in output
    assert int(checkpoint_path(settings.model_dir, "latest").rpartition("-")[2]) >= 1


def test_sigterm_before_the_first_step_leaves_nothing(tmp_path, monkeypatch):
    settings = reused_runs.short(tmp_path)
    monkeypatch.setattr(CorpusEncoder, "finish", lambda *_: signal.raise_signal(signal.SIGTERM))
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)  # a signal that nobody handles must not end the tests
    try:
        with pytest.raises(SystemExit) as ended:
            main(["train", *reused_runs.flags(settings)])
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGTERM, before)
    assert ended.value.code == 128 + signal.SIGTERM
    assert not os.path.exists(settings.model_dir)


def notes(model_dir):
    """Reads the JSON text of the latest checkpoint."""
    reader = tf.train.load_checkpoint(checkpoint_path(str(model_dir), "latest"))
    (name,) = [name for name in reader.get_variable_to_shape_map() if name.startswith("notes/")]
    return json.loads(reader.get_tensor(name))


def validations(model_dir):
    """The rows of the log that tell of one, without what is measured by the clock."""
    found = [row for row in rows(model_dir) if row["val_perplexity"]]
    return [(row["step"], row["epoch"], *(row[name] for name in row if name.startswith("val_"))) for row in found]


def with_a_signal_in(monkeypatch, kind, number, settings, report=lambda line: None):
    """A run in whose call `number` of an `Evaluator` or a `TrainStep` Ctrl-C is pressed."""
    real, calls = kind.__call__, []

    def call(self, *arguments):
        calls.append(1)
        if len(calls) == number:
            signal.raise_signal(signal.SIGINT)
        return real(self, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(kind, "__call__", call)
        result = train(settings, report)
    assert len(calls) >= number
    return result


SHORT = {"count": 20, "batch_size": 8, "n_epochs": 2, "max_steps": 8, "log_steps": 1}


def unbroken_and_broken(tmp_path, changes):
    """A run that has been done and its result, and the settings of one that is to be broken off."""
    unbroken = small(tmp_path, model="unbroken", **SHORT, **changes)
    return unbroken, quiet(unbroken), small(tmp_path, model="broken", **SHORT, **changes)


@pytest.mark.parametrize(
    ("kind", "number", "changes"),
    [
        (Evaluator, 2, {"validation_steps": 2, "patience": 9}),  # of step 4
        (TrainStep, 4, {"validation_steps": 2, "patience": 9}),
        (Evaluator, 1, {}),  # of the first epoch's end
        (Evaluator, 4, {"validation_steps": 2}),  # of the last step, which the epoch ends with too
        (Evaluator, 2, {}),  # of the run's end
    ],
)
def test_a_validation_that_a_signal_ends_is_made_up_for_when_the_run_goes_on(
    tmp_path, monkeypatch, kind, number, changes
):
    unbroken, expected, broken = unbroken_and_broken(tmp_path, changes)
    stopped = with_a_signal_in(monkeypatch, kind, number, broken)
    assert (stopped.finished, stopped.stopped_by) == (False, signal.SIGINT)
    assert len(validations(broken.model_dir)) < len(validations(unbroken.model_dir))
    lost = stopped.steps
    came = train(broken, (lines := []).append)
    assert any(line.startswith(f"step {lost}: validation perplexity") for line in lines)
    assert (came.finished, came.stopped_by, came.steps) == (True, None, expected.steps)
    assert came.best_perplexity == expected.best_perplexity
    assert validations(broken.model_dir) == validations(unbroken.model_dir)
    assert [row for row in rows(broken.model_dir) if row["step"] == str(lost)][-1]["sampled_loss"]
    assert notes(broken.model_dir) == notes(unbroken.model_dir)
    for which in ("latest", "best"):
        assert_equal(arrays(unbroken.model_dir, which), arrays(broken.model_dir, which))
    assert quiet(broken).loss is None  # and now it is done


def test_a_validation_made_up_for_may_be_stopped_too_and_counts_for_the_patience(tmp_path, monkeypatch):
    settings = small(tmp_path, validation_steps=2, patience=1, n_epochs=50, learning_rate=1e-12)
    full = quiet(dataclasses.replace(settings, model_dir=str(tmp_path / "full")))
    last = full.steps // 2
    assert not with_a_signal_in(monkeypatch, Evaluator, last, settings).finished
    again = with_a_signal_in(monkeypatch, Evaluator, 1, settings)
    assert (again.finished, again.steps, again.stopped_by) == (False, full.steps, signal.SIGINT)
    end = train(settings, (lines := []).append)
    assert (end.finished, end.steps, end.best_perplexity) == (True, full.steps, full.best_perplexity)
    assert any("stopped early" in line for line in lines)
    assert validations(settings.model_dir) == validations(str(tmp_path / "full"))


def test_without_validation_text_no_validation_is_due_any_more(tmp_path, monkeypatch):
    settings = small(tmp_path, max_steps=3)
    assert not with_a_signal_in(monkeypatch, Evaluator, 1, settings).finished
    assert quiet(dataclasses.replace(settings, valid_files=())).finished
    assert quiet(dataclasses.replace(settings, valid_files=(), max_steps=4)).steps == 4
    assert "validation_due" not in notes(settings.model_dir)


@pytest.mark.parametrize("spoil", [os.remove, lambda path: os.truncate(path, 20)])
@pytest.mark.parametrize(("number", "changes"), [(2, {"validation_steps": 2, "patience": 9}), (1, {})])
def test_the_steps_before_a_held_out_text_went_missing_are_kept_and_validated_when_it_is_back(
    tmp_path, monkeypatch, number, changes, spoil
):
    unbroken, expected, broken = unbroken_and_broken(tmp_path, changes)
    (held,) = broken.valid_files
    size = os.path.getsize(held)
    lost = int(validations(unbroken.model_dir)[number - 1][0])
    real = TrainStep.__call__

    def step(self, taken, *arguments):
        if taken == lost - 1:
            spoil(held)
        return real(self, taken, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(TrainStep, "__call__", step)
        with pytest.raises(InputError) as error:
            quiet(broken)
    assert str(error.value) in (
        f"{held} cannot be read: No such file or directory",
        f"{held} has changed while it was in use: expected the same {size} bytes at 0 as when it was counted",
    )
    assert checkpoint_path(broken.model_dir, "latest").endswith(f"ckpt-{lost}")
    assert "validation_due" in notes(broken.model_dir)
    assert len(validations(broken.model_dir)) == number - 1

    small(tmp_path, **SHORT, **changes)  # writes it again
    came = train(broken, (lines := []).append)
    told = [line for line in lines if line.startswith(("step ", "Epoch "))]
    assert told[0].startswith(f"step {lost}: validation perplexity")
    assert (came.finished, came.steps, came.best_perplexity) == (True, expected.steps, expected.best_perplexity)
    assert validations(broken.model_dir) == validations(unbroken.model_dir)
    assert notes(broken.model_dir) == notes(unbroken.model_dir)
    for which in ("latest", "best"):
        assert_equal(arrays(unbroken.model_dir, which), arrays(broken.model_dir, which))


def test_losses_of_a_validation_that_are_not_finite_are_no_steps_to_go_on_from(tmp_path, monkeypatch):
    settings = small(tmp_path, max_steps=4, validation_steps=3)
    quiet(dataclasses.replace(settings, max_steps=2, valid_files=(), validation_steps=0))
    with monkeypatch.context() as patch:
        patch.setattr("elmo_tf.inference.evaluator._LARGEST_LOSS", 0.0)
        with pytest.raises(InputError, match="losses that are not finite"):
            quiet(settings)
    assert checkpoint_path(settings.model_dir, "latest").endswith("ckpt-2")


def test_the_steps_before_the_training_text_went_missing_are_kept(tmp_path, monkeypatch):
    unbroken = small(tmp_path, model="unbroken", max_steps=7, valid_files=())
    quiet(unbroken)
    broken = dataclasses.replace(unbroken, model_dir=str(tmp_path / "broken"))
    real, calls = PrefetchedStream.__next__, []

    def following(self):
        calls.append(1)
        if len(calls) == 6:
            raise InputError("train.txt cannot be read")
        return real(self)

    with monkeypatch.context() as patch:
        patch.setattr(PrefetchedStream, "__next__", following)
        with pytest.raises(InputError, match=r"^train\.txt cannot be read$"):
            quiet(broken)
    assert checkpoint_path(broken.model_dir, "latest").endswith("ckpt-5")
    assert quiet(broken).steps == 7
    assert_equal(arrays(unbroken.model_dir), arrays(broken.model_dir))


def test_epochs_that_end_before_the_steps_asked_for_say_so(tmp_path):
    settings, lines = small(tmp_path, n_epochs=1, max_steps=10_000), []
    train(settings, report=lines.append)
    assert "note: 1 epochs end before --max_steps=10000: raise --n_epochs to reach it" in lines


def test_what_is_done_is_not_done_again(tmp_path):
    settings = small(tmp_path, max_steps=3)
    quiet(settings)
    before, lines = arrays(settings.model_dir), []
    result = train(settings, report=lines.append)
    assert (result.steps, result.loss) == (3, None)
    assert "already trained for 3 steps" in "".join(lines)
    assert_equal(before, arrays(settings.model_dir))


def test_early_stopping_ends_the_run_and_the_best_is_kept(tmp_path):
    settings = small(tmp_path, validation_steps=2, patience=2, n_epochs=50, learning_rate=1e-12)
    result = quiet(settings)
    assert result.finished
    assert quiet(settings).steps == result.steps  # and the same command does not go on
    perplexities = [float(row["val_perplexity"]) for row in rows(settings.model_dir) if row["val_perplexity"]]
    best = int(checkpoint_path(settings.model_dir, "best").rpartition("-")[2]) // 2
    assert result.steps == 2 * (best + 2)
    assert min(perplexities) == pytest.approx(result.best_perplexity, rel=1e-4)


@pytest.mark.parametrize(
    "changes",
    [
        {"bidirectional": False},
        {"char_cnn": None},
        {"char_cnn": None, "share_embedding_softmax": True},
        {"sample_softmax": False},
        {"sample_softmax": False, "char_cnn": None, "share_embedding_softmax": True},
        {"valid_files": ()},
    ],
    ids=str,
)
def test_every_kind_of_model_trains_and_loads(tmp_path, changes):
    settings = tiny.settings(tmp_path, max_steps=3, lstm=ONE_LAYER, **changes)
    assert quiet(settings).steps == 3
    load_language_model(settings.model_dir)
    names = set(arrays(settings.model_dir))
    assert any("softmax.Sb" in name for name in names)
    name = "loss" if changes.get("sample_softmax") is False else "sampled_loss"
    with open(os.path.join(settings.model_dir, "log.csv")) as file:
        assert file.readline().split(",")[2] == name


@pytest.fixture(scope="module")
def of_two_steps(tmp_path_factory):
    """A folder with a run of two steps, and its settings; whoever goes on is refused, so that it stays as it is."""
    folder = tmp_path_factory.mktemp("of_two_steps")
    settings = small(folder, max_steps=2)
    quiet(settings)
    return folder, settings


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"seed": 2}, ["--seed", "was 1", "is 2"]),
        ({"batch_size": 3}, ["does not fit this run", "batch_size"]),
        ({"unroll_steps": 6}, ["--unroll_steps", "was 5", "is 6"]),
        ({"train_files": "more"}, ["--train_files"]),
        ({"lstm_dim": 14}, ["lstm", "--model_dir"]),
    ],
    ids=str,
)
def test_going_on_with_other_input_is_refused_in_one_sentence(of_two_steps, changes, words):
    folder, settings = of_two_steps
    before, options = arrays(settings.model_dir), (folder / "model" / "options.json").read_bytes()
    other = dataclasses.replace(settings, max_steps=4)
    if "seed" in changes:
        other = dataclasses.replace(other, seed=2)
    elif "batch_size" in changes or "unroll_steps" in changes:
        other = dataclasses.replace(other, options=settings.options.replace(**changes))
    elif "train_files" in changes:
        (folder / "more.txt").write_text("\n".join(tiny.sentences(50, seed=3)))
        other = dataclasses.replace(other, train_files=(str(folder / "more.txt"),))
    else:
        lstm = dataclasses.replace(settings.options.lstm, dim=14)
        other = dataclasses.replace(other, options=settings.options.replace(lstm=lstm))
    with pytest.raises(InputError) as caught:
        quiet(other)
    assert all(word in str(caught.value) for word in words)
    assert "\n" not in str(caught.value)
    assert_equal(before, arrays(settings.model_dir))
    assert (folder / "model" / "options.json").read_bytes() == options


@pytest.mark.parametrize("sampled", [True, False])
def test_two_replicas_of_b_rows_do_what_one_of_2b_does(tmp_path, sampled):
    """The run of two replicas has a process of its own, because two strategies in one process disturb each other. There
    is no dropout, because its masks depend on the replica."""
    changes = {"sample_softmax": sampled, "dropout": 0.0, "max_steps": 6, "lstm": ONE_LAYER, "unroll_steps": 3}
    one = tiny.settings(tmp_path, model="one", batch_size=8, **changes)
    two = tiny.settings(tmp_path, model="two", batch_size=4, **changes)
    flags = ("--max_steps=6",)
    quiet(one)
    ForkedPython(*command(two, *flags, "--logical_cpus=2")).wait().check_returncode()
    assert_equal(arrays(one.model_dir), arrays(two.model_dir), tolerance=2e-6)


KINDS = [{}, {"sample_softmax": False}, {"char_cnn": None}, {"char_cnn": None, "share_embedding_softmax": True}]


@pytest.mark.parametrize(
    ("changes", "fresh_states"),
    [
        *((changes, True) for changes in KINDS),
        (KINDS[2], False),
        *(pytest.param(changes, False, marks=pytest.mark.exhaustive) for changes in KINDS if changes != KINDS[2]),
    ],
    ids=str,
)
def test_b_rows_accumulated_over_two_parts_do_what_2b_at_once_do(tmp_path, changes, fresh_states):
    changes = {
        **changes,
        "dropout": 0.0,
        "max_steps": 6,
        "fresh_states": fresh_states,
        "lstm": ONE_LAYER,
        "unroll_steps": 3,
    }
    at_once = tiny.settings(tmp_path, model="one", batch_size=8, **changes)
    accumulated = tiny.settings(tmp_path, model="two", batch_size=4, accumulation_steps=2, **changes)
    assert quiet(at_once).steps == quiet(accumulated).steps == 6
    assert_equal(arrays(at_once.model_dir), arrays(accumulated.model_dir), tolerance=2e-6)


def test_two_replicas_that_accumulate_over_two_parts_under_xla_do_what_one_of_4b_does(tmp_path):
    changes = {"dropout": 0.0, "max_steps": 6, "lstm": ONE_LAYER, "unroll_steps": 3, **REGULARISED}
    one = tiny.settings(tmp_path, model="one", batch_size=8, **changes)
    parts = tiny.settings(tmp_path, model="parts", batch_size=2, **changes)
    quiet(one)
    flags = ("--max_steps=6", "--logical_cpus=2", "--accumulation_steps=2", "--jit_compile")
    ForkedPython(*command(parts, *flags)).wait().check_returncode()
    assert_equal(arrays(one.model_dir), arrays(parts.model_dir), tolerance=5e-6)


def test_an_accumulating_run_that_was_stopped_goes_on_as_the_unbroken_one(tmp_path):
    unbroken = small(tmp_path, model="unbroken", max_steps=7, accumulation_steps=3)
    quiet(unbroken)
    broken = small(tmp_path, model="broken", max_steps=4, accumulation_steps=3)
    quiet(broken)
    assert quiet(dataclasses.replace(broken, max_steps=7)).steps == 7
    assert_equal(arrays(unbroken.model_dir), arrays(broken.model_dir))
    with pytest.raises(InputError, match="accumulation_steps"):
        quiet(dataclasses.replace(broken, max_steps=9, accumulation_steps=2))


@pytest.mark.parametrize(
    "changes",
    [KINDS[0], *(pytest.param(changes, marks=pytest.mark.exhaustive) for changes in KINDS[1:3]), KINDS[3]],
    ids=str,
)
def test_xla_trains_the_same_model_dropout_masks_included(tmp_path, changes):
    changes = {**changes, "max_steps": 5, "lstm": ONE_LAYER, "unroll_steps": 3}
    plain = tiny.settings(tmp_path, model="plain", **changes)
    compiled = tiny.settings(tmp_path, model="compiled", jit_compile=True, **changes)
    quiet(plain)
    quiet(compiled)
    assert_equal(arrays(plain.model_dir), arrays(compiled.model_dir), tolerance=5e-6)


OF_250_STEPS = {
    "count": 400,
    "batch_size": 8,
    "learning_rate": 0.1,
    "max_steps": 250,
    "n_epochs": 9,
    "lstm": LstmOptions(dim=48, projection_dim=24, n_layers=1, cell_clip=3, proj_clip=3),
    "char_cnn": CharCnnOptions(
        filters=((1, 16), (2, 32)), embedding_dim=8, max_characters_per_token=12, activation="tanh"
    ),
}


@pytest.fixture(scope="module")
def in_float32(tmp_path_factory):
    """What training in float32 came to, and the numbers of its checkpoint."""
    settings = tiny.settings(tmp_path_factory.mktemp("in_float32"), **OF_250_STEPS)
    return quiet(settings), arrays(settings.model_dir)


@pytest.mark.parametrize(
    ("precision", "jit_compile"),
    [
        ("bfloat16", False),
        ("float16", True),
        pytest.param("bfloat16", True, marks=pytest.mark.exhaustive),
        pytest.param("float16", False, marks=pytest.mark.exhaustive),
    ],
)
def test_half_precision_learns_what_float32_learns_and_keeps_its_weights_in_float32(
    tmp_path, in_float32, precision, jit_compile
):
    half = tiny.settings(tmp_path, precision=precision, jit_compile=jit_compile, **OF_250_STEPS)
    came, (expected, left) = quiet(half), in_float32
    assert came.best_perplexity == pytest.approx(expected.best_perplexity, rel=0.03)
    assert expected.best_perplexity < 22  # of 28 words: it has learned something
    right = arrays(half.model_dir)
    assert {name: array.dtype for name, array in left.items()} == {name: array.dtype for name, array in right.items()}
    assert any(np.abs(left[name] - right[name]).max() > 1e-5 for name in left if name.startswith("weights"))


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_a_half_precision_run_that_was_stopped_goes_on_as_the_unbroken_one(tmp_path, precision):
    unbroken = small(tmp_path, model="unbroken", max_steps=7, precision=precision, **REGULARISED)
    quiet(unbroken)
    broken = small(tmp_path, model="broken", max_steps=4, precision=precision, **REGULARISED)
    quiet(broken)
    assert quiet(dataclasses.replace(broken, max_steps=7)).steps == 7
    assert_equal(arrays(unbroken.model_dir), arrays(broken.model_dir))


def test_a_gradient_that_is_not_finite_ends_the_run_in_one_sentence(tmp_path):
    settings = small(tmp_path, learning_rate=1e38, valid_files=())
    with pytest.raises(InputError, match=r"step \d.*diverged; take a smaller --learning_rate"):
        quiet(settings)


def test_a_run_that_no_disk_took_goes_on_from_its_last_checkpoint_when_there_is_room(tmp_path):
    settings = small(tmp_path, max_steps=6, valid_files=())
    quiet(dataclasses.replace(settings, max_steps=2))
    with largest_file(6000), pytest.raises(InputError, match=r"latest cannot be written: File too large"):
        quiet(settings)
    assert quiet(settings).steps == 6
    unbroken = dataclasses.replace(settings, model_dir=str(tmp_path / "unbroken"))
    quiet(unbroken)
    assert_equal(arrays(unbroken.model_dir), arrays(settings.model_dir))


def test_dropout_changes_the_training_and_the_seed_decides_how(tmp_path):
    runs = {}
    for name, changes in {"none": {"dropout": 0.0}, "some": {}, "again": {}, "seed": {"seed": 2}}.items():
        settings = small(tmp_path, model=name, max_steps=2, valid_files=(), **changes)
        quiet(settings)
        runs[name] = arrays(settings.model_dir)
    assert_equal(runs["some"], runs["again"])
    kernel = next(name for name in runs["some"] if "LSTMCell.SW_0" in name and name.startswith("weights"))
    assert not np.array_equal(runs["some"][kernel], runs["none"][kernel])
    assert not np.array_equal(runs["some"][kernel], runs["seed"][kernel])


def test_a_run_of_an_earlier_release_goes_on_and_then_notices_a_text_edited_to_the_same_size(tmp_path, monkeypatch):
    settings, fingerprint = tiny.settings(tmp_path, max_steps=1, valid_files=()), Corpus.fingerprint
    with monkeypatch.context() as patch:
        patch.setattr(Corpus, "fingerprint", lambda corpus: fingerprint(corpus).partition(", content")[0])
        quiet(settings)
    assert "content" not in notes(settings.model_dir)["corpus"]
    assert quiet(dataclasses.replace(settings, max_steps=2)).steps == 2
    assert "content" in notes(settings.model_dir)["corpus"]
    with open(settings.train_files[0], "r+") as file:
        words = file.read(4)
        file.seek(0)
        file.write(words[1:2] + words[0] + words[2:])
    with pytest.raises(InputError, match="was trained otherwise: the text of --train_files was 1 files, "):
        quiet(dataclasses.replace(settings, max_steps=3))


def test_a_model_that_cannot_fit_into_the_machine_is_refused_before_anything_is_built(tmp_path, monkeypatch):
    monkeypatch.setattr("elmo_tf.training.run.build_trainer", lambda *_, **__: pytest.fail("it was built"))
    settings = tiny.settings(tmp_path, lstm=LstmOptions(dim=2**31 - 1, projection_dim=512))
    with pytest.raises(InputError, match=r"this model cannot fit into the .* GB of memory of this machine"):
        quiet(settings)
    assert not os.path.exists(settings.model_dir)


def test_the_same_command_twice_ends_the_second_at_once_and_names_the_first(tmp_path):
    settings = tiny.settings(tmp_path, max_steps=2)
    os.makedirs(settings.model_dir)
    with (
        process_lock(os.path.join(settings.model_dir, "train.lock"), settings.model_dir),
        pytest.raises(InputError, match=rf"model is in use by process {os.getpid()} on .*, since .* UTC: wait for"),
    ):
        quiet(settings)
    assert not os.listdir(settings.model_dir)


def test_a_run_that_is_refused_leaves_no_folder_and_one_that_ends_no_lock(tmp_path):
    settings = tiny.settings(tmp_path, max_steps=1, valid_files=())
    with pytest.raises(InputError):
        quiet(dataclasses.replace(settings, vocab_file=str(tmp_path / "none")))
    assert not os.path.exists(settings.model_dir)
    quiet(settings)
    assert "train.lock" not in os.listdir(settings.model_dir)


def test_a_run_whose_best_weights_are_lost_says_so_and_finds_the_next_best(tmp_path):
    settings = tiny.settings(tmp_path, validation_steps=2, max_steps=2)
    quiet(settings)
    quiet(dataclasses.replace(settings, max_steps=3, valid_files=(), validation_steps=0))
    for path in glob.glob(os.path.join(settings.model_dir, "best", "*.index")):
        os.truncate(path, 10)
    lines = []
    train(dataclasses.replace(settings, max_steps=6), report=lines.append)
    assert any("best/ckpt-2 is damaged" in line for line in lines)
    assert any("the best weights, of step 2, are lost" in line for line in lines)
    assert int(checkpoint_path(settings.model_dir, "best").rpartition("-")[2]) > 2


def test_a_run_with_its_newest_checkpoint_damaged_ends_with_the_very_numbers_of_the_unbroken_one(tmp_path):
    unbroken = tiny.settings(tmp_path, model="unbroken", max_steps=6, checkpoint_steps=2, validation_steps=3)
    quiet(unbroken)
    broken = dataclasses.replace(unbroken, model_dir=str(tmp_path / "broken"), max_steps=5)
    quiet(broken)
    data = os.path.join(broken.model_dir, "latest", "ckpt-5.data-00000-of-00001")
    os.truncate(data, os.path.getsize(data) // 2)
    lines = []
    train(dataclasses.replace(broken, max_steps=6), report=lines.append)
    assert "resumed from step 4" in "".join(lines)
    for which in ("latest", "best"):
        assert_equal(arrays(unbroken.model_dir, which), arrays(broken.model_dir, which))


def with_steps_without_a_gradient(monkeypatch, numbers):
    """Makes the gradients and losses of these steps, counted from 1, not a number; such a step keeps the states."""
    real = TrainStep.__call__

    def take_step(self, step, tensors, states, loss_scale=None):
        if step + 1 not in numbers:
            return real(self, step, tensors, states, loss_scale)
        nothing = tf.constant(math.nan)
        return StepResult(tf.constant([[math.nan]]), nothing, states, loss_scale)

    monkeypatch.setattr(TrainStep, "__call__", take_step)


def test_a_step_without_a_finite_gradient_is_skipped_counted_and_shown(tmp_path, monkeypatch):
    settings, lines = tiny.settings(tmp_path, max_steps=6), []
    with_steps_without_a_gradient(monkeypatch, {2, 3, 5})
    assert train(settings, report=lines.append).finished
    skips = [line for line in lines if "skipped, for its gradient is nan" in line]
    assert [line.split(":")[0] for line in skips] == ["step 2", "step 3", "step 5"]
    assert skips[1].endswith("2 in a row, of at most 10, and 2 in all")
    assert notes(settings.model_dir)["skipped_steps"] == 3
    assert all(np.isfinite(array).all() for array in arrays(settings.model_dir).values())


def test_too_many_steps_without_a_finite_gradient_end_the_run_at_its_last_checkpoint(tmp_path, monkeypatch):
    settings = tiny.settings(tmp_path, checkpoint_steps=2, valid_files=())
    with_steps_without_a_gradient(monkeypatch, range(4, 99))
    with pytest.raises(InputError, match=r"from step 4 to step 13 no gradient is finite: .*smaller --learning_rate"):
        quiet(settings)
    assert all(np.isfinite(array).all() for array in arrays(settings.model_dir).values())


@pytest.mark.parametrize(("learning_rate", "checkpoint_steps"), [(1e6, 2), (1e6, 1), (10.0, 1)])
def test_a_diverging_run_ends_and_keeps_the_checkpoint_from_before(tmp_path, learning_rate, checkpoint_steps):
    good = tiny.settings(tmp_path, max_steps=4, checkpoint_steps=checkpoint_steps, valid_files=())
    quiet(good)
    before = arrays(good.model_dir)
    options = good.options.replace(learning_rate=learning_rate, n_epochs=9)
    with pytest.raises(InputError, match=r"diverged; take a smaller --learning_rate or --all_clip_norm_val"):
        quiet(dataclasses.replace(good, options=options, max_steps=0))
    assert_equal(before, arrays(good.model_dir))


def test_another_held_out_text_begins_a_new_search_for_the_best_with_a_line(tmp_path):
    settings, lines = small(tmp_path, max_steps=2, validation_steps=2), []
    quiet(settings)
    quiet(dataclasses.replace(settings, max_steps=3, valid_files=(), validation_steps=0))  # forgets nothing
    with open(settings.valid_files[0], "r+") as file:
        text = file.read()
        file.seek(0)
        file.write(text[1] + text[0] + text[2:])
    result = train(dataclasses.replace(settings, max_steps=4), lines.append)
    (line,) = [line for line in lines if "a new search" in line]
    assert line.startswith("note: the text of --valid_files was 1 files, ")
    assert result.best_perplexity == notes(settings.model_dir)["best_perplexity"]
    assert notes(settings.model_dir)["best_step"] == 4
    lines.clear()
    train(dataclasses.replace(settings, max_steps=5), lines.append)
    assert not any("a new search" in line for line in lines)


def test_a_run_of_a_release_that_saved_words_as_its_position_ends_with_the_numbers_of_the_unbroken_one(
    tmp_path, monkeypatch
):
    unbroken = tiny.settings(tmp_path, model="unbroken", max_steps=9, valid_files=())
    quiet(unbroken)
    broken = dataclasses.replace(unbroken, model_dir=str(tmp_path / "broken"))

    def plain_stream(settings, prepared, *rest):
        return assembly.make_stream(settings, dataclasses.replace(prepared, encoded=None), *rest)

    with monkeypatch.context() as patch:
        patch.setattr(run, "make_stream", plain_stream)
        quiet(dataclasses.replace(broken, max_steps=4))
    (forward, _) = json.loads(notes(broken.model_dir)["position"])
    assert any("</S>" in row for row in forward["left"])
    quiet(broken)
    assert_equal(arrays(unbroken.model_dir), arrays(broken.model_dir))
    assert notes(broken.model_dir)["position"] == notes(unbroken.model_dir)["position"]


def test_a_run_goes_on_wherever_its_encoded_text_is_kept_which_is_made_once(tmp_path, monkeypatch):
    unbroken = small(tmp_path, model="unbroken", max_steps=7, valid_files=())
    quiet(unbroken)
    (kept,) = glob.glob(os.path.join(unbroken.model_dir, "corpus-*.words"))
    real, times = CorpusEncoder.__init__, []

    def begin(self, *arguments):
        times.append(1)
        real(self, *arguments)

    monkeypatch.setattr(CorpusEncoder, "__init__", begin)
    broken = dataclasses.replace(unbroken, model_dir=str(tmp_path / "broken"), corpus_cache=str(tmp_path / "cache"))
    for steps, cache, made in ((2, "cache", 1), (3, "cache", 1), (5, None, 2), (6, "unbroken", 2), (7, "broken", 2)):
        folder = cache and str(tmp_path / cache)
        quiet(dataclasses.replace(broken, max_steps=steps, corpus_cache=folder))
        assert len(times) == made
    assert_equal(arrays(unbroken.model_dir), arrays(broken.model_dir))
    for folder in ("cache", "broken"):
        with open(tmp_path / folder / os.path.basename(kept), "rb") as one, open(kept, "rb") as other:
            assert one.read() == other.read()


def test_a_run_that_is_refused_when_its_text_is_encoded_leaves_no_folder(tmp_path):
    settings = small(tmp_path, valid_files=(), n_tokens_vocab=None, batch_size=10**6)
    with pytest.raises(InputError, match="one batch takes"):
        quiet(settings)
    assert not os.path.exists(settings.model_dir)
