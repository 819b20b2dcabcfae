"""Settings of memory allocation, each in a process of its own, because they cannot be undone."""

import os
import subprocess
import sys

import pytest

PROGRAM = """
import resource
from elmo_tf.training.devices import keep_freed_memory
done = {call}
import numpy as np
def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
def work():
    for _ in range(20):
        np.ones(2**21)  # 16 MiB
work()
before = faults()
work()
print(done, faults() - before)
"""


def run(call, **environment):
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(call=call)],
        env={**{k: v for k, v in os.environ.items() if not k.startswith("MALLOC_")}, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.split()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc's settings")
def test_freed_memory_is_taken_again_without_a_page_fault():
    done, faults = run("keep_freed_memory()")
    assert done == "True"
    assert int(faults) < 100


def test_settings_of_the_environment_are_left_alone():
    assert run("keep_freed_memory()", MALLOC_TOP_PAD_="131072")[0] == "False"
