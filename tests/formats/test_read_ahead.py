"""Reading ahead: the results and their order, the number of names read ahead, and errors."""

import gc
import threading
import time
import weakref

import numpy as np
import pytest

from elmo_tf.errors import InputError
from elmo_tf.formats.read_ahead import read_ahead

NAMES = [str(number) for number in range(9)]


@pytest.mark.parametrize("names", [[], NAMES[:1], NAMES[:2], NAMES[:3], NAMES])
def test_results_are_in_the_order_of_the_names_whichever_is_read_first(names):
    def read(name):
        time.sleep(0.002 * (int(name) % 3))
        return name * 2

    assert list(read_ahead(read, names)) == [name * 2 for name in names]


def test_two_are_read_at_a_time_and_no_more():
    both, running, most = threading.Barrier(2, timeout=20), [], []

    def read(name):
        running.append(name)
        most.append(len(running))
        both.wait()  # which one reader alone would never get past
        running.remove(name)

    assert list(read_ahead(read, NAMES[:8])) == [None] * 8
    assert max(most) == 2


def test_reading_begins_with_the_first_request_and_stays_a_little_ahead():
    asked = []
    results = read_ahead(asked.append, NAMES)
    assert asked == []
    next(results)
    results.close()
    assert 1 <= len(asked) <= 3


def test_an_error_is_raised_in_its_turn_and_ends_the_reading():
    asked = []

    def read(name):
        asked.append(name)
        if name == "3":
            raise InputError("array 3 is damaged")
        return name

    results = read_ahead(read, NAMES)
    assert [next(results) for _ in range(3)] == NAMES[:3]
    with pytest.raises(InputError, match="array 3 is damaged"):
        next(results)
    assert NAMES[-1] not in asked


def test_results_handed_out_are_not_kept_in_memory():
    results = read_ahead(lambda name: np.zeros(3), NAMES)
    end = weakref.ref(next(results))
    gc.collect()
    assert end() is None
    results.close()


def test_no_thread_is_left_behind():
    results = read_ahead(str.upper, NAMES)
    next(results)
    assert any(thread.name.startswith("elmo_tf_reader") for thread in threading.enumerate())
    results.close()
    assert not any(thread.name.startswith("elmo_tf_reader") for thread in threading.enumerate())
