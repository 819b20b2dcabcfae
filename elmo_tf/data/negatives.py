"""Negatives of the sampled softmax: drawn on the host as a function of (seed, step, direction), so that a resumed run
and every replica draw the same."""

import math

import numpy as np

from elmo_tf.data.distinct import first_places


def draw_negatives(
    count: int, vocabulary_size: int, seed: int, step: int, direction: int = 0
) -> tuple[np.ndarray, int]:
    """Distinct word ids, log-uniformly drawn: word k comes with probability `log((k + 2) / (k + 1)) / log(V + 1)`.

    Frequent words, which stand first in a sorted vocabulary, are drawn more often. The distribution is that of
    TensorFlow's log-uniform candidate sampler, which bilm-tf uses.

    Args:
        count: how many ids, at most `vocabulary_size`.
        vocabulary_size: V.
        seed: the run's.
        step: the training step.
        direction: 0 forward, 1 backward; they have samples of their own.

    Returns:
        `(ids int32 (count,), tries)`: `tries` is the number of draws it took, repeated ones included, from which
        the expected counts follow.

    Example:

    >>> ids, tries = draw_negatives(5, 1000, seed=1, step=0)
    >>> len(set(ids.tolist())), tries >= 5
    (5, True)
    """
    if count > vocabulary_size:
        raise ValueError(f"count: expected at most {vocabulary_size}, the words of the vocabulary, got {count}")
    random = np.random.Generator(np.random.Philox(np.random.SeedSequence([seed, step, direction])))
    scale = math.log(vocabulary_size + 1)
    drawn = np.empty(0, np.int64)
    while True:
        more = np.exp(random.random(max(2 * count, len(drawn))) * scale).astype(np.int64) - 1
        drawn = np.concatenate([drawn, np.minimum(more, vocabulary_size - 1)])
        order = first_places(drawn)
        if len(order) >= count:
            return drawn[order[:count]].astype(np.int32), int(order[count - 1]) + 1
