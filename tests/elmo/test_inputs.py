"""Unusual inputs of `ElmoLayer`, which give correct results or one clear error."""

import re

import elmo_cases
import keras
import numpy as np
import pytest
import tensorflow as tf
from elmo_cases import LIMIT, SENTENCES, ids_of, layers_by_oracle, padded
from grids import grid, rarely
from model_cases import WORD_INPUT
from model_folders import trained_folder

from elmo_tf.elmo.elmo_layer import ElmoLayer
from elmo_tf.errors import InputError
from elmo_tf.inference import word_vectors
from elmo_tf.inference.character_ids import character_ids

TOKENS = padded(SENTENCES)


def is_equal(came, expected, tolerance=5e-6):
    np.testing.assert_allclose(came, expected, rtol=0, atol=tolerance)


@pytest.mark.parametrize(
    ("shape", "as_ids", "arguments"),
    grid(
        [(0, 5), (3, 0), (0, 0)],
        [False, True],
        [{}, {"keep_boundaries": True}, {"pooling": "max"}, {"layer_norm": "bilm-tf"}],
    ),
)
def test_an_empty_batch_gives_an_empty_result(shape, as_ids, arguments):
    made = elmo_cases.layer(**arguments)
    tokens = tf.zeros([*shape, LIMIT], tf.int32) if as_ids else tf.fill(shape, "")
    steps = [] if "pooling" in arguments else [shape[1] + 2 * ("keep_boundaries" in arguments)]
    for call in (made, tf.function(made)):
        came = call(tokens)
        assert came.shape == (shape[0], *steps, 8)
        assert np.isfinite(came).all()


def test_an_empty_ragged_batch_too():
    made = elmo_cases.layer()
    for lengths in ([], [0, 0]):
        rows = tf.RaggedTensor.from_row_lengths(tf.constant([], tf.string), tf.constant(lengths, tf.int64))
        assert made(rows).shape == (len(lengths), 0, 8)


def test_a_token_is_bytes_and_may_hold_white_space_or_bytes_that_are_not_utf8():
    made = elmo_cases.layer(output="all")
    sentence = ["New York", "a\tb", "\u00a0", " "]
    is_equal(made(padded([sentence]))[0], layers_by_oracle(made, sentence)[0][:, 1:-1])
    came = made(tf.constant([[b"\xff\xfe", b"a\x00b", b"\xe6\x97"]]))
    ids = np.full((1, 3, LIMIT), 261)
    for row, token in enumerate((b"\xff\xfe", b"a\x00b", b"\xe6\x97")):
        ids[0, row, 0], ids[0, row, len(token) + 1] = 259, 260
        ids[0, row, 1 : len(token) + 1] = np.frombuffer(token, np.uint8).astype(int) + 1
    is_equal(came, made(ids), 1e-6)
    assert np.isfinite(came).all()


def test_a_long_word_is_cut_as_the_model_reads_it():
    made = elmo_cases.layer()
    is_equal(made(padded([["x" * 500]])), made(padded([["x" * (LIMIT - 2)]])), 0)


def test_a_sentence_of_ten_thousand_tokens():
    made = elmo_cases.layer(output="top")
    words = [f"w{number % 50}" for number in range(10_000)]
    came = tf.function(made)(padded([words, ["w0"]]))
    assert came.shape == (2, 10_000, 8)
    is_equal(came[0, :5, :4], made(padded([words[:5]]))[0, :, :4])  # the forward half of its beginning
    is_equal(came[0, -5:, 4:], made(padded([words[-5:]]))[0, :, 4:])  # and the backward half of its end


@pytest.mark.parametrize("words_together", [rarely(1), 3, rarely(1000)])
def test_words_go_through_the_cnn_in_parts_of_any_size(words_together, monkeypatch):
    expected = elmo_cases.layer()(TOKENS)
    monkeypatch.setattr(word_vectors, "WORDS_TOGETHER", words_together)
    made = elmo_cases.layer()
    for call in (made, tf.function(made), tf.function(lambda tokens: made(character_ids(tokens, LIMIT)))):
        is_equal(call(TOKENS), expected, 1e-6)
    is_equal(tf.function(made, jit_compile=True)(ids_of(TOKENS)), expected, 1e-6)


