"""A disk that fills up ends a run in one sentence; it goes on as the unbroken one when there is room."""

import dataclasses
import os
import subprocess

import pytest
from reused_runs import one_model, result_of, resume, short

from elmo_tf.errors import InputError


@pytest.fixture
def small_disk(tmp_path):
    """Mounts a file system of a given size, in kilobytes; skips where that is not allowed."""
    mounted = []

    def mount(kilobytes):
        folder = tmp_path / f"disk{kilobytes}"
        folder.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", str(folder)]
        if subprocess.run(command, capture_output=True, check=False).returncode:
            pytest.skip("no file system may be mounted here")
        mounted.append(folder)
        return folder

    yield mount
    for folder in mounted:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_disk_that_fills_up_at_any_moment_of_a_run_costs_a_sentence_and_nothing_else(tmp_path, small_disk):
    unbroken = short(tmp_path, model="unbroken")
    full = 0
    with one_model():
        resume(unbroken)
        good = result_of(unbroken.model_dir)
        for kilobytes in (4, 12, 20, 32, 48, 64, 80, 96, 128, 192):
            disk = small_disk(kilobytes)
            settings = dataclasses.replace(unbroken, model_dir=str(disk / "model"))
            try:
                resume(settings)
            except InputError as error:
                message = str(error)
                assert message.endswith("No space left on device"), message
                full += 1
                subprocess.run(["mount", "-o", "remount,size=10m", str(disk)], check=True)
                resume(settings)
            assert result_of(settings.model_dir) == good
            assert not [name for name in os.listdir(disk / "model") if name.startswith(".")]
    assert full >= 4
