"""Distinct values and their positions, compared with dictionaries, which keep the order of insertion."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy

from elmo_tf.data.distinct import DistinctFinder, first_positions, unique_in_order

SHAPES = st_numpy.array_shapes(max_dims=3, max_side=9)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(0, 30), min_size=1, max_size=60))
def test_first_positions_are_those_at_which_a_dictionary_gets_new_keys(values):
    expected = {value: place for place, value in reversed(list(enumerate(values)))}
    assert first_positions(np.array(values, np.int64)).tolist() == sorted(expected.values())


@settings(max_examples=200, deadline=None)
@given(st_numpy.arrays(np.int32, SHAPES, elements=st.integers(0, 12)))
def test_distinct_values_are_in_order_of_occurrence_and_indexing_them_restores_the_array(values):
    distinct, index = unique_in_order(values)
    assert distinct.tolist() == list(dict.fromkeys(values.ravel().tolist()))
    assert (distinct.dtype, index.dtype) == (np.int32, np.int32)
    np.testing.assert_array_equal(distinct[index], values)


@pytest.mark.parametrize("dtype", [np.int32, np.int64])
def test_large_numbers_do_not_overflow(dtype):
    largest = np.iinfo(np.int32).max
    distinct, index = unique_in_order(np.tile(np.array([largest, 0, largest - 1], dtype), 1000))
    assert distinct.tolist() == [largest, 0, largest - 1]
    assert index.tolist() == [0, 1, 2] * 1000
    assert first_positions(distinct[index]).tolist() == [0, 1, 2]


@settings(max_examples=100, deadline=None)
@given(st.lists(st_numpy.arrays(np.int32, SHAPES, elements=st.integers(0, 12)), min_size=1, max_size=5))
def test_a_finder_gives_the_same_whatever_it_found_before(batches):
    finder = DistinctFinder(13)
    for values in batches:
        distinct, index = finder.unique_in_order(values)
        expected, places = unique_in_order(values)
        np.testing.assert_array_equal(distinct, expected)
        np.testing.assert_array_equal(index, places)
        assert (distinct.dtype, index.dtype) == (np.int32, np.int32)
        flat = values.ravel().astype(np.int64)
        np.testing.assert_array_equal(finder.first_positions(flat), first_positions(flat))
