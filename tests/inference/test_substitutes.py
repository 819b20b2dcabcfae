"""Substitutes are the words with the highest sum of both directions' log-probabilities, by NumPy."""

import numpy as np
import pytest
from inference_models import WORDS, log_softmax, made_model

from elmo_tf.data.characters import encode_words
from elmo_tf.inference import substitutes
from elmo_tf.inference.substitutes import SubstituteFinder

TOKENS = ["tar", "unheard", "kens", "zuv"]


@pytest.fixture(scope="module")
def model():
    return made_model()


def expected_numbers(model, tokens):
    """Log-probabilities `(2, n, V)` of every word in every place, forward and backward."""
    size = model.options.lstm.projection_dim
    ids = encode_words(["<S>", *tokens, "</S>"], model.options.char_cnn.max_characters_per_token)[None]
    top = np.asarray(model.bilm(ids)[0], np.float64)[0, -1]
    kernel, bias = (np.asarray(value, np.float64) for value in model.softmax_weights())
    return np.stack([log_softmax(top[:-2, :size] @ kernel.T + bias), log_softmax(top[2:, size:] @ kernel.T + bias)])


@pytest.mark.parametrize("chunk", [4, 18, 8192])
def test_the_best_words_and_their_numbers_are_those_of_numpy(model, monkeypatch, chunk):
    monkeypatch.setattr(substitutes, "CHUNK", chunk)
    numbers = expected_numbers(model, TOKENS)
    allowed = np.array([word not in ("<S>", "</S>", "<UNK>") for word in WORDS.words])
    for place, found in enumerate(SubstituteFinder(model, WORDS)(TOKENS, count=5)):
        total = np.where(allowed, numbers[:, place].sum(0), -np.inf)
        best = np.argsort(-total)[:5]
        assert [one.word for one in found] == [WORDS.words[word] for word in best]
        np.testing.assert_allclose([one.score for one in found], total[best], atol=5e-6)
        np.testing.assert_allclose([one.forward for one in found], numbers[0, place, best], atol=5e-6)
        np.testing.assert_allclose([one.backward for one in found], numbers[1, place, best], atol=5e-6)


def test_places_are_chosen_and_a_count_beyond_the_vocabulary_gives_all_words(model):
    find = SubstituteFinder(model, WORDS)
    everywhere, (one,) = find(TOKENS, count=3), find(TOKENS, count=3, places=[2])
    assert [substitute.word for substitute in one] == [substitute.word for substitute in everywhere[2]]
    assert {substitute.word for substitute in find(["tar"], count=1000)[0]} == set(WORDS.words[3:])
    assert find([]) == []


@pytest.mark.parametrize(("arguments", "message"), [({"count": 0}, "count: "), ({"places": [4]}, "places: ")])
def test_counts_and_places_that_cannot_be_are_refused(model, arguments, message):
    with pytest.raises(ValueError, match=message):
        SubstituteFinder(model, WORDS)(TOKENS, **arguments)


def test_a_forward_model_finds_substitutes_by_the_words_before_alone():
    found = SubstituteFinder(made_model(bidirectional=False), WORDS)(TOKENS, count=2)
    assert all(one.backward == 0.0 and one.score == one.forward for place in found for one in place)
