"""Python lists and NumPy arrays of strings, given to a layer as they are."""

import re

import elmo_cases
import keras
import numpy as np
import pytest
import tensorflow as tf
from elmo_cases import ids_of, padded
from grids import rarely
from model_cases import WORD_INPUT

from elmo_tf.elmo.inputs import from_lists
from elmo_tf.elmo.static_embedding import StaticEmbedding

ROWS = [["The", "cat"], ["日本", ""]]
TOKENS = padded([["The", "cat"], ["日本"]])
SHORT = [["The", "cat"], ["日本"], []]

SAME = {
    "lists": ROWS,
    "tuples": tuple(map(tuple, ROWS)),
    "lists of bytes": [[word.encode() for word in row] for row in ROWS],
    "rows of unlike length": SHORT[:2],
    "rows of unlike length of bytes": [[word.encode() for word in row] for row in SHORT[:2]],
    "NumPy's texts": np.array(ROWS),
    "NumPy's bytes": np.char.encode(np.array(ROWS), "utf-8"),
    "NumPy's objects": np.array(ROWS, dtype=object),
    "NumPy's objects that are bytes": np.char.encode(np.array(ROWS), "utf-8").astype(object),
    "an array of lists": np.array(SHORT[:2], dtype=object),
    "a list of arrays": [np.array(row) for row in ROWS],
    "a list of arrays of unlike length": [np.array(row) for row in SHORT[:2]],
    "lists of NumPy's texts": [[np.str_(word) for word in row] for row in ROWS],
    "a list of tensors": [tf.constant(row) for row in ROWS],
    "a list of tensors of unlike length": [tf.constant(row) for row in SHORT[:2]],
    "character ids": ids_of(TOKENS).tolist(),
    "character ids of unlike length": [ids_of(TOKENS)[0].tolist(), ids_of(TOKENS)[1, :1].tolist()],
}

OFTEN = (
    "lists",
    "rows of unlike length of bytes",
    "NumPy's bytes",
    "an array of lists",
    "a list of arrays of unlike length",
    "a list of tensors of unlike length",
    "character ids of unlike length",
)
"""The cases that `make test` runs."""

LATE = [[], ["The", "cat"]]
LATE_TOKENS = padded(LATE)

FIRST_EMPTY = {
    "lists": LATE,
    "tuples of bytes": tuple(tuple(word.encode() for word in row) for row in LATE),
    "NumPy's objects": np.array(LATE, dtype=object),
    "a list of arrays": [np.array(row, str) for row in LATE],
    "a list of tensors": [tf.constant(row, tf.string) for row in LATE],
    "character ids": [[], ids_of(LATE_TOKENS)[1].tolist()],
}


@pytest.mark.parametrize("case", [case if case in OFTEN else rarely(case) for case in SAME])
def test_what_stands_for_one_batch_has_one_result(case):
    made, expected = elmo_cases.layer(), elmo_cases.layer()(tf.constant(TOKENS))
    came = made(SAME[case])
    np.testing.assert_allclose(came, expected, rtol=0, atol=1e-6)
    np.testing.assert_array_equal(came._keras_mask, TOKENS != "")
    np.testing.assert_allclose(made(inputs=SAME[case]), expected, rtol=0, atol=1e-6)
    np.testing.assert_allclose(tf.function(lambda: made(SAME[case]))(), expected, rtol=0, atol=1e-6)


def test_empty_rows_and_an_empty_list_are_sentences_without_tokens():
    made = elmo_cases.layer()
    assert made([]).shape == (0, 0, 8)
    assert made([[], []]).shape == (2, 0, 8)
    came = made(SHORT)
    assert came.shape == (3, 2, 8)
    np.testing.assert_array_equal(came._keras_mask, [[1, 1], [1, 0], [0, 0]])


@pytest.mark.parametrize("case", FIRST_EMPTY)
def test_a_first_row_without_tokens_loses_none_of_the_others(case):
    made = elmo_cases.layer()
    came = made(FIRST_EMPTY[case])
    np.testing.assert_allclose(came, made(tf.constant(LATE_TOKENS)), rtol=0, atol=1e-6)
    np.testing.assert_array_equal(came._keras_mask, LATE_TOKENS != "")


def test_a_mask_may_be_a_list_too():
    made, mask = elmo_cases.layer(), [[False, True], [True, True]]
    expected = made(tf.constant(TOKENS), mask=tf.constant(mask))
    for given in (mask, tuple(map(tuple, mask)), [tf.constant(row) for row in mask], [[0, 1], [1, 1]]):
        np.testing.assert_array_equal(made(ROWS, mask=given), expected)


