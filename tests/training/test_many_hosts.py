"""Runs on several replicas and workers take the steps of a run on one, and one that loses a worker goes on as if not.

The workers are real processes on the loopback interface, with one CPU each.
"""

import csv
import dataclasses
import json
import os
import random
import shutil
import signal
import socket
import time
from contextlib import ExitStack

import numpy as np
import pytest
import tiny
import training_runs
from forked_python import ForkedPython, wait_until
from training_runs import REGULARISED, arrays, assert_equal

from elmo_tf.errors import InputError
from elmo_tf.options import LstmOptions
from elmo_tf.training import resume
from elmo_tf.training.run import train
from elmo_tf.training.state import Division

SUMS = 2e-6
"""How far weights may be apart where the same numbers were summed in another order, after a few steps."""

AFTER_50_STEPS = 1e-4
"""How far they may be apart after 50 steps. Other dropout masks take them 0.1 apart."""

END_SECONDS = 60
"""Seconds within which a worker must end after another one is lost. It takes few; the rest is for busy machines."""


def run_of(folder, model, **changes):
    """A run with dropout in many steps, whose graph is traced fast."""
    same = {
        "char_cnn": None,
        "lstm": LstmOptions(dim=12, projection_dim=6, n_layers=1, cell_clip=3, proj_clip=3),
        "batch_size": 2,
        "dropout": 0.3,
        "n_epochs": 100,
        "validation_steps": 20,
    }
    return tiny.settings(folder, model=model, **{**same, **changes})


def command(settings, *more):
    """The run as a script and its flags."""
    names = ("max_steps", "validation_steps", "checkpoint_steps", "seed")
    return training_runs.command(settings, *(f"--{name}={getattr(settings, name)}" for name in names), *more)


def run_replicas(settings, *more):
    """Runs on two replicas of one process."""
    ForkedPython(*command(settings, "--logical_cpus=2", *more)).wait().check_returncode()


def perplexities(settings):
    with open(os.path.join(settings.model_dir, "log.csv"), newline="") as file:
        return [float(row["val_perplexity"]) for row in csv.DictReader(file) if row["val_perplexity"]]


def free_ports(count):
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("localhost", 0))
        return [one.getsockname()[1] for one in sockets]


def start_worker(settings, cluster, index, *more, folder=None):
    """Starts one worker of a cluster in a folder; returns its process."""
    config = json.dumps({"cluster": cluster, "task": {"type": "worker", "index": index}})
    run = command(settings, "--strategy=multi_worker", *more)
    return ForkedPython(*run, environment={"TF_CONFIG": config}, folder=folder)


def start_workers(settings, *more, folder=None):
    """Starts the same run as two workers in a folder; returns their processes."""
    cluster = {"worker": [f"localhost:{port}" for port in free_ports(2)]}
    return [start_worker(settings, cluster, index, *more, folder=folder) for index in range(2)]


def finish(processes):
    """The exit codes, outputs and errors of processes that end by themselves."""
    ended = [process.wait(300) for process in processes]
    return [(one.returncode, one.stdout, one.stderr) for one in ended]


def has_checkpoint(settings, step):
    """Whether a checkpoint of this step or a later one is complete."""
    latest = os.path.join(settings.model_dir, "latest")
    names = os.listdir(latest) if os.path.isdir(latest) else []
    return any(int(name[5:-7]) >= step for name in names if name.startswith("ckpt-") and name.endswith(".sha256"))


@pytest.fixture(scope="module")
def on_two_replicas(tmp_path_factory):
    """The folder and settings of a run on two replicas of one process."""
    folder = tmp_path_factory.mktemp("hosts")
    settings = run_of(folder, "replicas", max_steps=50, checkpoint_steps=10)
    run_replicas(settings)
    return folder, settings


def test_two_workers_of_which_one_was_killed_do_bit_for_bit_what_two_replicas_do(on_two_replicas):
    folder, replicas = on_two_replicas
    settings = dataclasses.replace(replicas, model_dir=str(folder / "workers"))
    processes = start_workers(settings)
    wait_until(lambda: has_checkpoint(settings, 10))
    processes[1].send_signal(signal.SIGKILL)
    killed = time.monotonic()
    (code, out, error), (_, silent, _) = finish(processes)
    assert time.monotonic() - killed < END_SECONDS
    assert code == 1, error
    assert "worker 0 stops, for another of the 2 workers has ended" in error.splitlines()[-1]
    assert silent == ""
    assert "step" in out
    again = finish(start_workers(settings, "--deterministic"))  # it changes no bits on a CPU
    assert [code for code, _, _ in again] == [0, 0], again
    assert "resumed from step" in again[0][1]
    assert again[1][1:] == ("", "")
    for which in ("latest", "best"):
        assert_equal(arrays(replicas.model_dir, which), arrays(settings.model_dir, which))
    assert len(perplexities(replicas)) >= 3
    np.testing.assert_allclose(perplexities(replicas), perplexities(settings), rtol=1e-5)


def test_a_run_on_two_replicas_goes_on_with_one_that_accumulates_and_takes_its_steps(on_two_replicas):
    """Dropout is on: its masks belong to the part. The run that goes on is not told of accumulation."""
    folder, replicas = on_two_replicas
    one = dataclasses.replace(replicas, model_dir=str(folder / "one"), max_steps=52, accumulation_steps=2)
    train(one, report=lambda line: None)
    gone_on, lines = dataclasses.replace(replicas, model_dir=str(folder / "gone_on"), max_steps=52), []
    shutil.copytree(replicas.model_dir, gone_on.model_dir)
    train(gone_on, report=lines.append)
    said = "2 parts of 2 rows, so far 1 on each of 2 replicas, from now on --accumulation_steps=2 on each of 1"
    assert any(said in line for line in lines)
    assert_equal(arrays(one.model_dir), arrays(gone_on.model_dir), tolerance=AFTER_50_STEPS)


