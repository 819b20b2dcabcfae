"""Settings of memory allocation, each in a process of its own, because they cannot be undone."""

import os
import pathlib
import subprocess
import sys

import pytest

TESTS = pathlib.Path(__file__).parents[1]

PROGRAM = """
import resource
from elmo_tf.training.devices import keep_freed_memory
done = {call}
import numpy as np
def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
def work():
    for _ in range(20):
        [np.ones(2**21) for _ in range(8)]  # 128 MiB, more than malloc's padding
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


MADE_FROM_A_GENERATOR = """keep_freed_memory()
import sys
from stream_cases import options_of
from elmo_tf.data.corpus import Corpus
from elmo_tf.data.training_stream import StreamSettings, TrainingStream
from elmo_tf.data.vocabulary import Vocabulary
from elmo_tf.training.prefetch import PrefetchedStream
words = Vocabulary(("<S>", "</S>", "<UNK>", "a"))
stream = PrefetchedStream(TrainingStream(Corpus.scan([{text!r}]), words, options_of(True), StreamSettings(4)))
next(stream)"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc's settings")
def test_freed_memory_is_taken_again_without_a_page_fault():
    done, faults = run("keep_freed_memory()")
    assert done == "True"
    assert int(faults) < 100


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc's settings")
def test_the_input_of_a_run_does_not_end_that(tmp_path):
    (tmp_path / "text.txt").write_text("a b c d\n" * 50)
    call = MADE_FROM_A_GENERATOR.format(text=str(tmp_path / "text.txt"))
    _, faults = run(call, PYTHONPATH=f"{TESTS}{os.pathsep}{TESTS.parent}")
    assert int(faults) < 100


def test_settings_of_the_environment_are_left_alone():
    assert run("keep_freed_memory()", MALLOC_TOP_PAD_="131072")[0] == "False"
