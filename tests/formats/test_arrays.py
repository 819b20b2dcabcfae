"""Arrays by name: read and checked at each look-up and not before; selected and merged."""

import numpy as np
import pytest

from elmo_tf.errors import InputError
from elmo_tf.formats.arrays import Arrays, is_finite


def counted(values, shapes=None):
    """Arrays of a dictionary, and the list of the names that were read."""
    read = []

    def reader(name):
        read.append(name)
        return values[name]

    return Arrays("numbers", shapes or {name: np.shape(value) for name, value in values.items()}, reader), read


def test_names_shapes_and_size_are_known_without_reading():
    arrays, read = counted({"a": np.ones((2, 3)), "b": np.zeros(4)})
    assert "a" in arrays
    assert "c" not in arrays
    assert (list(arrays), len(arrays), arrays.size) == (["a", "b"], 2, 10)
    assert arrays.select({"b": None}).shapes == {"b": (4,)}
    assert arrays.with_others({"c": np.ones(1)}).shapes == {"a": (2, 3), "b": (4,), "c": (1,)}
    assert read == []
    assert arrays["a"].dtype == np.float32
    assert read == ["a"]


def test_other_arrays_are_added_or_replace_those_of_the_same_name():
    arrays, read = counted({"a": np.ones(2), "b": np.zeros(2)})
    both = arrays.with_others({"b": np.full(2, 7.0), "c": np.full(2, 8.0)})
    assert [both[name][0] for name in "abc"] == [1, 7, 8]
    assert read == ["a"]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e300])
def test_numbers_that_are_not_finite_in_float32_are_an_error_that_names_the_array(value):
    arrays, _ = counted({"a": np.array([1.0, value])})
    with pytest.raises(InputError, match="numbers: array a holds numbers that are not finite in float32"):
        arrays["a"]


def test_an_array_of_another_shape_than_announced_is_an_error():
    arrays, _ = counted({"a": np.ones(3)}, {"a": (2,)})
    with pytest.raises(InputError, match=r"array a: expected shape \(2,\), got \(3,\): a damaged file\?"):
        arrays["a"]


def test_finite_numbers_are_finite_even_if_their_sum_overflows():
    assert is_finite(np.full(4, 3e38, np.float32))
    assert not is_finite(np.array([np.inf, -np.inf], np.float32))
