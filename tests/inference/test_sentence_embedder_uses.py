"""`SentenceEmbedder` takes NumPy arrays, and is pickled and copied, after its first call too."""

import copy
import pickle

import numpy as np
import pytest
from grids import grid
from layer_harness import randomise_weights
from model_cases import CHARACTERS, WORD_INPUT
from model_folders import WORDS

from elmo_tf.data.vocabulary import Vocabulary
from elmo_tf.inference.sentence_embedder import SentenceEmbedder
from elmo_tf.models.bilm import BiLM

SENTENCES = [["the", "cat", "sat"], ["a", "dog"], []]


def made(reads="characters", **arguments):
    """An embedder whose weights are the same in each run."""
    bilm = BiLM(CHARACTERS if reads == "characters" else WORD_INPUT)
    bilm.build(None)
    randomise_weights(bilm, 0)
    return SentenceEmbedder(bilm, None if reads == "characters" else Vocabulary(WORDS), **arguments)


def is_same(came, expected):
    assert len(came) == len(expected)
    for one, other in zip(came, expected, strict=True):
        np.testing.assert_array_equal(one, other)


def test_arrays_of_tokens_are_embedded_as_lists_are():
    embed = made()
    rows = [["the", "cat"], ["a", "dog"]]
    for dtype in (object, str):
        is_same(embed(np.array(rows, dtype)), embed(rows))
        is_same(embed([np.array(row, dtype) for row in SENTENCES]), embed(SENTENCES))
    ragged = np.empty(3, object)
    ragged[:] = SENTENCES
    is_same(embed(ragged), embed(SENTENCES))
    assert embed(np.array([])) == embed(np.empty((0, 3), object)) == []


@pytest.mark.parametrize(("reads", "compiled"), grid(["characters", "words"], [True, False]))
def test_it_is_pickled_and_copied_before_and_after_a_call(reads, compiled):
    embed = made(reads, compiled=compiled)
    copies = [pickle.loads(pickle.dumps(embed))]
    expected = embed(SENTENCES)
    copies += [pickle.loads(pickle.dumps(embed)), copy.deepcopy(embed), copy.copy(embed)]
    for one in copies:
        is_same(one(SENTENCES), expected)
    is_same(pickle.loads(pickle.dumps(copies[-1]))(SENTENCES), expected)
    is_same(embed(SENTENCES), expected)


@pytest.mark.parametrize(("sentences", "came"), [([None], "None"), ([["a"], 1], "1"), (None, "None"), ([2.5], "2.5")])
def test_what_is_no_list_is_refused_in_a_sentence(sentences, came):
    with pytest.raises(ValueError, match=f"^sentences: expected lists of tokens, got {came} in place of a list$"):
        made()(sentences)
