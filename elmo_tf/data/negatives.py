"""Negative samples of the sampled softmax.

They are drawn on the host as a function of (seed, step, direction), so that a resumed run and all replicas draw the
same ones.
"""

import math

import numpy as np

from elmo_tf.data.distinct import DistinctFinder


def draw_negatives(
    count: int, vocabulary_size: int, seed: int, step: int, direction: int = 0, finder: DistinctFinder | None = None
) -> tuple[np.ndarray, int]:
    """Draws distinct word ids log-uniformly: word k has the probability `log((k + 2) / (k + 1)) / log(V + 1)`.

    Frequent words, which stand first in a sorted vocabulary, are drawn more often. The distribution is that of
    TensorFlow's log-uniform candidate sampler, which bilm-tf uses.

    Args:
        count: how many ids, at most `vocabulary_size`.
        vocabulary_size: V.
        seed: the seed of the run.
        step: the training step.
        direction: 0 forward, 1 backward; each draws other ids.
        finder: finds distinct ids, for a caller who draws often; it takes V values at least.

    Returns:
        `(ids int32 (count,), tries)`: `tries` is the number of draws that it took, repeated ids included; the expected
        counts of the ids follow from it.

    Example:

    >>> ids, tries = draw_negatives(5, 1000, seed=1, step=0)
    >>> len(set(ids.tolist())), tries >= 5
    (5, True)
    """
    if count > vocabulary_size:
        raise ValueError(f"count: expected at most {vocabulary_size}, the words of the vocabulary, got {count}")
    random = np.random.Generator(np.random.Philox(np.random.SeedSequence([seed, step, direction])))
    scale = math.log(vocabulary_size + 1)
    finder = DistinctFinder(vocabulary_size) if finder is None else finder
    drawn = np.empty(0, np.int64)
    while True:
        more = np.exp(random.random(max(2 * count, len(drawn))) * scale).astype(np.int64) - 1
        drawn = np.concatenate([drawn, np.minimum(more, vocabulary_size - 1)])
        order = finder.first_positions(drawn)
        if len(order) >= count:
            return drawn[order[:count]].astype(np.int32), int(order[count - 1]) + 1


def negatives_of_step(
    directions: int, count: int, vocabulary_size: int, seed: int, step: int, finder: DistinctFinder | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Draws the negatives of a step for all directions.

    Args:
        directions: 1, or 2 with the backward direction.
        count: how many ids in each direction; 0 for none.
        vocabulary_size: V.
        seed: the seed of the run.
        step: the training step.
        finder: as for `draw_negatives`.

    Returns:
        `(ids int32 (directions, count), tries float32 (directions,))`.
    """
    if not count:
        return np.zeros((directions, 0), np.int32), np.ones(directions, np.float32)
    drawn = [draw_negatives(count, vocabulary_size, seed, step, d, finder) for d in range(directions)]
    return np.stack([ids for ids, _ in drawn]), np.array([tries for _, tries in drawn], np.float32)
