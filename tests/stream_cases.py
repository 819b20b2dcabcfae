"""What the tests of the language model's input share: options, and windows by bilm-tf's packing in plain Python."""

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
    """The bytes of a word's character ids, `<S>` and `</S>` by name."""
    ids = row[1 : row.tolist().index(END_WORD)].tolist()
    return {(256,): b"<S>", (257,): b"</S>"}.get(tuple(ids)) or bytes(ids)


def as_read(word, vocabulary, by_characters):
    """What `words_of` gives for a word."""
    if not by_characters:
        return vocabulary[word]
    return word.encode() if word in ("<S>", "</S>") else word.encode()[: LONGEST - 2]


def words_of(window):
    """The input's words `(directions, B, T)`: bytes, or ids with word input."""
    words = window.words if window.words.ndim == 1 else np.array([spelled(row) for row in window.words], object)
    return words[window.inputs]


def expected_windows(sentences, direction, rows, steps, vocabulary, by_characters):
    """By window and row, pairs of a word as `words_of` has it and the id of the next one."""
    bounded = (packed_rows.with_boundaries(words, direction == 1) for words in sentences)
    for window in packed_rows.packed_rows(bounded, rows, steps):
        yield [[(as_read(x, vocabulary, by_characters), vocabulary[y]) for x, y in row] for row in window]


def pairs_of(window, direction):
    """By row, pairs of a word and the id of the next one."""
    words = words_of(window)[direction]
    return [
        list(zip(*both, strict=True)) for both in zip(words.tolist(), window.targets[direction].tolist(), strict=True)
    ]


INPUTS = pytest.mark.parametrize("by_characters", [True, False], ids=["characters", "word ids"])
