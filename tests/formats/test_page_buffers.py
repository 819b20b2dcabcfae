"""Arrays that become tensors and variables without a copy, and that can be used like any other."""

import gc
import weakref

import keras
import numpy as np
import pytest
import tensorflow as tf

from elmo_tf.formats.page_buffers import as_tensor, page_buffer


def address(values):
    return np.asarray(values).ctypes.data


@pytest.mark.parametrize("shape", [(), (0,), (3, 0), (1,), (5,), (2, 3, 4), (1000, 33)])
def test_a_buffer_has_its_shape_and_is_aligned_for_tensorflow(shape):
    array = page_buffer(shape)
    assert (array.shape, array.dtype) == (shape, np.float32)
    assert array.size == 0 or array.ctypes.data % 64 == 0
    array[...] = 7
    tensor = as_tensor(array)
    assert tensor.dtype == tf.float32
    np.testing.assert_array_equal(tensor, np.full(shape, 7))


def test_tensor_and_variable_share_the_memory_of_the_array():
    array = page_buffer((50, 20))
    array[...] = np.arange(20)
    tensor = as_tensor(array)
    variable = keras.Variable(lambda shape, dtype: tensor, shape=array.shape, dtype="float32")
    assert address(array) == address(tensor) == address(variable.value.read_value())


def test_a_variable_can_be_changed_in_every_way():
    array = page_buffer((4, 2))
    array[...] = 1
    variable = tf.Variable(as_tensor(array))
    variable.assign_add(tf.ones([4, 2]))
    variable[1:2].assign([[5.0, 6.0]])
    variable.scatter_update(tf.IndexedSlices([[8.0, 9.0]], [3]))
    np.testing.assert_array_equal(variable, [[2, 2], [5, 6], [2, 2], [8, 9]])
    np.testing.assert_array_equal(array, np.ones((4, 2)))  # who changes it takes memory of its own


def test_the_memory_is_freed_with_its_last_user():
    class Watched(np.ndarray):
        pass

    array = page_buffer((8,)).view(Watched)
    array[...] = 3
    end, tensor = weakref.ref(array), as_tensor(array)
    del array
    gc.collect()
    assert end() is not None
    np.testing.assert_array_equal(tensor, np.full(8, 3))
    del tensor
    gc.collect()
    assert end() is None