@pytest.mark.parametrize("first", [0, 2])
def test_a_mask_of_lists_may_have_rows_of_any_length_as_the_tokens_have(first):
    made = elmo_cases.layer()
    rows, mask = [["a", "b"], ["c"], []], [[False, True], [True], []]
    rows, mask = rows[first:] + rows[:first], mask[first:] + mask[:first]
    dense = np.array([row + [False] * (2 - len(row)) for row in mask])
    expected = made(padded(rows), mask=dense)
    assert np.abs(expected - made(padded(rows))).max() > 1e-3
    for call in (made, tf.function(lambda tokens, **named: made(tokens, **named))):
        np.testing.assert_allclose(call(rows, mask=mask), expected, rtol=0, atol=1e-6)
    embed = StaticEmbedding(["a"], size=1)
    embed.set_vectors([[1.0]])
    np.testing.assert_array_equal(embed([["a", "a"], ["a"]], mask=[[True, False], [True]])[..., 0], [[1, 0], [1, 0]])


@pytest.mark.parametrize("mask", [[[True, None], [True]], [True, False], [["yes", "no"], ["yes"]], [[True], False]])
def test_a_mask_of_lists_that_is_none_is_one_clear_error(mask):
    with pytest.raises(ValueError, match=r"mask: expected booleans \(batch, time\), which the lists do not form: "):
        elmo_cases.layer()([["a", "b"], ["c"]], mask=mask)


def test_a_mask_of_lists_of_another_shape_is_one_clear_error():
    with pytest.raises(ValueError, match=r"mask: expected shape \(2, 2\), that of the tokens, got \(2, 1\)"):
        elmo_cases.layer()([["a", "b"], ["c"]], mask=[[True], [True]])


def test_static_vectors_take_the_same():
    embed = StaticEmbedding(["The", "日本"], size=2)
    embed.set_vectors(np.array([[1.0, 2.0], [3.0, 4.0]]))
    for rows in (ROWS, SHORT[:2], np.array(ROWS), np.array(ROWS, dtype=object)):
        assert embed(rows).numpy().tolist() == [[[1, 2], [0, 0]], [[3, 4], [0, 0]]]
    with pytest.raises(ValueError, match=r"expected strings \(batch, time\), got string of shape \(2,\)"):
        embed(["The", "cat"])


def test_what_is_expected_is_what_the_layer_reads():
    words = ["<S>", "</S>", "<UNK>", *"abcdefgh"]
    for layer in (StaticEmbedding(["The"], size=2), elmo_cases.layer(WORD_INPUT, vocabulary=words)):
        with pytest.raises(ValueError, match=r"inputs: expected strings \(batch, time\), got strings and, among"):
            layer([["The", 1]])
    with pytest.raises(ValueError, match=r"or character ids \(batch, time, 9\), got strings and, among them, 1"):
        elmo_cases.layer()([["The", 1]])


WRONG = {
    "a number": ([["The", 1]], "inputs: expected strings (batch, time), .* got strings and, among them, 1$"),
    "None": ([["The", None]], "got strings and, among them, None$"),
    "None in an array": (np.array([["The", None]], dtype=object), "got strings and, among them, None$"),
    "None alone": ([[None]], "got None among the values$"),
    "a sentence alone": (["The", "cat"], "got string of shape (2,); a sentence is a row of tokens"),
    "a text": ("The cat", "got string of shape (); a sentence is a row of tokens"),
    "nested too deep": ([[["a"], ["b", "c"]]], "got string of shape (1, 2, 2); a sentence is a row of tokens"),
    "rows and a token": ([["a", "b"], "c"], "got lists that are no such batch: "),
    "an empty row and a token": ([[], "a"], "got lists that are no such batch: "),
    "floats": ([[0.5, 1.0]], "got float32 of shape (1, 2)"),
}


@pytest.mark.parametrize("case", WRONG)
def test_lists_that_are_no_batch_are_one_clear_error(case):
    values, message = WRONG[case]
    message = re.escape(message).replace(r"\.\*", ".*").replace(r"\$", "$")
    with pytest.raises(ValueError, match=message):
        elmo_cases.layer()(values)


def test_a_list_of_symbolic_tensors_is_one_clear_error():
    inputs = [keras.Input((None,), dtype="string"), keras.Input((None,), dtype="string")]
    with pytest.raises(ValueError, match="got a list of 2 symbolic tensors: give one of them alone"):
        elmo_cases.layer()(inputs)


def test_inputs_that_are_no_lists_are_returned_unchanged():
    for values in (tf.constant(ROWS), np.array(ROWS), tf.ragged.constant(SHORT), keras.Input((None,), dtype="string")):
        assert from_lists(values, "expected strings") is values
