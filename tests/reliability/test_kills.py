"""Real kills: a training process that is killed at random moments goes on to the very numbers of the unbroken one."""

import concurrent.futures
import dataclasses
import os
import random
import signal
import subprocess
import sys
import time

import pytest
from reused_runs import flags, result_of, resume, short

from elmo_tf.errors import InputError

KILLS = {"exhaustive": 8, "soak": int(os.environ.get("ELMO_TF_KILLS", "200"))}
"""The number of kills. $ELMO_TF_KILLS changes the number for `make soak`."""

SERVER = """
import os, sys
import tensorflow, keras
from elmo_tf.cli import quiet
from elmo_tf.cli.main import main
import elmo_tf.training.run, elmo_tf.options
for line in sys.stdin:
    child = os.fork()
    if not child:
        out = os.open(os.devnull, os.O_WRONLY)
        os.dup2(out, 1)
        os._exit(main(line.split()))
    print(child, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""
"""Forks the training processes from one that has imported TensorFlow, which takes each new one many seconds."""


class Trainings:
    """Training processes, one after the other."""

    def __init__(self):
        self._server = subprocess.Popen(
            [sys.executable, "-c", SERVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def run(self, arguments, kill_after=None):
        """Runs `elmo-tf train`; kills it after so many seconds. Returns its exit code and its seconds."""
        began = time.monotonic()
        print(" ".join(["train", *arguments]), file=self._server.stdin, flush=True)
        child = int(self._server.stdout.readline())
        if kill_after is not None:
            time.sleep(kill_after)
            os.kill(child, signal.SIGKILL)
        return int(self._server.stdout.readline()), time.monotonic() - began

    def close(self):
        self._server.stdin.close()
        self._server.wait()
        self._server.stdout.close()


def kill_many(folder, kills, seed):
    """Kills trainings at random moments, most of them several times each; returns the results that differ."""
    settings = short(folder, model="unbroken", max_steps=60, count=200, n_epochs=99, validation_steps=7)
    trainings, chosen, different, killed = Trainings(), random.Random(seed), [], 0
    try:
        code, seconds = trainings.run(flags(settings))
        assert code == 0
        good = result_of(settings.model_dir)
        while killed < kills:
            broken = dataclasses.replace(settings, model_dir=os.path.join(folder, f"broken{killed}"))
            while (code := trainings.run(flags(broken), chosen.uniform(0.1, 1.0) * seconds)[0]) == -signal.SIGKILL:
                killed += 1
                if chosen.random() < 0.3:
                    code, _ = trainings.run(flags(broken))
                    break
            if code != 0 or result_of(broken.model_dir) != good:
                different.append((killed, code, broken.model_dir))
    finally:
        trainings.close()
    print(f"{killed} kills, {len(different)} different")
    return killed, different


@pytest.mark.exhaustive
def test_a_run_killed_at_random_moments_goes_on_as_the_unbroken_one(tmp_path):
    killed, different = kill_many(tmp_path, KILLS["exhaustive"], seed=1)
    assert killed >= KILLS["exhaustive"]
    assert different == []


@pytest.mark.exhaustive
def test_of_two_processes_in_one_folder_the_second_ends_at_once_and_the_first_does_not_notice(tmp_path):
    settings = short(tmp_path, max_steps=300, count=200, n_epochs=99, validation_steps=0, valid_files=())
    settings = dataclasses.replace(settings, validate_first=False)
    trainings = Trainings()
    try:
        with concurrent.futures.ThreadPoolExecutor() as pool:
            first = pool.submit(trainings.run, flags(settings))
            lock = os.path.join(settings.model_dir, "train.lock")
            while not (os.path.exists(lock) and os.path.getsize(lock)) and not first.done():
                time.sleep(0.01)
            with pytest.raises(InputError, match=r"model is in use by process \d+ on .*: wait for its end, or stop it"):
                resume(settings)
            assert first.result()[0] == 0
    finally:
        trainings.close()
    with open(os.path.join(settings.model_dir, "log.csv"), encoding="utf-8") as file:
        assert [line.partition(",")[0] for line in file][1:] == [str(step + 1) for step in range(300)]


@pytest.mark.soak
def test_runs_killed_at_many_random_moments_go_on_as_the_unbroken_one(tmp_path):
    killed, different = kill_many(tmp_path, KILLS["soak"], seed=None)
    assert killed >= KILLS["soak"]
    assert different == []
