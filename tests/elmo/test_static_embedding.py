"""Static vectors: looked up, masked, beside `ElmoLayer`, trained on demand, saved."""

import elmo_cases
import keras
import numpy as np
import pytest
import tensorflow as tf
from elmo_cases import SENTENCES, padded
from layer_harness import check_layer

from elmo_tf.elmo.serving import export_model
from elmo_tf.elmo.static_embedding import StaticEmbedding

TOKENS = padded(SENTENCES)
VECTORS = {"cat": [1.0, 2.0, 3.0], "the": [4.0, 5.0, 6.0], "日本": [7.0, 8.0, 10.0]}


@pytest.fixture
def path(tmp_path):
    rows = [" ".join([word, *map(str, vector)]) for word, vector in VECTORS.items()]
    (tmp_path / "vectors.txt").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return tmp_path / "vectors.txt"


def expected(unknown, lowercase=False):
    other = np.mean(list(VECTORS.values()), 0) if unknown == "mean" else np.zeros(3)
    words = [[word.lower() if lowercase else word for word in row] for row in TOKENS]
    return [[VECTORS.get(word, other) if word else np.zeros(3) for word in row] for row in words]


@pytest.mark.parametrize("lowercase", [False, True])
@pytest.mark.parametrize("unknown", ["zero", "mean"])
def test_words_have_their_vectors_and_unknown_ones_what_was_asked_for(path, unknown, lowercase):
    embed = StaticEmbedding.from_word2vec(path, unknown=unknown, lowercase=lowercase)
    for inputs in (TOKENS, tf.ragged.constant(SENTENCES, dtype=tf.string)):
        for call in (embed, tf.function(embed)):
            came = call(inputs)
            np.testing.assert_allclose(came, expected(unknown, lowercase), atol=1e-6)
        np.testing.assert_array_equal(embed(inputs)._keras_mask, TOKENS != "")
    assert StaticEmbedding.from_word2vec(path, limit=2).words == ("cat", "the")


@pytest.mark.parametrize("trainable", [False, True])
def test_it_stands_beside_elmo_and_is_trained_on_demand_alone(path, trainable):
    embed = StaticEmbedding.from_word2vec(path, trainable=trainable)
    elmo = elmo_cases.layer()
    tokens = keras.Input((None,), dtype="string")
    both = keras.layers.Concatenate()([elmo(tokens), embed(tokens)])
    model = keras.Model(tokens, keras.layers.Dense(1)(both))
    assert len(model.trainable_weights) == 2 + 2 + trainable
    model.compile(keras.optimizers.SGD(0.1), "mse")
    before = embed.vectors.numpy()
    model.fit(tf.constant(TOKENS), tf.ones((4, 5, 1)), verbose=0)
    changed = np.any(embed.vectors.numpy() != before, axis=1)
    np.testing.assert_array_equal(changed, [trainable, trainable, trainable, trainable])
    np.testing.assert_array_equal(both.shape, (None, None, 11))


def test_a_model_of_both_is_saved_and_served(path, tmp_path):
    embed, elmo = StaticEmbedding.from_word2vec(path, unknown="mean"), elmo_cases.layer()
    tokens = keras.Input((None,), dtype="string")
    model = keras.Model(tokens, keras.layers.Concatenate()([elmo(tokens), embed(tokens)]))
    path.unlink()
    model.save(tmp_path / "model.keras")
    np.testing.assert_array_equal(keras.models.load_model(tmp_path / "model.keras")(TOKENS), model(TOKENS))
    export_model(model, tmp_path / "served")
    served = tf.saved_model.load(str(tmp_path / "served"))
    (came,) = served.signatures["serving_default"](tf.constant(TOKENS)).values()
    np.testing.assert_allclose(came, model.predict(tf.constant(TOKENS), verbose=0), rtol=0, atol=1e-6)


def test_half_precision_leaves_the_table_as_it_is(path):
    embed = StaticEmbedding.from_word2vec(path, dtype="mixed_bfloat16")
    assert embed(TOKENS).dtype == tf.bfloat16
    assert embed.vectors.dtype == "float32"


def test_trainable_can_be_changed_later(path):
    embed = StaticEmbedding.from_word2vec(path)
    assert not embed.trainable_weights
    embed.trainable = True
    assert len(embed.trainable_weights) == 1


@pytest.mark.parametrize("changes", [{}, {"unknown": "mean", "lowercase": True, "trainable": True}])
def test_it_keeps_what_keras_asks_of_a_layer(changes, tmp_path):
    config = {"words": list(VECTORS), "size": 3, **changes}
    check_layer(StaticEmbedding, config, TOKENS, n_weights=1, tmp_path=tmp_path)


def test_unsuitable_inputs_are_one_clear_error(path):
    with pytest.raises(ValueError, match="unknown: expected one of"):
        StaticEmbedding(["a"], 2, unknown="random")
    with pytest.raises(ValueError, match="every word once"):
        StaticEmbedding(["a", "a"], 2)
    with pytest.raises(ValueError, match=r"vectors: expected shape \(1, 2\), got \(2, 2\)"):
        StaticEmbedding(["a"], 2).set_vectors(np.ones((2, 2)))
    with pytest.raises(ValueError, match="expected strings"):
        StaticEmbedding.from_word2vec(path)(np.ones((2, 3), "int32"))
