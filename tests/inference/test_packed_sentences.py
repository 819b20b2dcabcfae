"""Sentences packed step by step: every token is read once, in its direction, and its vector goes back to its place."""

import numpy as np
import pytest

from elmo_tf.inference.packed_sentences import pack


def read_one_by_one(lengths, backward):
    """The tokens of step 0 of all sentences, the longest first, then of step 1 of those that have one, and so on."""
    ends = np.cumsum(lengths)
    order = sorted(range(len(lengths)), key=lambda number: -lengths[number])
    sentences = [list(range(ends[number] - lengths[number], ends[number])) for number in order]
    read = [sentence[::-1] if backward else sentence for sentence in sentences]
    return [[sentence[step] for sentence in read if step < len(sentence)] for step in range(max(lengths))]


@pytest.mark.parametrize("lengths", [[2], [2, 3], [5, 2, 2, 9, 5, 3], [4, 4, 4]])
def test_every_step_reads_its_tokens_longest_sentence_first(lengths):
    packed = pack(lengths)
    for backward, (places, tokens) in enumerate(zip(packed.places, packed.tokens, strict=True)):
        steps = read_one_by_one(lengths, backward)
        assert tokens.tolist() == [token for step in steps for token in step]
        assert packed.starts.tolist() == np.cumsum([0, *map(len, steps)]).tolist()
        np.testing.assert_array_equal(tokens[places], np.arange(sum(lengths)))
        assert (places.dtype, tokens.dtype, packed.starts.dtype) == (np.int32, np.int32, np.int32)


def test_one_direction_is_packed_once():
    assert [len(orders) for orders in pack([3, 2], directions=1)[1:]] == [1, 1]
