"""Sentences packed step by step, so that the biLM computes nothing for padding."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from elmo_tf.models.bilm import BiLM


class PackedSentences(NamedTuple):
    """The order in which the biLM reads N tokens of some sentences, their boundaries included.

    The N tokens lie one sentence after the other. Packed, they lie one step after the other, the longest sentence first
    in every step: see `elmo_tf.layers.packed_recurrence`.

    Args:
        starts: int32 `(T + 1,)`: where each step begins in the packed order, and at last N.
        places: for each direction int32 `(N,)`: the place of every token in the packed order.
        tokens: for each direction int32 `(N,)`: the token at every place of the packed order.
    """

    starts: np.ndarray
    places: tuple[np.ndarray, ...]
    tokens: tuple[np.ndarray, ...]


def pack(lengths: Sequence[int], directions: int = 2) -> PackedSentences:
    """Packs sentences by their numbers of tokens, boundaries included, so that each is at least 2.

    Example: a sentence of two tokens, A B, and one of three, a b c. The forward direction reads aA bB c, the backward
    direction cB bA a.

    >>> packed = pack([2, 3])
    >>> packed.starts.tolist(), [tokens.tolist() for tokens in packed.tokens]
    ([0, 2, 4, 5], [[2, 0, 3, 1, 4], [4, 1, 3, 0, 2]])
    """
    counts = np.asarray(lengths, np.int64)
    rank = np.empty_like(counts)
    rank[np.argsort(-counts, kind="stable")] = np.arange(len(counts))
    rows = len(counts) - np.cumsum(np.bincount(counts))[:-1]  # the sentences that have a step 0, a step 1, ...
    starts = np.concatenate([[0], np.cumsum(rows)])
    first = np.repeat(np.cumsum(counts) - counts, counts)
    from_left = np.arange(len(first)) - first
    from_right = np.repeat(counts, counts) - 1 - from_left
    places = [starts[step] + np.repeat(rank, counts) for step in (from_left, from_right)[:directions]]
    tokens = []
    for own in places:
        inverse = np.empty_like(own)
        inverse[own] = np.arange(len(own))
        tokens.append(inverse.astype(np.int32))
    return PackedSentences(starts.astype(np.int32), tuple(own.astype(np.int32) for own in places), tuple(tokens))


def packed_signature(directions: int) -> Any:
    """The types and shapes of a `PackedSentences`, for `tf.function`."""
    numbers = tf.TensorSpec([None], tf.int32)
    return PackedSentences(numbers, (numbers,) * directions, (numbers,) * directions)


def contextualize_packed(
    bilm: BiLM, vectors: tf.Tensor, index: tf.Tensor, packed: PackedSentences
) -> tuple[tf.Tensor, ...]:
    """Contextualizes sentences from zero states, without padding and without a backward pass.

    Args:
        bilm: the model.
        vectors: the vectors `(U, D)` of U distinct words.
        index: int32 `(N,)`: for each token, including the boundaries, the row of its word in `vectors`.
        packed: the order in which they are read.

    Returns:
        The L + 1 layers, `(N, directions * D)` each, with the values of `read_sentences`.
    """
    layers = [[tf.gather(vectors, index)] * len(bilm.stacks)]
    by_direction = [
        [
            tf.gather(output, places)
            for output in stack.read_packed(tf.gather(vectors, tf.gather(index, tokens)), packed.starts)
        ]
        for stack, places, tokens in zip(bilm.stacks, packed.places, packed.tokens, strict=True)
    ]
    layers += [list(outputs) for outputs in zip(*by_direction, strict=True)]
    return tuple(tf.concat(outputs, 1) for outputs in layers)
