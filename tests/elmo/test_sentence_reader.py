"""The table of cached words of `ElmoLayer`, and its warning of batches of sentences that are not split into tokens."""

import warnings

import elmo_cases
import keras
import numpy as np
import pytest
import tensorflow as tf
from elmo_cases import SENTENCES, ids_of, padded
from model_cases import CHARACTERS
from model_folders import trained_folder

from elmo_tf.elmo.elmo_layer import ElmoLayer

TOKENS = padded(SENTENCES)


def is_equal(came, expected, tolerance=5e-6):
    np.testing.assert_allclose(came, expected, rtol=0, atol=tolerance)


@pytest.mark.parametrize("output", ["mix", "all"])
def test_cached_words_have_the_vectors_of_others(output):
    cached = elmo_cases.layer(output=output, vocab_to_cache=["The", "cat", "日本", "x" * 30, "never", "cat"])
    plain = elmo_cases.layer(output=output)
    for tokens in (TOKENS, padded([["The", "cat"]]), padded([["else"]]), padded([[]], 3)):
        for call in (cached, tf.function(cached)):
            is_equal(call(tokens), plain(tokens), 1e-6)
    is_equal(cached(ids_of(TOKENS)), plain(TOKENS), 1e-6)


def test_a_cached_word_is_not_encoded_again(encoded):
    made = elmo_cases.layer(vocab_to_cache=["The", "cat"])
    encoded.clear()
    made(padded([["The", "dog", "cat", "dog"]]))
    made(padded([["The", "cat"]]))
    assert encoded == [1, 0]


def test_a_cache_is_filled_anew_on_demand_and_never_trained():
    made = elmo_cases.layer(vocab_to_cache=["The"])
    made.bilm.set_weights([weight * 0.5 for weight in made.bilm.get_weights()])
    plain = ElmoLayer(CHARACTERS)
    plain.build(None)
    plain.bilm.set_weights(made.bilm.get_weights())
    plain.mixes[0].set_weights(made.mixes[0].get_weights())
    assert np.abs(made(TOKENS) - plain(TOKENS)).max() > 1e-3
    made.refresh_cache()
    is_equal(made(TOKENS), plain(TOKENS), 1e-6)
    made.bilm.trainable = True
    with pytest.raises(ValueError, match="vocab_to_cache: expected None where the biLM is trained"):
        made(TOKENS)


def test_a_layer_made_by_hand_fills_its_cache_when_it_is_built():
    made = ElmoLayer(CHARACTERS, vocab_to_cache=["The"])
    came, plain = made(TOKENS), ElmoLayer(CHARACTERS)
    plain.build(None)
    plain.bilm.set_weights(made.bilm.get_weights())
    is_equal(came, plain(TOKENS), 1e-6)


def test_words_to_cache_come_from_a_file(tmp_path):
    trained_folder(tmp_path / "model")
    (tmp_path / "words.txt").write_text("the\n\n øl \n", encoding="utf-8")
    cached = ElmoLayer.from_pretrained(tmp_path / "model", vocab_to_cache=tmp_path / "words.txt")
    assert cached.words.cache.words == ("<S>", "</S>", "the", "øl")
    tokens = padded([["the", "øl", "new"]])
    is_equal(cached(tokens), ElmoLayer.from_pretrained(tmp_path / "model")(tokens), 1e-6)


WARNING = "inputs: every token of the batch holds a space"


@pytest.mark.parametrize(
    "batch",
    [
        [["the cat sat on the mat"]],
        [["the cat\nsat", ""], ["", "a dog"]],
        (("The cat",), ("A dog", "a cat")),
        np.array([["the cat sat"], [""]], dtype=object),
        tf.constant([["日本 the"]]),
        tf.ragged.constant([["the cat"], [], ["a dog", "b c"]]),
    ],
    ids=str,
)
def test_a_batch_in_which_every_token_holds_a_space_is_warned_of_once(batch):
    made = elmo_cases.layer()
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        made(batch)
        made(batch)
    assert [str(one.message)[: len(WARNING)] for one in found] == [WARNING]
    assert found[0].filename == __file__


@pytest.mark.parametrize(
    "batch", [SENTENCES, [["New York", "is"]], [[""]], [[], []], [[" ", "a "]], ids_of(TOKENS)], ids=str
)
def test_other_batches_are_not_warned_of(batch):
    made = elmo_cases.layer()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        made(batch)
        made(keras.Input((None,), dtype="string"))
        tf.function(made)(tf.constant([["the cat sat"]]))
