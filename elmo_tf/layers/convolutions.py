"""The convolutions of the character CNN with max pooling, and buckets of words of similar length."""

import itertools
from collections.abc import Callable

import tensorflow as tf

from elmo_tf.layers.custom_gradient import custom_gradient
from elmo_tf.layers.host import on_host
from elmo_tf.layers.shared_trace import trace_once

_BUCKET_TWENTIETHS = (0, 6, 11, 16, 19, 20)
"""Bounds of the buckets among the words sorted by length, in twentieths of their number. Few words are long, so the
last buckets are small; an eighth of all windows of English is then padding. More buckets mean less padding, but more
time for small operations."""

_MIN_WORDS_FOR_BUCKETS = 256
"""Fewer words than this, where their number is known when the graph is made, are faster in a single bucket."""


def convolve_and_max_pool(characters: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """Convolves each word's characters ("VALID" padding) and takes the maximum of each filter over the positions.

    The convolution is written as one matrix product, because oneDNN compiles its convolution for every new shape, and
    nearly every batch has one.

    Args:
        characters: embedded characters `(U, C, embedding_dim)`.
        kernel: `(width, embedding_dim, n)`, with `width <= C`.

    Returns:
        `(U, n)`. The gradient goes to the position of the maximum; equal maxima share it equally.
    """
    width, size, filters = kernel.shape
    windows = _windows(characters, width)
    outputs = tf.matmul(tf.reshape(windows, [-1, width * size]), tf.reshape(kernel, [width * size, filters]))
    return _max_over_positions(tf.reshape(outputs, tf.stack([*tf.unstack(tf.shape(windows)[:2]), filters])))


def _windows(characters: tf.Tensor, width: int) -> tf.Tensor:
    """Concatenates the characters of each window: `(U, C, E)` -> `(U, C - width + 1, width * E)`."""
    size = characters.shape[2]

    @custom_gradient
    def run(characters: tf.Tensor) -> tuple[tf.Tensor, Callable[[tf.Tensor], tf.Tensor]]:
        count = _size(characters, 1) - width + 1
        windows = tf.concat([characters[:, start : start + count] for start in range(width)], 2)

        def gradient(d_windows: tf.Tensor) -> tf.Tensor:
            parts = [
                tf.pad(part, [[0, 0], [start, width - 1 - start], [0, 0]])
                for start, part in enumerate(tf.split(d_windows, [size] * width, 2))
            ]
            return tf.add_n(parts)

        return windows, gradient

    return run(characters) if width > 1 else characters


@custom_gradient
def _max_over_positions(windows: tf.Tensor) -> tuple[tf.Tensor, Callable[[tf.Tensor], tf.Tensor]]:
    """Takes the maximum over the positions P, `(U, P, n)` -> `(U, n)`, with a gradient of its own.

    TensorFlow's gradient of a maximum passes over all windows twice as often.
    """
    highest = tf.reduce_max(windows, 1)

    def gradient(d_highest: tf.Tensor) -> tf.Tensor:
        equal = tf.cast(tf.equal(windows, highest[:, None]), windows.dtype)
        return equal * (d_highest / tf.reduce_sum(equal, 1))[:, None]

    return highest, gradient


def map_in_length_buckets(
    ids: tf.Tensor,
    padding: int,
    that_count: Callable[[tf.Tensor], tf.Tensor],
    compute: Callable[[tf.Tensor], tf.Tensor],
) -> tf.Tensor:
    """Sorts words into buckets by length and calls `compute` on each bucket, cut to its longest word.

    Half of the distinct words in a window of English text have at most six letters, the longest about twenty: without
    buckets most convolution windows are padding. The sizes depend on the words, so XLA cannot compile this.

    Args:
        ids: character ids `(U, C)`, each word followed by its padding.
        padding: the id of padding.
        that_count: the length of a bucket's longest word -> how many of the bucket's characters count.
        compute: ids `(u, c)` -> vectors `(u, n)`, which further padding does not change.

    Returns:
        `(U, n)`, in the order of `ids`.
    """
    words, longest = _size(ids, 0), _size(ids, 1)
    cuts = (
        (0, _BUCKET_TWENTIETHS[-1]) if isinstance(words, int) and words < _MIN_WORDS_FOR_BUCKETS else _BUCKET_TWENTIETHS
    )
    with on_host():
        # one word of padding for each bucket, so that no bucket is empty and `lengths[end - 1]` exists
        ids = tf.pad(ids, [[0, len(cuts) - 1], [0, 0]], constant_values=padding)
        lengths = tf.reduce_sum(tf.cast(tf.not_equal(ids, padding), tf.int32), 1)
        order = tf.argsort(lengths, stable=True)  # stable, so that sums have the same order on every machine
        places = tf.argsort(order, stable=True)[:words]
        ids, lengths = tf.gather(ids, order), tf.gather(lengths, order)
        bounds = [bucket + words * cut // _BUCKET_TWENTIETHS[-1] for bucket, cut in enumerate(cuts)]
        buckets = [
            ids[start:end, : tf.minimum(that_count(lengths[end - 1]), longest)]
            for start, end in itertools.pairwise(bounds)
        ]
    if len(buckets) > 1:
        compute = trace_once(compute, tf.TensorSpec([None, None], ids.dtype))
    return _select(tf.concat([compute(bucket) for bucket in buckets], 0), places, order)


def _select(values: tf.Tensor, places: tf.Tensor, order: tf.Tensor) -> tf.Tensor:
    """Selects rows, none of them twice, with a gradient of its own.

    TensorFlow's gradient of a selection is sparse: to split it into the buckets' parts it looks for the rows of each.

    Args:
        values: `(N, n)`.
        places: the row that each result is taken from, `(U,)`.
        order: the result that each row becomes, `(N,)`; U and more where it becomes none.
    """

    @custom_gradient
    def run(values: tf.Tensor) -> tuple[tf.Tensor, Callable[[tf.Tensor], tf.Tensor]]:
        def gradient(d_results: tf.Tensor) -> tf.Tensor:
            padding = tf.shape(order)[0] - tf.shape(d_results)[0]
            return tf.gather(tf.pad(d_results, [[0, padding], [0, 0]]), order)

        return tf.gather(values, places), gradient

    return run(values)


def _size(values: tf.Tensor, axis: int) -> int | tf.Tensor:
    """The size of an axis: an int where it is known, so that arithmetic with it adds no operations to the graph."""
    known = values.shape[axis]
    return tf.shape(values)[axis] if known is None else int(known)
