"""A run that is killed at any of its file operations goes on to the very numbers of the unbroken one."""

import dataclasses
import os
import shutil
import sys

import pytest
from file_replay import has_strace, kill_points, record
from reused_runs import flags, one_model, result_of, resume, short

from elmo_tf.errors import InputError

SAMPLE = 9
"""Every so many kill points the default tests resume from."""


def record_run(folder, **changes):
    """Records a run; yields its settings, its file operations, and its result. All resumes share one model."""
    if not has_strace():
        pytest.skip("strace is not installed, or may not trace processes here")
    settings = short(folder, **changes)
    command = [sys.executable, "-m", "elmo_tf", "train", *flags(settings)]
    calls = record(command, settings.model_dir, folder / "trace")
    with one_model():
        yield settings, calls, result_of(settings.model_dir)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """A run of six steps."""
    yield from record_run(tmp_path_factory.mktemp("recorded"))


@pytest.fixture(scope="module")
def long_recorded(tmp_path_factory):
    """A run of forty steps over several epochs, which saves some 40 checkpoints."""
    yield from record_run(tmp_path_factory.mktemp("long"), max_steps=40, n_epochs=99)


def check(recorded, tmp_path, every, first=0, power_cut=False):
    """Resumes from every so many kill points; returns how many, and those that did not end as the unbroken run."""
    settings, calls, expected = recorded
    tried, different = 0, []
    for place, (number, is_torn, folder) in enumerate(kill_points(calls, settings.model_dir)):
        if place % every != first:
            continue
        tried += 1
        target = tmp_path / f"{number}-{is_torn}"
        folder.restore(str(target), power_cut)
        what = (number, is_torn, calls[number][0], calls[number][1])
        try:
            resume(dataclasses.replace(settings, model_dir=str(target)))
        except InputError as error:
            different.append((*what, str(error)))
        else:
            found = result_of(target)
            wrong = [key for key in {**expected, **found} if found.get(key) != expected.get(key)]
            if wrong and not (power_cut and wrong == ["log"]):
                different.append((*what, wrong))
        shutil.rmtree(target)
    print(f"{tried} kill points, {len(different)} different")
    return tried, different


def test_the_recorded_operations_give_the_folder_that_the_run_left(recorded, tmp_path):
    settings, calls, _ = recorded
    for _, _, folder in kill_points(calls, settings.model_dir):
        last = folder
    last.restore(str(tmp_path / "model"))
    for inside, _, names in os.walk(settings.model_dir):
        for name in names:
            copied = os.path.join(tmp_path, "model", os.path.relpath(inside, settings.model_dir), name)
            with open(os.path.join(inside, name), "rb") as left, open(copied, "rb") as right:
                assert left.read() == right.read(), name


def test_a_run_killed_at_a_sample_of_its_file_operations_goes_on_as_the_unbroken_one(recorded, tmp_path):
    tried, different = check(recorded, tmp_path, SAMPLE)
    assert tried >= 20
    assert different == []


def test_after_a_power_cut_at_a_sample_of_the_file_operations_the_run_goes_on_as_the_unbroken_one(recorded, tmp_path):
    tried, different = check(recorded, tmp_path, SAMPLE, SAMPLE // 2, power_cut=True)
    assert tried >= 20
    assert different == []


@pytest.mark.exhaustive
@pytest.mark.parametrize("power_cut", [False, True])
def test_a_run_killed_at_any_of_its_file_operations_goes_on_as_the_unbroken_one(recorded, tmp_path, power_cut):
    tried, different = check(recorded, tmp_path, 1, power_cut=power_cut)
    assert tried >= 150
    assert different == []


@pytest.mark.soak
@pytest.mark.parametrize("power_cut", [False, True])
@pytest.mark.parametrize("share", range(5))
def test_a_long_run_killed_at_any_of_its_file_operations_goes_on_as_the_unbroken_one(
    long_recorded, tmp_path, share, power_cut
):
    tried, different = check(long_recorded, tmp_path, 5, share, power_cut)
    assert tried >= 200
    assert different == []
