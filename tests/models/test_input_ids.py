"""A biLM called with something else than ids says in one sentence what was expected and what came."""

import re

import numpy as np
import pytest
import tensorflow as tf
from model_cases import CHARACTERS, WORD_INPUT

from elmo_tf.models.bilm import BiLM

WIDTH = CHARACTERS["char_cnn"]["max_characters_per_token"]
WORDS = WORD_INPUT["n_tokens_vocab"]


def character_ids(**changes):
    ids = np.full((2, 3, WIDTH), 260, "int32")
    ids[0, 0, 0] = changes.get("value", 258)
    return ids


WRONG = {
    "a character too high": (CHARACTERS, character_ids(value=261), "character ids from 0 to 260, got 261"),
    "a character below 0": (CHARACTERS, character_ids(value=-1), "character ids from 0 to 260, got -1"),
    "characters as floats": (
        CHARACTERS,
        character_ids().astype("float32"),
        "character ids, integers of shape (B, T, C), got float32",
    ),
    "characters of rank 2": (CHARACTERS, character_ids()[0], f"ids of shape (B, T, C), got shape (3, {WIDTH})"),
    "too many characters": (
        CHARACTERS,
        np.full((2, 3, WIDTH + 1), 260),
        f"with at most {WIDTH} characters a word, max_characters_per_token, got shape (2, 3, {WIDTH + 1})",
    ),
    "no steps of characters": (CHARACTERS, character_ids()[:, :0], f"at least one step, got shape (2, 0, {WIDTH})"),
    "a word too high": (WORD_INPUT, np.array([[0, WORDS]]), f"word ids from 0 to {WORDS - 1}, got {WORDS}"),
    "a word below 0": (WORD_INPUT, np.array([[0, -3]]), f"word ids from 0 to {WORDS - 1}, got -3"),
    "words as floats": (WORD_INPUT, np.array([[0.0, 1.0]], "float32"), "word ids, integers of shape (B, T), got float"),
    "words of rank 1": (WORD_INPUT, np.array([0, 1]), "word ids of shape (B, T), got shape (2,)"),
    "words of rank 3": (WORD_INPUT, np.zeros((1, 2, 3), "int32"), "word ids of shape (B, T), got shape (1, 2, 3)"),
    "no steps of words": (WORD_INPUT, np.zeros((2, 0), "int32"), "at least one step, got shape (2, 0)"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_ids_are_refused_with_what_was_expected_and_what_came(name):
    options, ids, message = WRONG[name]
    with pytest.raises(ValueError, match=re.escape(message)):
        BiLM(options)(ids)


@pytest.mark.parametrize("name", [name for name in WRONG if not name.startswith("a ")])
def test_a_graph_refuses_what_is_known_while_it_is_traced(name):
    options, ids, message = WRONG[name]
    bilm = BiLM(options)
    with pytest.raises(ValueError, match=re.escape(message)):
        tf.function(bilm, autograph=False).get_concrete_function(tf.TensorSpec(ids.shape, ids.dtype))


@pytest.mark.parametrize(("options", "rank"), [(CHARACTERS, 3), (WORD_INPUT, 2)])
def test_the_check_adds_no_operation_to_a_graph(monkeypatch, options, rank):
    def operations():
        bilm = BiLM(options, name="bilm")
        spec = tf.TensorSpec([None, None, WIDTH][:rank], tf.int32)
        return [operation.type for operation in tf.function(bilm).get_concrete_function(spec).graph.get_operations()]

    checked = operations()
    monkeypatch.setattr("elmo_tf.models.bilm.check_input_ids", lambda inputs, options: None)
    assert checked == operations()


def test_a_batch_without_rows_is_no_mistake():
    assert BiLM(WORD_INPUT)(np.zeros((0, 4), "int32"))[0].shape[0] == 0
