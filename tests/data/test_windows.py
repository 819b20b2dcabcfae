"""The distinct words and places of a window make up the packed rows again."""

import math

import numpy as np
import oracle
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elmo_tf.data.characters import PADDING, encode_words
from elmo_tf.data.sentences import WordNumbers
from elmo_tf.data.vocabulary import Vocabulary
from elmo_tf.data.windows import WindowMaker
from elmo_tf.options import CharCnnOptions, LstmOptions, Options

VOCABULARY = Vocabulary(("a", "<S>", "b", "<UNK>", "</S>", "cd"))
WORDS = ["a", "b", "cd", "<S>", "</S>", "<UNK>", "zebra", "øl", "日本語", "x" * 60, "🤘🤘"]


def options(by_characters, longest=50, widths=(1, 3)):
    char_cnn = CharCnnOptions(tuple((width, 2) for width in widths), max_characters_per_token=longest)
    return Options(LstmOptions(8, 4), char_cnn if by_characters else None)


def window_of(rows, next_rows, the_options):
    """The window of words `(directions, B, T)`, as lists, and the numbers it was made with."""
    numbers = WordNumbers(VOCABULARY, the_options.char_cnn is not None)
    inputs, targets = (
        [np.array([[numbers[word] for word in row] for row in direction], np.int32) for direction in part]
        for part in (rows, next_rows)
    )
    return WindowMaker(numbers, the_options)(inputs, targets)


@st.composite
def row_pairs(draw):
    """Words of inputs and targets, `(directions, B, T)` each."""
    shape = draw(st.tuples(st.integers(1, 2), st.integers(1, 3), st.integers(1, 4)))
    size = 2 * math.prod(shape)
    words = draw(st.lists(st.sampled_from(WORDS), min_size=size, max_size=size))
    return np.array(words, object).reshape(2, *shape).tolist()


@settings(max_examples=100, deadline=None)
@given(pair=row_pairs(), longest=st.sampled_from([5, 12, 50]), widths=st.sampled_from([(1,), (5, 2), (1, 2, 3)]))
def test_the_distinct_words_at_their_positions_are_the_characters_of_the_rows(pair, longest, widths):
    inputs, targets = pair
    window = window_of(inputs, targets, options(True, longest, widths))
    rows = np.array(inputs, object)
    assert window.words.dtype == window.inputs.dtype == np.int32
    assert window.inputs.shape == rows.shape
    assert len(window.words) == len(set(rows.ravel()))  # each word once
    width = window.words.shape[1]
    whole = encode_words(rows.ravel().tolist(), longest)
    np.testing.assert_array_equal(window.words[window.inputs].reshape(-1, width), whole[:, :width])
    assert (whole[:, width:] == PADDING).all()


@settings(max_examples=100, deadline=None)
@given(pair=row_pairs())
def test_word_input_gives_ids_and_unknown_for_the_rest(pair):
    inputs, targets = pair
    window = window_of(inputs, targets, options(False))
    assert window.words.ndim == 1
    assert window.words.dtype == np.int32
    assert len(set(window.words.tolist())) == len(window.words)
    np.testing.assert_array_equal(window.words[window.inputs], np.vectorize(VOCABULARY.__getitem__)(inputs))


@settings(max_examples=100, deadline=None)
@given(pair=row_pairs(), by_characters=st.booleans())
def test_targets_are_ids_and_unknown_for_words_outside_the_vocabulary(pair, by_characters):
    inputs, targets = pair
    window = window_of(inputs, targets, options(by_characters))
    assert window.targets.dtype == np.int32
    np.testing.assert_array_equal(window.targets, np.vectorize(VOCABULARY.__getitem__)(targets))


def test_an_unknown_word_keeps_its_characters_and_its_target_is_unknown():
    window = window_of([[["zebra", "yak"]]], [[["yak", "zebra"]]], options(True))
    assert window.targets.tolist() == [[[3, 3]]]
    spelled = oracle.character_rows(["zebra", "yak"], 50)[:, : window.words.shape[1]]
    np.testing.assert_array_equal(window.words[window.inputs[0, 0]], spelled)


@pytest.mark.parametrize(
    ("words", "longest", "widths", "columns"),
    [
        (["a", "b"], 50, (1, 3), 1 + 2 + 3),
        (["a", "zebra"], 50, (1, 7, 2), 5 + 2 + 7),
        (["日本", "zebra"], 50, (1,), 6 + 2 + 1),  # bytes count, not letters
        (["a", "x" * 60], 50, (1, 3), 50),
        (["zebra"], 9, (3,), 9),
        (["zebra"], 6, (3,), 6),
    ],
)
def test_columns_reach_to_the_longest_word_and_one_window_of_the_widest_filter(words, longest, widths, columns):
    window = window_of([[words]], [[words]], options(True, longest, widths))
    assert window.words.shape[1] == columns


@pytest.mark.parametrize("by_characters", [False, True])
def test_a_row_begins_with_a_sentence_where_its_first_token_is_the_boundary_its_direction_reads_first(by_characters):
    forward = [["<S>", "a"], ["a", "<S>"], ["</S>", "a"], ["zebra", "</S>"]]
    backward = [["</S>", "a"], ["a", "</S>"], ["<S>", "a"], ["zebra", "<S>"]]
    window = window_of([forward, backward], [forward, backward], options(by_characters))
    assert window.begins.dtype == np.bool_
    assert window.begins.tolist() == [[True, False, False, False], [True, False, False, False]]
    alone = window_of([forward], [forward], options(by_characters))
    assert alone.begins.tolist() == [[True, False, False, False]]
