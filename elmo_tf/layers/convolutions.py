"""The convolutions of the token encoder: their maximum over a word, and words in groups of like length."""

import itertools
from collections.abc import Callable

import tensorflow as tf

GROUPS = 4
"""Groups that words are convolved in. More waste fewer windows on padding, and more time on small operations."""


def highest_window(characters: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """The maximum, over all windows of a word, of each filter: a valid convolution, and the maximum of its outputs.

    Args:
        characters: embedded characters `(U, C, embedding_dim)`.
        kernel: `(width, embedding_dim, n)`, with `width <= C`.

    Returns:
        `(U, n)`. The gradient goes to the highest window; where several are equal each gets its share.
    """
    return _maximum(tf.nn.conv1d(characters, kernel, stride=1, padding="VALID"))


@tf.custom_gradient
def _maximum(windows: tf.Tensor) -> tuple[tf.Tensor, Callable[[tf.Tensor], tf.Tensor]]:
    """`(U, P, n)` -> `(U, n)`. TensorFlow's own gradient passes over all windows twice as often."""
    highest = tf.reduce_max(windows, 1)

    def gradient(d_highest: tf.Tensor) -> tf.Tensor:
        equal = tf.equal(windows, highest[:, None])
        shares = tf.reduce_sum(tf.cast(equal, windows.dtype), 1)
        return tf.where(equal, (d_highest / shares)[:, None], tf.zeros([], windows.dtype))

    return highest, gradient


def in_groups_of_like_length(
    ids: tf.Tensor, padding: int, beyond: int, compute: Callable[[tf.Tensor], tf.Tensor]
) -> tf.Tensor:
    """Calls `compute` on groups of words that differ little in length, each cut behind its longest word.

    Half of all distinct words of a window of English have up to six letters, the longest near twenty: without groups
    most windows of the convolutions are padding. Sizes depend on the words, which XLA does not allow.

    Args:
        ids: character ids `(U, C)`, each word's padding behind it.
        padding: the id of padding.
        beyond: how many characters of padding to leave behind the longest word of a group.
        compute: ids `(u, c)` -> vectors `(u, n)`, for which padding beyond does not count.

    Returns:
        `(U, n)`, in the order of `ids`.
    """
    words, longest = tf.unstack(tf.shape(ids))
    # a word of padding for every group, for oneDNN cannot convolve nothing
    ids = tf.pad(ids, [[0, GROUPS], [0, 0]], constant_values=padding)
    lengths = tf.reduce_sum(tf.cast(tf.not_equal(ids, padding), tf.int32), 1)
    order = tf.argsort(lengths, stable=True)  # stable: the order of sums must not depend on the machine
    ids, lengths = tf.gather(ids, order), tf.gather(lengths, order)
    bounds = [(words + GROUPS) * group // GROUPS for group in range(GROUPS + 1)]
    parts = [
        compute(ids[start:end, : tf.minimum(lengths[end - 1] + beyond, longest)])
        for start, end in itertools.pairwise(bounds)
    ]
    return tf.gather(tf.concat(parts, 0), tf.argsort(order, stable=True)[:words])
