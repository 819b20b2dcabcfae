"""The stream computed ahead gives the same steps and positions, and passes on errors that the user can correct."""

import itertools
import os
import pathlib
import subprocess
import sys
import time
import weakref

import numpy as np
import pytest
import tensorflow as tf
from stream_cases import INPUTS, options_of

from elmo_tf.data.corpus import Corpus
from elmo_tf.data.steps import Step
from elmo_tf.data.training_stream import StreamSettings, TrainingStream
from elmo_tf.data.vocabulary import Vocabulary
from elmo_tf.errors import InputError
from elmo_tf.training.prefetch import PrefetchedStream
from elmo_tf.training.step_input import flatten_step


@INPUTS
def test_prefetched_steps_and_positions_are_those_of_the_stream(made, by_characters):
    def stream():
        return TrainingStream(*made, options_of(by_characters), StreamSettings(4, parts=2, negatives=3))

    ahead = PrefetchedStream(stream(), ahead=3)
    for step, position in itertools.islice(stream(), 15):
        tensors, came = next(ahead)
        for tensor, array in zip(tensors, flatten_step(step), strict=True):
            assert tensor.dtype.as_numpy_dtype == array.dtype
            np.testing.assert_array_equal(tensor.numpy(), array)
        assert came.to_json() == position.to_json()
    assert tensors[0].shape.as_list() == [2, 3]


def test_prefetched_passes_on_what_the_user_can_mend_and_the_steps_before_it(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text("a b c d\n" * 500)
    corpus = Corpus.scan([str(path)], block_bytes=100)
    stream = TrainingStream(corpus, Vocabulary(("<S>", "</S>", "<UNK>", "a")), options_of(), StreamSettings(4))
    ahead = PrefetchedStream(stream, ahead=2)
    path.write_text("a b c d\n" * 490)
    assert len(list(itertools.islice(ahead, 125))) == 125  # the first epoch, whose sentences are in memory
    for _ in range(2):
        with pytest.raises(InputError, match=r"text\.txt has changed while it was in use"):
            list(itertools.islice(ahead, 5))


def test_prefetched_says_at_once_that_the_text_is_gone(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text("a b\n")
    corpus = Corpus.scan([str(path)])
    path.unlink()
    with pytest.raises(InputError, match=r"text\.txt cannot be read"):
        PrefetchedStream(TrainingStream(corpus, Vocabulary(("<S>", "</S>", "<UNK>")), options_of(), StreamSettings(1)))


def test_steps_that_nobody_takes_any_more_are_not_computed_any_more(made):
    taken = []

    def steps():
        for number, step in enumerate(TrainingStream(*made, options_of(True), StreamSettings(4))):
            taken.append(number)
            time.sleep(0.01)
            yield step

    ahead = PrefetchedStream(steps(), ahead=1000)
    next(ahead)
    end = weakref.ref(ahead)
    del ahead
    assert end() is None  # at once: nothing that tf.data holds keeps it alive
    count = len(taken)
    time.sleep(0.2)
    assert len(taken) == count < 100


def test_a_stream_that_is_ended_while_a_function_is_traced_adds_no_operation(made):
    """The garbage collector may end a stream at any moment, and its thread makes tensors at any moment."""
    streams = [PrefetchedStream(TrainingStream(*made, options_of(), StreamSettings(4)), ahead=1000)]
    end = weakref.ref(streams[0])

    @tf.function
    def double(x):
        next(streams[0])
        streams.clear()
        return 2 * x

    graph = double.get_concrete_function(tf.TensorSpec([], tf.int32)).graph
    assert end() is None
    assert sorted({operation.type for operation in graph.get_operations()}) == [
        "Const",
        "Identity",
        "Mul",
        "Placeholder",
    ]
    assert double(tf.constant(3)).numpy() == 6


def test_any_error_of_the_stream_is_raised_where_its_step_is_taken_and_so_is_its_end():
    def steps(error):
        step = Step((), np.zeros((1, 0), np.int32), np.ones(1, np.float32))
        yield step, "first"
        yield step, "second"
        if error is not None:
            raise error

    for error in (OSError("the disk is gone"), None):
        ahead = PrefetchedStream(steps(error), ahead=1)
        assert [next(ahead)[1] for _ in range(2)] == ["first", "second"]
        for _ in range(2):
            with pytest.raises(StopIteration if error is None else OSError):
                next(ahead)


def test_no_more_steps_are_computed_than_may_be_ready(made):
    taken = []

    def steps():
        for step in TrainingStream(*made, options_of(), StreamSettings(4)):
            taken.append(1)
            yield step

    ahead = PrefetchedStream(steps(), ahead=3)
    for count in range(1, 30):
        next(ahead)
        assert len(taken) <= count + 3 + 1  # one more is computed before there is room for it


ABANDONED = """
import sys, time, weakref
from stream_cases import options_of
from elmo_tf.data.corpus import Corpus
from elmo_tf.data.vocabulary import Vocabulary
from elmo_tf.data.training_stream import StreamSettings, TrainingStream
from elmo_tf.training.prefetch import PrefetchedStream

corpus, words = Corpus.scan([sys.argv[1]]), Vocabulary(("<S>", "</S>", "<UNK>", "a"))

taken = []

def slow():
    for step in TrainingStream(corpus, words, options_of(True), StreamSettings(4)):
        taken.append(step)
        yield step
        time.sleep(0.01)

def at_the_end():
    count = len(taken)
    time.sleep(0.3)
    print(len(taken) - count, "more", flush=True)

# finalizers that the program's end calls come in the reverse order of their making: this one behind those of `ahead`
weakref.finalize(corpus, at_the_end)
ahead = PrefetchedStream(slow(), ahead=1000)
next(ahead)
"""


def test_nothing_is_computed_while_the_program_ends(tmp_path):
    """One in ten programs hung there: TensorFlow waited for its thread, and the thread for Python, which had gone."""
    (tmp_path / "text.txt").write_text("a b c d\n" * 50)
    tests = pathlib.Path(__file__).parents[1]
    result = subprocess.run(
        [sys.executable, "-c", ABANDONED, str(tmp_path / "text.txt")],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(tests), str(tests.parent)])},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (result.returncode, result.stdout) == (0, "0 more\n"), result.stderr
