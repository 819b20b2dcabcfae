"""The highest window of every filter against TensorFlow's own convolution, and words in groups of like length."""

import numpy as np
import pytest
import tensorflow as tf

from elmo_tf.layers.convolutions import convolve_and_max_pool, map_in_length_buckets

PADDING = 9


def plain(characters, kernel):
    return tf.reduce_max(tf.nn.conv1d(characters, kernel, 1, "VALID"), 1)


def value_and_gradients(function, *arrays):
    tensors = [tf.constant(array) for array in arrays]
    with tf.GradientTape() as tape:
        tape.watch(tensors)
        value = function(*tensors)
        total = tf.reduce_sum(value * np.random.default_rng(1).normal(size=value.shape))
    return [value, *tape.gradient(total, tensors)]


@pytest.mark.parametrize("width", [1, 2, 3, 7])
@pytest.mark.parametrize("in_a_graph", [False, True])
def test_values_and_gradients_are_those_of_tensorflows_convolution(width, in_a_graph):
    random = np.random.default_rng(width)
    characters, kernel = random.normal(size=(5, 7, 3)), random.normal(size=(width, 3, 4))
    characters[1, 2:] = characters[1, 2]  # windows that are equal, and share the gradient
    expected = value_and_gradients(plain, characters, kernel)
    specs = tf.TensorSpec([None, None, 3], tf.float64), tf.TensorSpec([width, 3, 4], tf.float64)
    ours = tf.function(convolve_and_max_pool, input_signature=specs) if in_a_graph else convolve_and_max_pool
    for came, wanted in zip(value_and_gradients(ours, characters, kernel), expected, strict=True):
        np.testing.assert_allclose(came, wanted, atol=1e-13)


def made_up(words, longest):
    """Ids of words of up to `longest` letters, and a number for each that tells it from others."""
    random = np.random.default_rng(words)
    ids = np.full((words, 10), PADDING)
    for row in ids:
        length = random.integers(longest + 1)
        row[:length] = random.integers(PADDING, size=length)
    return ids, np.where(ids == PADDING, 0, (ids + 1) ** 2).sum(1)


def told_apart(part):
    squares = tf.where(part == PADDING, tf.zeros_like(part), (part + 1) ** 2)
    return tf.cast(tf.reduce_sum(squares, 1), tf.float32)[:, None]


def two_more(longest):
    return longest + 2


@pytest.mark.parametrize(("words", "groups"), [(0, 1), (1, 1), (2, 1), (41, 1), (255, 1), (256, 5), (1001, 5)])
@pytest.mark.parametrize("longest", [0, 3, 8])
def test_words_come_back_in_their_order_each_cut_behind_its_groups_longest(words, groups, longest):
    ids, expected = made_up(words, longest)
    widths = []

    def compute(part):
        widths.append(part.shape[1])
        assert part.shape[0] > 0
        return told_apart(part)

    came = map_in_length_buckets(tf.constant(ids), PADDING, two_more, compute)
    np.testing.assert_array_equal(came[:, 0], expected)
    lengths = (ids != PADDING).sum(1)
    assert len(widths) == groups
    assert widths == sorted(widths)
    assert widths[-1] == min(lengths.max(initial=0) + 2, 10)


@pytest.mark.parametrize("words", [0, 1, 2, 5, 41, 300])
def test_a_graph_that_does_not_know_how_many_words_there_are_gives_the_same(words):
    ids, expected = made_up(words, longest=8)
    groups = []

    @tf.function(input_signature=[tf.TensorSpec([None, None], tf.int64)], autograph=False)
    def run(ids):
        return map_in_length_buckets(ids, PADDING, two_more, lambda part: groups.append(part) or told_apart(part))

    np.testing.assert_array_equal(run(ids)[:, 0], expected)
    calls = [op for op in run.get_concrete_function().graph.get_operations() if op.type == "PartitionedCall"]
    assert len(calls) == 5
    assert len(groups) == 1, "what computes a bucket was traced for each of them"
