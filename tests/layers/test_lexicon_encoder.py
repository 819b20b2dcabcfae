"""The token encoder by lexicons: its values, which entries a word has, and how words are cut."""

import manylangs_models
import numpy as np
import pytest
import tensorflow as tf
from layer_harness import check_layer, randomise_weights
from manylangs_models import CHARACTERS, WORDS

from elmo_tf.layers import LexiconEncoder

TOKENS = [word for sentence in manylangs_models.SENTENCES for word in sentence] + ["<bos>", ""]
ALL = {
    "projection_dim": 6,
    "words": list(WORDS),
    "word_dim": 5,
    "characters": list(CHARACTERS),
    "char_dim": 4,
    "filters": [[1, 3], [2, 4], [4, 5]],
    "n_highway": 2,
    "max_characters": 9,
}
WORDS_ALONE = {"projection_dim": 6, "words": list(WORDS), "word_dim": 5}
CHARACTERS_ALONE = ALL | {"words": None, "word_dim": 0, "activation": "tanh", "n_highway": 0}
CASES = {"all": (ALL, 2 + 6 + 8 + 2), "words": (WORDS_ALONE, 3), "characters": (CHARACTERS_ALONE, 1 + 6 + 2)}


@pytest.fixture(scope="module")
def encoder():
    """The encoder with both lexicons, and random weights in float64."""
    layer = LexiconEncoder(**ALL, dtype="float64")
    layer.build(None)
    return randomise_weights(layer)


@pytest.mark.parametrize("case", CASES)
def test_the_encoder_keeps_what_keras_asks_of_a_layer(case, tmp_path):
    config, n_weights = CASES[case]
    inputs = np.array(TOKENS[:6], object).reshape(2, 3)
    check_layer(LexiconEncoder, config, inputs, n_weights=n_weights, tmp_path=tmp_path)


def spelled(*words):
    """The rows of words by the rule: begin, characters, end, padding."""
    found = []
    for word in words:
        inside = [word] if word in ("<bos>", "<eos>") else list(word[:7])
        entries = ["<eow>", *(entry if entry in CHARACTERS else "<oov>" for entry in inside), "<bow>"]
        found.append([CHARACTERS.index(entry) for entry in entries + ["<pad>"] * (9 - len(entries))])
    return found


def test_characters_stand_between_the_begin_and_the_end_of_the_word(encoder):
    """Code points count, not bytes; a word is cut at 9 with its begin and end; `<bos>` is one character."""
    words = ["", "le", "été猫🙂", "longues", "longuesses", "x" * 40, "<bos>", "<eos>", "<oov>", "\u3000"]
    cut = tf.strings.substr(words, 0, 7, unit="UTF8_CHAR")
    np.testing.assert_array_equal(encoder.spell(cut), spelled(*words))


def test_a_word_that_is_cut_is_looked_up_as_it_is_cut(encoder):
    long, short, other = encoder(tf.constant(["longuesses", "longues", "longuet"])).numpy()
    np.testing.assert_array_equal(long, short)
    assert np.abs(long - other).max() > 1e-3


def test_case_counts_and_unknown_words_share_a_row():
    layer = randomise_weights(built(WORDS_ALONE))
    chat, upper, unknown, other, oov = layer(tf.constant(["chat", "Chat", "CHAT", "dog", "<oov>"])).numpy()
    assert np.abs(chat - upper).max() > 1e-3
    np.testing.assert_array_equal(unknown, oov)
    np.testing.assert_array_equal(other, oov)


def built(config):
    layer = LexiconEncoder(**config)
    layer.build(None)
    return layer


def test_any_number_of_dimensions_is_read_and_many_words_give_what_each_gives_alone(encoder):
    """Many words go through the CNN in buckets of like length."""
    words = np.array([f"{'le' * (number % 5)}{number}" for number in range(300)])
    together = encoder(tf.constant(words.reshape(3, 100))).numpy().reshape(300, 6)
    for place in range(0, 300, 37):
        np.testing.assert_allclose(encoder(tf.constant(words[place])), together[place], rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"words": None, "characters": None}, "expected one of them or both, got none"),
        ({"words": ["<oov>", "a"]}, "words: expected <oov>, <pad> among them; <pad> is missing"),
        ({"words": ["<oov>", "<pad>", "a", "a"]}, "words: expected every one once, got 1 of them again"),
        ({"characters": ["a", "<oov>"]}, "characters: expected <bos>, .* <bos> is missing"),
        ({"activation": "gelu"}, "activation: expected one of"),
        ({"filters": []}, "filters, max_characters: expected at least one filter"),
        ({"filters": [[10, 2]]}, "the widest filter, got .* and 9"),
        ({"max_characters": None}, "filters, max_characters: .* and None"),
        ({"max_characters": 2, "filters": [[1, 2]]}, "filters, max_characters: .* and 2"),
    ],
)
def test_arguments_that_make_no_encoder_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        LexiconEncoder(**ALL | changes)
