"""Exact perplexity: every token once, against the plain softmax and against bilm-tf's own figures."""

import json
import math

import numpy as np
import pytest
import tiny
from tf1 import tf1_weights
from training_runs import ONE_LAYER, REGULARISED

from elmo_tf.data.corpus import Corpus
from elmo_tf.data.vocabulary import Vocabulary
from elmo_tf.data.word_counts import build_vocabulary, count_corpus
from elmo_tf.errors import InputError
from elmo_tf.inference.evaluator import Evaluator, Perplexity
from elmo_tf.models.language_model import LanguageModel
from elmo_tf.models.weight_names import named_variables
from elmo_tf.options import Options


@pytest.fixture
def text(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text("\n".join(tiny.sentences(23)) + "\n")
    return Corpus.scan([str(path)]), build_vocabulary(count_corpus([str(path)])[0])


def model_for(vocabulary, **changes):
    model = LanguageModel(tiny.options(n_tokens_vocab=len(vocabulary), **changes))
    model.build()
    return model


@pytest.mark.parametrize("rows", [1, 4, 100])
def test_every_token_is_scored_once_whatever_the_rows(text, rows):
    corpus, vocabulary = text
    assert Evaluator(model_for(vocabulary), corpus, vocabulary, rows)().tokens == corpus.predictions


@pytest.mark.parametrize("bidirectional", [True, False])
def test_an_untrained_softmax_of_zeros_has_the_perplexity_of_the_vocabulary(text, bidirectional):
    corpus, vocabulary = text
    model = model_for(vocabulary, bidirectional=bidirectional)
    model.softmax.kernel.assign(np.zeros(model.softmax.kernel.shape))
    found = Evaluator(model, corpus, vocabulary, 4)()
    assert found.forward == pytest.approx(len(vocabulary), rel=1e-5)
    assert (found.backward is None) is not bidirectional
    assert ("perplexity_backward" in found.to_dict()) is bidirectional


def test_an_evaluation_drops_nothing_and_has_no_penalties(text):
    corpus, vocabulary = text
    small = {"char_cnn": None, "lstm": ONE_LAYER, "bidirectional": False}
    plain = model_for(vocabulary, dropout=0.0, **small)
    regularised = model_for(vocabulary, dropout=0.5, word_dropout=0.5, **REGULARISED, **small)
    regularised.set_weights(plain.get_weights())
    found, expected = (Evaluator(model, corpus, vocabulary, 4)() for model in (regularised, plain))
    np.testing.assert_array_equal(found.totals, expected.totals)


class Share:
    """One of several processes, which all have gathered the same vectors before."""

    def __init__(self, rows, vectors):
        self.rows, self.vectors = rows, vectors

    def own_rows(self, rows):
        return self.rows

    def gather(self, values):
        self.vectors.append(values)
        return np.stack(self.vectors)


def test_processes_that_share_the_rows_find_the_perplexity_of_one(text):
    corpus, vocabulary = text
    model, vectors, windows = model_for(vocabulary), [], []
    whole = Evaluator(model, corpus, vocabulary, 5)()
    for rows in (range(2), range(2, 2), range(2, 5)):
        counted = []
        found = Evaluator(model, corpus, vocabulary, 5, helpers=Share(rows, vectors))(counted.append)
        windows.append(len(counted))
        assert (found.tokens == whole.tokens) is (rows == range(2, 5))
    assert (found.tokens, found.unknown) == (whole.tokens, whole.unknown)
    np.testing.assert_allclose(found.totals, whole.totals, rtol=1e-6)
    assert len(set(windows)) == 1


def test_the_number_of_steps_at_a_time_does_not_matter_to_one_row(text):
    corpus, vocabulary = text
    model = model_for(vocabulary)
    few, many = (Evaluator(model, corpus, vocabulary, 1, steps)().totals for steps in (1, 7))
    np.testing.assert_allclose(few, many, rtol=1e-5)


def test_one_row_equals_the_sum_over_the_text_read_in_one_go(text):
    corpus, vocabulary = text
    model = model_for(vocabulary)
    evaluator = Evaluator(model, corpus, vocabulary, batch_size=1, unroll_steps=corpus.predictions)
    (window, mask), *rest = evaluator.windows()
    assert not rest
    assert mask.all()
    entropies, _ = model(window.words, window.inputs, window.targets)
    np.testing.assert_allclose(evaluator().totals, entropies.numpy().sum((1, 2)), rtol=1e-5)


def test_a_blank_line_that_counts_is_one_prediction_after_the_begin_of_a_sentence(tmp_path):
    (tmp_path / "text.txt").write_text("\na b\n\n")
    vocabulary = Vocabulary(["<S>", "</S>", "<UNK>", "a", "b"])
    corpus = Corpus.scan([str(tmp_path / "text.txt")], blank_lines=True)
    (window, mask), *rest = Evaluator(model_for(vocabulary), corpus, vocabulary, batch_size=1, unroll_steps=5).windows()
    assert not rest
    assert mask.all()
    assert window.targets[:, 0].tolist() == [[1, 3, 4, 1, 1], [0, 4, 3, 0, 0]]


def test_means_are_those_of_the_definition():
    result = Perplexity(10, (10 * math.log(4.0), 10 * math.log(16.0)))
    assert result.mean == pytest.approx(10.0)
    assert result.geometric == pytest.approx(8.0)
    assert set(result.to_dict()) >= {
        "tokens", "perplexity_forward", "perplexity_backward", "perplexity", "perplexity_geometric",
    }  # fmt: skip


def test_words_outside_the_vocabulary_are_counted(text):
    corpus, vocabulary = text
    smaller = Vocabulary(vocabulary.words[:10])
    words = [word for line in tiny.sentences(23) for word in line.split()]
    found = Evaluator(model_for(smaller), corpus, smaller, 4)()
    assert found.unknown == sum(word not in smaller.ids for word in words) > 0
    assert found.to_dict()["unknown_tokens"] == found.unknown


@pytest.mark.parametrize("bias", [np.nan, 1e4])
def test_losses_that_are_not_finite_or_absurd_are_an_error(text, bias):
    corpus, vocabulary = text
    model = model_for(vocabulary)
    model.softmax.bias.assign(np.where(np.arange(len(vocabulary)) == vocabulary.unknown, bias, 0.0))
    with pytest.raises(InputError, match="not finite"):
        Evaluator(model, corpus, vocabulary)()


def test_a_text_without_one_full_window_is_an_error_where_the_tail_is_dropped(text):
    corpus, vocabulary = text
    evaluator = Evaluator(model_for(vocabulary), corpus, vocabulary, 20, 1000, drop_remainder=True)
    with pytest.raises(InputError, match="fill one window"):
        evaluator()


@pytest.mark.parametrize("name", ["char_2layer", "char_tanh_3layer_tightclip", "word_2layer"])
def test_bilm_tfs_own_losses_are_reproduced_to_1e_5(shared, name):
    folder = shared / "parity" / "bilm-tf-trained" / name
    golden = json.loads((folder / "perplexity.json").read_text())
    vocabulary = Vocabulary.from_file(str(folder / "vocab.txt"))
    model = LanguageModel(Options.from_file(str(folder / "checkpoint" / "options.json")))
    model.build()
    weights = tf1_weights(folder / "checkpoint")
    for variable_name, variable in named_variables(model).items():
        variable.assign(weights[variable_name])
    corpus = Corpus.scan([str(folder / "heldout.txt")])
    found = Evaluator(model, corpus, vocabulary, batch_size=golden["batch_size"], unroll_steps=1, drop_remainder=True)()
    assert found.tokens == golden["tokens_per_direction"]
    assert found.losses[0] == pytest.approx(golden["loss_forward"], abs=1e-5)
    assert found.losses[1] == pytest.approx(golden["loss_backward"], abs=1e-5)
    assert found.geometric == pytest.approx(golden["perplexity_bilm_tf"], rel=1e-5)