@pytest.mark.exhaustive
def test_four_parts_are_the_same_step_on_one_replica_and_on_two_and_a_run_goes_on_with_the_other(tmp_path):
    """Dropout is on: its masks belong to the part, and those of the recurrent weights to the step. The run that changes
    its replicas is not told of accumulation."""
    four = run_of(tmp_path, "four", max_steps=8, accumulation_steps=4, validation_steps=0, **REGULARISED)
    train(four, report=lambda line: None)
    two = run_of(tmp_path, "two", max_steps=4, validation_steps=0, **REGULARISED)
    run_replicas(two, "--accumulation_steps=2")
    lines = []
    train(dataclasses.replace(two, max_steps=8), report=lines.append)
    assert any(
        "4 parts of 2 rows, so far 2 on each of 2 replicas, from now on --accumulation_steps=4" in x for x in lines
    )
    assert_equal(arrays(four.model_dir), arrays(two.model_dir), tolerance=SUMS)


@pytest.mark.parametrize(
    ("saved", "replicas", "now"),
    [
        (None, 2, 3),
        (Division(1, 6, 2), 1, 3),  # as many replicas: the user has chosen --accumulation_steps
        (Division(1, 6, 4), 2, 3),  # another --batch_size
        (Division(2, 3, 2), 6, 1),
        (Division(6, 1, 2), 3, 2),
        (Division(6, 2, 2), 4, 3),
    ],
    ids=str,
)
def test_the_parts_of_a_step_stay_as_many(tmp_path, monkeypatch, saved, replicas, now):
    monkeypatch.setattr(resume, "read_division", lambda folder: saved)
    settings = run_of(tmp_path, "any", accumulation_steps=3)
    lines = []
    assert resume.keep_parts(settings, replicas, lines.append).accumulation_steps == now
    assert bool(lines) == (saved is not None and saved.batch_size == 2 and saved.replicas != replicas)


def test_a_number_of_replicas_that_cannot_share_the_parts_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(resume, "read_division", lambda folder: Division(3, 1, 2))
    with pytest.raises(InputError, match=r"a step has 3 parts .* which 2 replicas cannot share equally: .*divides 3$"):
        resume.keep_parts(run_of(tmp_path, "any"), 2, print)


@pytest.mark.exhaustive
def test_sigterm_on_any_worker_saves_and_ends_all_with_its_code(tmp_path):
    whole = run_of(tmp_path, "whole", max_steps=400, checkpoint_steps=1000)
    for number in (0, 1):
        settings = dataclasses.replace(whole, model_dir=str(tmp_path / f"stopped{number}"))
        processes = start_workers(settings)
        wait_until(lambda processes=processes: "estimated memory" in processes[0].output())
        processes[number].send_signal(signal.SIGTERM)
        ended = finish(processes)
        assert [code for code, _, _ in ended] == [143, 143], ended
        assert ended[1][1:] == ("", "")
        assert "stopped; the same command goes on" in ended[0][1]


@pytest.mark.exhaustive
def test_a_callback_of_the_user_that_stops_the_chief_stops_all(tmp_path):
    (tmp_path / "stops.py").write_text(
        "import keras\n"
        "class Stops(keras.callbacks.Callback):\n"
        "    def on_train_batch_end(self, batch, logs=None):\n"
        "        print('called', flush=True)\n"
        "        self.model.stop_training = batch == 2\n"
    )
    settings = run_of(tmp_path, "model", max_steps=9)
    (code, out, error), (other, silent, _) = finish(start_workers(settings, "--callbacks=stops:Stops", folder=tmp_path))
    assert (code, other, silent) == (0, 0, ""), error
    assert out.count("called") == 3
    assert arrays(settings.model_dir)["step/.ATTRIBUTES/VARIABLE_VALUE"] == 3


@pytest.mark.exhaustive
def test_workers_that_were_started_otherwise_are_named(tmp_path):
    first, second = run_of(tmp_path, "model", max_steps=9), run_of(tmp_path, "model", max_steps=9, seed=2)
    cluster = {"worker": [f"localhost:{port}" for port in free_ports(2)]}
    processes = [start_worker(settings, cluster, index) for index, settings in enumerate((first, second))]
    for code, _, error in finish(processes):
        assert code == 1
        assert "worker 1 has not the same flags as the chief: start all workers with the same command" in error


@pytest.mark.exhaustive
def test_many_kills_of_either_worker_change_nothing(on_two_replicas):
    """Each round kills one worker at a random moment, until the run is done. `ELMO_TF_KILLS` sets the number."""
    folder, replicas = on_two_replicas
    settings = dataclasses.replace(replicas, model_dir=str(folder / "killed"))
    choose = random.Random(int(os.environ.get("ELMO_TF_SEED", "0")))
    for _ in range(int(os.environ.get("ELMO_TF_KILLS", "5"))):
        processes = start_workers(settings)
        time.sleep(choose.uniform(4.0, 14.0))
        processes[choose.randrange(2)].send_signal(signal.SIGKILL)
        codes = sorted(code for code, _, _ in finish(processes))
        assert codes in ([-9, 0], [-9, 1], [0, 0]), codes
    assert [code for code, _, _ in finish(start_workers(settings))] == [0, 0]
    for which in ("latest", "best"):
        assert_equal(arrays(replicas.model_dir, which), arrays(settings.model_dir, which))