def test_each_distinct_word_is_encoded_once(encoded):
    made, tokens = elmo_cases.layer(), padded([["a", "b"] * 50, ["b"] * 3])
    made(tokens)
    made(ids_of(tokens))
    assert encoded == [4, 4]  # with <S> and </S>


def test_character_ids_are_those_of_numpy():
    np.testing.assert_array_equal(character_ids(tf.constant(TOKENS), LIMIT), ids_of(TOKENS))
    assert character_ids(TOKENS).shape == (4, 5, 50)
    data = tf.data.Dataset.from_tensor_slices(TOKENS.astype(str)).map(character_ids).batch(2)
    assert data.element_spec.shape.as_list() == [None, 5, 50]


WRONG_SHAPES = {
    "numbers": (np.ones((2, 3), "int32"), r"expected strings \(batch, time\), or character ids .*, 9\), got int32"),
    "floats": (np.ones((2, 3, 9), "float32"), r"got float32 of shape \(2, 3, 9\)"),
    "floats that are ids": (ids_of(TOKENS[:2, :3]).astype("float32"), r"ids are integers, .* dtype=\"int32\"\)"),
    "booleans": (np.ones((2, 3, 9), bool), r"got bool of shape \(2, 3, 9\)"),
    "bytes": (np.ones((2, 3, 9), "uint8"), r"got uint8 of shape \(2, 3, 9\), which does not hold ids up to 261"),
    "a sentence alone": (np.array(["a", "b"]), "a sentence is a row of tokens"),
    "strings of three axes": (np.full((1, 2, 3), "a"), "a sentence is a row of tokens"),
    "fifty characters": (np.ones((2, 3, 50), "int32"), "this model reads 9 characters a word"),
}


@pytest.mark.parametrize("case", WRONG_SHAPES)
def test_wrong_dtypes_and_shapes_are_one_clear_error(case):
    inputs, message = WRONG_SHAPES[case]
    made = elmo_cases.layer()
    with pytest.raises(ValueError, match=message):
        made(tf.constant(inputs))
    dtype = "string" if inputs.dtype.kind == "U" else inputs.dtype.name
    with pytest.raises(ValueError, match=message.replace("2, 3", "None, 3")):
        made(keras.Input(inputs.shape[1:], dtype=dtype))


def changed_ids(place, value):
    ids = ids_of(TOKENS)
    ids[place] = value
    return ids


WRONG_IDS = {
    "those of training": ids_of(TOKENS) - (ids_of(TOKENS) > 0),
    "too large": changed_ids((0, 0, 2), 262),
    "below zero": changed_ids((0, 0, 2), -1),
    "zero inside of a word": changed_ids((0, 0, 2), 0),
}


@pytest.mark.parametrize("case", WRONG_IDS)
def test_wrong_character_ids_are_one_clear_error(case):
    made, ids = elmo_cases.layer(), WRONG_IDS[case]
    row = next(
        row for row in ids.reshape(-1, LIMIT) if row.any() and (row[0] != 259 or ((row < 1) | (row > 261)).any())
    )
    message = "expected character ids of prediction, a token.*; got the row"
    with pytest.raises(ValueError, match=f"{message} {re.escape(str(row.tolist()))}"):
        made(ids)
    shown = re.escape(str(row.tolist()).replace(",", ""))
    with pytest.raises(tf.errors.InvalidArgumentError, match=rf"{message}\] \[{shown}\]"):
        tf.function(made)(ids)


