"""Options and expected windows for the tests of the language model's input; the windows follow bilm-tf's packing."""

import numpy as np
import packed_rows
import pytest

from elmo_tf.data.characters import END_WORD
from elmo_tf.options import CharCnnOptions, LstmOptions, Options, TrainingOptions

LONGEST = 12  # so that some words of the real texts are cut


def options_of(by_characters=True, bidirectional=True, steps=5):
    char_cnn = CharCnnOptions(((1, 2), (3, 2)), max_characters_per_token=LONGEST)
    return Options(
        LstmOptions(8, 4),
        char_cnn if by_characters else None,
        bidirectional=bidirectional,
        training=TrainingOptions(unroll_steps=steps),
    )


def spelled(row):
    """Turns the character ids of a word into bytes; `<S>` and `</S>` become their names."""
    ids = row[1 : row.tolist().index(END_WORD)].tolist()
    return {(256,): b"<S>", (257,): b"</S>"}.get(tuple(ids)) or bytes(ids)


def as_read(word, vocabulary, by_characters):
    """The value that `words_of` returns for a word: its bytes, cut to length, or its id."""
    if not by_characters:
        return vocabulary[word]
    return word.encode() if word in ("<S>", "</S>") else word.encode()[: LONGEST - 2]


def words_of(window):
    """The words of a window's input, `(directions, B, T)`: bytes, or ids with word input."""
    words = window.words if window.words.ndim == 1 else np.array([spelled(row) for row in window.words], object)
    return words[window.inputs]


def expected_windows(sentences, direction, rows, steps, vocabulary, by_characters):
    """Yields windows: for each row, the pairs of a word, as `words_of` returns it, and the id of the next word."""
    bounded = (packed_rows.with_boundaries(words, direction == 1) for words in sentences)
    for window in packed_rows.packed_rows(bounded, rows, steps):
        yield [[(as_read(x, vocabulary, by_characters), vocabulary[y]) for x, y in row] for row in window]


def pairs_of(window, direction):
    """For each row of a window, the pairs of a word and the id of the next word."""
    words = words_of(window)[direction]
    return [
        list(zip(*both, strict=True)) for both in zip(words.tolist(), window.targets[direction].tolist(), strict=True)
    ]


def are_equal(steps, others):
    """Whether two lists of steps are the same numbers in the same places."""
    for step, other in zip(steps, others, strict=True):
        for array, same in zip(arrays_of(step), arrays_of(other), strict=True):
            assert array.dtype == same.dtype
            np.testing.assert_array_equal(array, same)


def arrays_of(step):
    """The arrays of a step in order."""
    return [step.negatives, step.tries, *(array for window in step.windows for array in window)]


INPUTS = pytest.mark.parametrize("by_characters", [True, False], ids=["characters", "word ids"])
