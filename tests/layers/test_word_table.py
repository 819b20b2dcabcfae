"""The table of words: known words, unknown words, and saving."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from layer_harness import check_layer

from elmo_tf.layers.word_table import WordTable

WORDS = ["cat", "øl", "a b", "日本"]


def filled(**arguments):
    table = WordTable(WORDS, 3, **arguments)
    table.build()
    table.vectors.assign(np.arange(12).reshape(4, 3) + 1)
    return table


def test_known_words_have_their_vectors_and_unknown_ones_zero():
    words = tf.constant([["øl", "Cat"], ["", "日本"], [b"\xff", "a b"]])
    for call in (filled(), tf.function(filled())):
        vectors, is_known = call(words)
        np.testing.assert_array_equal(is_known, [[1, 0], [0, 1], [0, 1]])
        np.testing.assert_array_equal(vectors[:, :, 0], [[4, 0], [0, 10], [0, 7]])


def test_the_vectors_are_never_trained():
    table = filled()
    table.trainable = True
    assert len(table.weights) == 1
    assert not table.trainable_weights


def test_half_precision_leaves_the_table_as_it_is():
    assert filled(dtype="mixed_bfloat16").vectors.dtype == "float32"
    assert filled(dtype="mixed_bfloat16")(tf.constant(["cat"]))[0].dtype == tf.bfloat16


def test_a_saved_model_has_words_and_vectors(tmp_path):
    inputs = keras.Input((None,), dtype="string")
    model = keras.Model(inputs, filled()(inputs))
    model.save(tmp_path / "model.keras")
    words = tf.constant([["øl", "dog", "cat"]])
    again = keras.models.load_model(tmp_path / "model.keras")
    for one, other in zip(model(words), again(words), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "expected at least one word, got none"),
        (["a", ""], "expected strings that are not empty, got '' at position 1"),
        (["a", b"b"], "expected strings that are not empty, got b'b' at position 1"),
        (["a", "b", "a"], "expected every word once, got 'a' again at position 2"),
    ],
)
def test_words_that_make_no_table_are_refused(words, message):
    with pytest.raises(ValueError, match=message):
        WordTable(words, 3)


def test_it_keeps_what_keras_asks_of_a_layer(tmp_path):
    inputs = np.array([["cat", "dog"], ["日本", ""]], dtype=object)
    check_layer(WordTable, {"words": WORDS, "size": 3}, inputs, n_weights=1, tmp_path=tmp_path)