@pytest.mark.parametrize(
    "dtype",
    [
        *("int32", "uint32", "int64", "uint64"),
        *(pytest.param(dtype, marks=pytest.mark.exhaustive) for dtype in ("int16", "uint16")),
    ],
)
def test_character_ids_are_integers_of_any_type_that_holds_them(dtype):
    made, ids = elmo_cases.layer(), ids_of(TOKENS)
    for call in (made, tf.function(made)):
        np.testing.assert_allclose(call(tf.constant(ids.astype(dtype))), made(ids), rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("dtype", "large"), [("int64", 2**32), ("int64", -(2**32)), ("uint32", 2**31), ("uint64", 2**63)]
)
def test_an_id_that_int32_does_not_hold_is_no_other(dtype, large):
    ids = ids_of(TOKENS).astype(dtype)
    ids[0, 0, 2] = int(ids[0, 0, 2]) + large
    made = elmo_cases.layer()
    with pytest.raises(ValueError, match="expected character ids of prediction"):
        made(ids)
    with pytest.raises(tf.errors.InvalidArgumentError, match="expected character ids of prediction"):
        tf.function(made)(tf.constant(ids))


def test_ids_that_the_mask_leaves_out_may_be_anything():
    made, mask = elmo_cases.layer(), TOKENS != ""
    mask[0, 0] = False
    came, expected = made(changed_ids((0, 0, 2), 999), mask=mask), made(TOKENS, mask=mask)
    np.testing.assert_allclose(came, expected, rtol=0, atol=1e-6)


def test_ids_for_a_model_that_reads_words_are_refused():
    words = ["<S>", "</S>", "<UNK>", *"abcdefgh"]
    made = elmo_cases.layer(WORD_INPUT, vocabulary=words)
    with pytest.raises(ValueError, match=r"expected strings \(batch, time\), for it looks up whole words, got int32"):
        made(np.ones((2, 3), "int32"))


def test_word_input_needs_its_vocabulary_and_has_no_cache():
    words = ["<S>", "</S>", "<UNK>", *"abcdefgh"]
    with pytest.raises(ValueError, match="expected the 11 words of the model, for it reads words, got none"):
        ElmoLayer(WORD_INPUT)
    with pytest.raises(ValueError, match="expected the 11 words of the model, for it reads words, got 10"):
        ElmoLayer(WORD_INPUT, vocabulary=words[:10])
    with pytest.raises(ValueError, match="vocab_to_cache: expected None"):
        ElmoLayer(WORD_INPUT, vocabulary=words, vocab_to_cache=["a"])


def test_a_trained_model_with_word_input_takes_a_vocabulary_file(tmp_path):
    trained_folder(tmp_path / "model", WORD_INPUT)
    expected = ElmoLayer.from_pretrained(tmp_path / "model")(padded([["cat", "else"]]))
    (tmp_path / "model" / "vocab.txt").rename(tmp_path / "words.txt")
    with pytest.raises(InputError, match=r"model: no vocab\.txt lies beside .* give its path as vocab_file"):
        ElmoLayer.from_pretrained(tmp_path / "model")
    told = ElmoLayer.from_pretrained(tmp_path / "model", vocab_file=tmp_path / "words.txt")
    np.testing.assert_array_equal(told(padded([["cat", "else"]])), expected)


def test_a_missing_model_is_one_clear_error(tmp_path):
    missing = tmp_path / "nothing"
    with pytest.raises(InputError) as raised:
        ElmoLayer.from_pretrained(missing)
    assert str(raised.value).startswith(f"{missing}: there is no such file or folder; expected a folder made by")
    assert "--" not in str(raised.value).removeprefix(str(missing))
    with pytest.raises(InputError, match=r"words\.txt cannot be read"):
        ElmoLayer.from_pretrained(tmp_path, vocab_to_cache=tmp_path / "words.txt")


def test_a_sequential_model_without_an_input_gets_an_error_that_says_what_it_needs():
    model = keras.Sequential([elmo_cases.layer(), keras.layers.Dense(2)])
    with pytest.raises(ValueError, match=r"has to begin with keras.Input\(\(None,\), dtype=\"string\"\)"):
        model(tf.constant(TOKENS))
