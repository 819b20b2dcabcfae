"""Packing of sentences into rows, against bilm-tf's rule in plain Python."""

import itertools
from collections import Counter

import numpy as np
import packed_rows
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elmo_tf.data.row_packer import RowPacker

BEGIN, END = 0, 1


def numbered(lengths):
    """Sentences of so many words, every word another number, as int32 with their boundaries."""
    count = itertools.count(2)
    return [np.array([BEGIN, *itertools.islice(count, length), END], np.int32) for length in lengths]


def windows_of(packer, steps):
    """Windows as lists by row of `(token, next token)`, until nothing comes."""
    while True:
        inputs, targets, filled = packer.window(steps)
        assert inputs.shape == targets.shape == (len(filled), steps)
        assert inputs.dtype == targets.dtype == np.int32
        if not filled.any():
            return
        window = []
        for row, n in enumerate(filled):
            assert not inputs[row, n:].any()
            assert not targets[row, n:].any()
            window.append(list(zip(inputs[row, :n].tolist(), targets[row, :n].tolist(), strict=True)))
        yield window


LENGTHS = st.lists(st.integers(0, 9), max_size=25)


@settings(max_examples=150, deadline=None)
@given(lengths=LENGTHS, rows=st.integers(1, 5), steps=st.integers(1, 8))
def test_windows_are_those_of_bilm_tfs_rule(lengths, rows, steps):
    sentences = numbered(lengths)
    came = list(windows_of(RowPacker(iter(sentences), rows), steps))
    assert came == list(packed_rows.packed_rows([sentence.tolist() for sentence in sentences], rows, steps))


@settings(max_examples=100, deadline=None)
@given(lengths=LENGTHS, rows=st.integers(1, 5), steps=st.integers(1, 8))
def test_every_token_is_once_a_target_but_the_first_of_a_sentence_and_once_an_input_but_the_last(lengths, rows, steps):
    sentences = numbered(lengths)
    pairs = [pair for window in windows_of(RowPacker(iter(sentences), rows), steps) for row in window for pair in row]
    words = {number: 1 for sentence in sentences for number in sentence[1:-1].tolist()}
    assert Counter(target for _, target in pairs) == Counter({**words, END: len(lengths)})
    assert Counter(token for token, _ in pairs) == Counter({**words, BEGIN: len(lengths)})


@settings(max_examples=100, deadline=None)
@given(lengths=LENGTHS, rows=st.integers(1, 4), steps=st.integers(1, 6), before=st.integers(0, 6))
def test_the_tokens_left_in_the_rows_are_enough_to_resume_from(lengths, rows, steps, before):
    sentences = numbered(lengths)
    unread = iter(sentences)
    packer = RowPacker(unread, rows)
    for _ in range(before):
        packer.window(steps)
    whole = list(packed_rows.packed_rows([sentence.tolist() for sentence in sentences], rows, steps))
    assert list(windows_of(RowPacker(unread, rows, packer.left), steps)) == whole[before:]


def test_other_windows_of_the_same_packer_leave_those_that_came_before_alone():
    packer = RowPacker(iter(numbered([3, 3, 3, 3])), rows=2)
    inputs, targets, filled = packer.window(3)
    copies = inputs.copy(), targets.copy(), filled.copy()
    packer.window(3)
    for array, copy in zip((inputs, targets, filled), copies, strict=True):
        np.testing.assert_array_equal(array, copy)


def test_a_row_takes_its_sentence_only_when_it_needs_it():
    taken = []
    source = (taken.append(len(sentence)) or sentence for sentence in numbered([2, 2, 2, 2, 2]))
    packer = RowPacker(source, rows=2)
    packer.window(3)  # two sentences of two words fill two rows of three
    assert len(taken) == 2
    packer.window(3)
    assert len(taken) == 4
    packer.window(1)
    assert len(taken) == 5


@pytest.mark.parametrize(
    ("lengths", "rows", "steps", "filled"),
    [
        ([], 2, 3, [[0, 0]]),
        ([2, 2], 2, 3, [[3, 3], [0, 0]]),
        ([2], 2, 3, [[3, 0], [0, 0]]),
        ([4, 0], 2, 3, [[3, 1], [2, 0], [0, 0]]),
        ([0, 5, 0], 1, 4, [[4], [4], [0]]),
        ([7], 1, 3, [[3], [3], [2], [0]]),
    ],
)
def test_filled_counts_the_tokens_of_each_row_at_the_end(lengths, rows, steps, filled):
    packer = RowPacker(iter(numbered(lengths)), rows)
    assert [packer.window(steps).filled.tolist() for _ in filled] == filled
    assert packer.window(steps).filled.tolist() == [0] * rows
