"""Scores are the log-probabilities of a NumPy softmax over the biLM's outputs, and sum to what `Evaluator` says."""

import numpy as np
import pytest
from inference_models import WORDS, log_softmax, made_model

from elmo_tf.data.characters import encode_words
from elmo_tf.data.corpus import Corpus
from elmo_tf.data.vocabulary import Vocabulary
from elmo_tf.errors import InputError
from elmo_tf.inference.evaluator import Evaluator
from elmo_tf.inference.scorer import Scorer

SENTENCES = [["tar", "kens", "unheard", "zuv"], [], ["molr"] * 9, ["tar"], ["zuv", "kens", "tar"]]


@pytest.fixture(scope="module")
def model():
    return made_model()


@pytest.fixture(scope="module")
def score(model):
    return Scorer(model, WORDS)


def expected_scores(model, tokens):
    """By NumPy, from the top layer of the same sentence with its boundaries."""
    size = model.options.lstm.projection_dim
    ids = encode_words(["<S>", *tokens, "</S>"], model.options.char_cnn.max_characters_per_token)[None]
    layers = np.asarray(model.bilm(ids)[0], np.float64)[0, -1]
    kernel, bias = (np.asarray(value, np.float64) for value in model.softmax_weights())
    forward = log_softmax(layers[:-1, :size] @ kernel.T + bias)
    backward = log_softmax(layers[1:, size:] @ kernel.T + bias)
    numbers = [WORDS[word] for word in ("<S>", *tokens, "</S>")]
    places = range(len(tokens) + 1)
    return [forward[p, numbers[p + 1]] for p in places], [backward[p, numbers[p]] for p in places]


def test_every_prediction_has_the_log_probability_of_a_numpy_softmax(model, score):
    for tokens, found in zip(SENTENCES, score(SENTENCES), strict=True):
        forward, backward = expected_scores(model, tokens)
        np.testing.assert_allclose(found.forward, forward, atol=2e-6)
        np.testing.assert_allclose(found.backward, backward, atol=2e-6)
        assert found.tokens == tuple(tokens)
        assert found.unknown.tolist() == [word not in WORDS for word in tokens]


@pytest.mark.parametrize("batch_tokens", [1, 12, 4096])
def test_batches_do_not_matter_and_the_order_is_that_of_the_input(score, monkeypatch, batch_tokens):
    alone = [next(score([tokens])) for tokens in SENTENCES]
    monkeypatch.setattr(score, "_batch_tokens", batch_tokens)
    together = list(score(SENTENCES))
    for one, other in zip(alone, together, strict=True):
        assert one.tokens == other.tokens
        np.testing.assert_allclose(one.forward, other.forward, atol=2e-6)
        np.testing.assert_allclose(one.backward, other.backward, atol=2e-6)


def test_the_sums_are_those_of_the_evaluator_from_fresh_states(model, score, tmp_path):
    sentences = [[*WORDS.words[k : k + 8], "unheard"] for k in range(3, 7)]
    (tmp_path / "held.txt").write_text("\n".join(map(" ".join, sentences)) + "\n")
    # one window of a row a sentence, all of one length: every sentence starts from the zero state
    result = Evaluator(model, Corpus.scan([str(tmp_path / "held.txt")]), WORDS, len(sentences), 10)()
    scores = list(score(sentences))
    assert result.tokens == sum(one.predictions for one in scores)
    assert result.unknown == sum(one.unknown.sum() for one in scores)
    totals = [sum(s.log_probability_forward for s in scores), sum(s.log_probability_backward for s in scores)]
    np.testing.assert_allclose(result.totals, [-total for total in totals], rtol=1e-5)


def test_sentences_are_read_lazily(score):
    read = []

    def endless():
        while True:
            read.append(1)
            yield ["tar"]

    assert next(score(endless())).tokens == ("tar",)
    assert len(read) <= 1024


def test_a_forward_model_has_no_backward_numbers():
    (found,) = Scorer(made_model(bidirectional=False), WORDS)([["tar", "kens"]])
    assert found.backward is None
    assert found.log_probability == found.log_probability_forward
    assert found.perplexity == found.perplexity_forward
    assert not [name for name in found.to_dict() if "backward" in name]


def test_what_is_no_list_of_tokens_is_refused(score):
    for wrong in ("a text", ["a text"], [["a", None]]):
        with pytest.raises(ValueError, match="sentences: expected lists of tokens"):
            list(score(wrong))


def test_a_vocabulary_of_another_size_is_refused(model):
    with pytest.raises(InputError, match=r"vocabulary: expected the 18 words of the model, got 4"):
        Scorer(model, Vocabulary(("<S>", "</S>", "<UNK>", "a")))
