"""The convolutions of the token encoder: their maximum over a word, and words in groups of like length."""

import itertools
from collections.abc import Callable

import tensorflow as tf

TWENTIETHS = (0, 6, 11, 16, 19, 20)
"""Where the words, sorted by length, are cut into groups. Few words are long, so the last groups are small: of English
an eighth of all windows is padding. More groups waste less on padding, and more time on small operations."""

_FEW = 256
"""Words below which one group takes less time than several, where their number is known beforehand."""


def highest_window(characters: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """The maximum, over all windows of a word, of each filter: a valid convolution, and the maximum of its outputs.

    The convolution is one matrix product: oneDNN makes a new program for every shape that it has to convolve, and every
    batch has other words.

    Args:
        characters: embedded characters `(U, C, embedding_dim)`.
        kernel: `(width, embedding_dim, n)`, with `width <= C`.

    Returns:
        `(U, n)`. The gradient goes to the highest window; where several are equal each gets its share.
    """
    width, size, filters = kernel.shape
    windows = _windows(characters, width)
    outputs = tf.matmul(tf.reshape(windows, [-1, width * size]), tf.reshape(kernel, [width * size, filters]))
    return _maximum(tf.reshape(outputs, tf.stack([*tf.unstack(tf.shape(windows)[:2]), filters])))


def _windows(characters: tf.Tensor, width: int) -> tf.Tensor:
    """`(U, C, E)` -> `(U, C - width + 1, width * E)`, each window's characters behind one another."""
    size = characters.shape[2]

    @tf.custom_gradient
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


@tf.custom_gradient
def _maximum(windows: tf.Tensor) -> tuple[tf.Tensor, Callable[[tf.Tensor], tf.Tensor]]:
    """`(U, P, n)` -> `(U, n)`. TensorFlow's own gradient passes over all windows twice as often."""
    highest = tf.reduce_max(windows, 1)

    def gradient(d_highest: tf.Tensor) -> tf.Tensor:
        equal = tf.cast(tf.equal(windows, highest[:, None]), windows.dtype)
        return equal * (d_highest / tf.reduce_sum(equal, 1))[:, None]

    return highest, gradient


def in_groups_of_like_length(
    ids: tf.Tensor,
    padding: int,
    that_count: Callable[[tf.Tensor], tf.Tensor],
    compute: Callable[[tf.Tensor], tf.Tensor],
) -> tf.Tensor:
    """Calls `compute` on groups of words that differ little in length, each cut behind its longest word.

    Half of all distinct words of a window of English have up to six letters, the longest near twenty: without groups
    most windows of the convolutions are padding. Sizes depend on the words, which XLA does not allow.

    Args:
        ids: character ids `(U, C)`, each word's padding behind it.
        padding: the id of padding.
        that_count: the length of a group's longest word -> how many of the group's characters count.
        compute: ids `(u, c)` -> vectors `(u, n)`; further padding does not change them.

    Returns:
        `(U, n)`, in the order of `ids`.
    """
    words, longest = _size(ids, 0), _size(ids, 1)
    cuts = (0, TWENTIETHS[-1]) if isinstance(words, int) and words < _FEW else TWENTIETHS
    # as many words of padding as groups, so that every group has a longest word
    ids = tf.pad(ids, [[0, len(cuts) - 1], [0, 0]], constant_values=padding)
    lengths = tf.reduce_sum(tf.cast(tf.not_equal(ids, padding), tf.int32), 1)
    order = tf.argsort(lengths, stable=True)  # stable: the order of sums must not depend on the machine
    ids, lengths = tf.gather(ids, order), tf.gather(lengths, order)
    bounds = [group + words * part // TWENTIETHS[-1] for group, part in enumerate(cuts)]
    parts = [
        compute(ids[start:end, : tf.minimum(that_count(lengths[end - 1]), longest)])
        for start, end in itertools.pairwise(bounds)
    ]
    return tf.gather(tf.concat(parts, 0), tf.argsort(order, stable=True)[:words])


def _size(values: tf.Tensor, axis: int) -> int | tf.Tensor:
    """The size of an axis: a number where it is known, for arithmetic on tensors costs an operation each."""
    known = values.shape[axis]
    return tf.shape(values)[axis] if known is None else int(known)
