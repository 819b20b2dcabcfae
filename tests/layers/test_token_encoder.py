"""The token encoders: the character CNN and the word table."""

import keras
import numpy as np
import oracle
import pytest
import tensorflow as tf
from layer_harness import check_layer, randomise_weights

from elmo_tf.layers import CharacterEncoder, WordEncoder

WORDS = ["a", "word", "<S>", "</S>", "été", "forty", "sevenwd", ""]
FILTERS = [(1, 3), (2, 4), (4, 5)]  # 12 filters


def made(projection_dim=7, activation="relu", n_highway=1, dtype="float64", filters=FILTERS):
    layer = CharacterEncoder(filters, projection_dim, 5, activation, n_highway, dtype=dtype)
    layer.build(None)
    return randomise_weights(layer)


def weights_of(layer):
    weights = {"char_embed": layer.char_embed}
    for i, (kernel, bias) in enumerate(layer.convolutions):
        weights |= {f"CNN/W_cnn_{i}": kernel, f"CNN/b_cnn_{i}": bias}
    for i, highway in enumerate(layer.highways):
        weights |= {f"CNN_high_{i}/W_carry": highway.w_carry, f"CNN_high_{i}/b_carry": highway.b_carry}
        weights |= {f"CNN_high_{i}/W_transform": highway.w_transform, f"CNN_high_{i}/b_transform": highway.b_transform}
    if layer.w_proj is not None:
        weights |= {"CNN_proj/W_proj": layer.w_proj, "CNN_proj/b_proj": layer.b_proj}
    return {name: weight.numpy() for name, weight in weights.items()}


def expected(layer, ids):
    char_cnn = {"filters": layer.filters, "activation": layer.activation, "n_highway": layer.n_highway}
    return oracle.encode_characters(weights_of(layer), char_cnn, ids)


@pytest.mark.parametrize(
    ("config", "n_weights"),
    [
        ({"filters": [[1, 3], [3, 4]], "projection_dim": 5, "embedding_dim": 4, "n_highway": 2}, 1 + 4 + 8 + 2),
        ({"filters": [[2, 6]], "projection_dim": 6, "activation": "tanh"}, 1 + 2),
    ],
)
def test_the_character_encoder_keeps_what_keras_asks_of_a_layer(config, n_weights, tmp_path):
    inputs = oracle.character_rows(WORDS[:6], 9).reshape(2, 3, 9)
    check_layer(CharacterEncoder, config, inputs, n_weights=n_weights, tmp_path=tmp_path)


def test_the_word_encoder_keeps_what_keras_asks_of_a_layer(tmp_path):
    inputs = np.array([[0, 5, 5], [2, 1, 8]], "int32")
    check_layer(WordEncoder, {"vocabulary_size": 9, "projection_dim": 4}, inputs, n_weights=1, tmp_path=tmp_path)


@pytest.mark.parametrize("activation", ["relu", "tanh"])
@pytest.mark.parametrize("n_highway", [0, 1, 2])
@pytest.mark.parametrize("projection_dim", [7, 12])
def test_values_are_those_of_the_oracle(activation, n_highway, projection_dim):
    layer = made(projection_dim, activation, n_highway)
    assert (layer.w_proj is None) == (projection_dim == 12)
    ids = oracle.character_rows(WORDS, 9)
    np.testing.assert_allclose(layer(ids), expected(layer, ids), rtol=0, atol=1e-13)


@pytest.mark.parametrize("shape", [(8,), (2, 4), (2, 2, 2)])
def test_any_number_of_dimensions_stands_before_the_characters(shape):
    layer = made()
    ids = oracle.character_rows(WORDS, 9)
    np.testing.assert_array_equal(layer(ids.reshape(*shape, 9)).numpy().reshape(8, 7), layer(ids).numpy().reshape(8, 7))


def test_a_word_as_long_as_the_widest_filter_is_one_window():
    layer = made(filters=[(4, 12)])
    ids = np.array([[258, 97, 98, 259]])
    np.testing.assert_allclose(layer(ids), expected(layer, ids), rtol=0, atol=1e-13)


@pytest.mark.parametrize("activation", ["relu", "tanh"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_padding_beyond_longest_word_and_widest_filter_changes_neither_values_nor_gradients(activation, dtype):
    layer = made(activation=activation, dtype=dtype)
    rows = oracle.character_rows(WORDS, 50)
    longest = int((rows != oracle.PADDING).sum(1).max())
    upstream = np.random.default_rng(4).normal(size=(len(WORDS), 7))

    def run(ids):
        with tf.GradientTape() as tape:
            vectors = layer(ids)
            loss = tf.reduce_sum(vectors * tf.constant(upstream, vectors.dtype))
        gradients = tape.gradient(loss, [weight.value for weight in layer.weights])
        return vectors.numpy(), [tf.convert_to_tensor(gradient).numpy() for gradient in gradients]

    whole, whole_gradients = run(rows)
    cut, cut_gradients = run(rows[:, : longest + 4])
    np.testing.assert_allclose(cut, whole, rtol=0, atol=1e-7)
    tolerance = {"float32": 1e-5, "float64": 1e-13}[dtype]  # of sums over all equal windows, at most
    for one, other in zip(cut_gradients, whole_gradients, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=tolerance * max(1.0, np.abs(other).max()))


def test_padding_inside_the_longest_word_and_widest_filter_does_count():
    layer = made()
    rows = oracle.character_rows(WORDS, 50)
    longest = int((rows != oracle.PADDING).sum(1).max())
    assert np.abs(layer(rows[:, : longest + 4]) - layer(rows[:, :longest])).max() > 1e-3


def test_gradients_are_finite_differences():
    layer = made(filters=[(1, 2), (2, 3)], projection_dim=3)
    ids = oracle.character_rows(["ab", "c"], 5)
    upstream = np.random.default_rng(5).normal(size=(2, 3))
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(layer(ids) * upstream)
    gradients = tape.gradient(loss, [weight.value for weight in layer.weights])
    for weight, gradient in zip(layer.weights, gradients, strict=True):
        gradient, value = tf.convert_to_tensor(gradient).numpy(), weight.numpy()
        for place in list(np.ndindex(*value.shape))[:: max(1, value.size // 12)]:
            losses = []
            for sign in (1, -1):
                moved = value.copy()
                moved[place] += sign * 1e-6
                weight.assign(moved)
                losses.append(np.sum(layer(ids) * upstream))
            weight.assign(value)
            assert gradient[place] == pytest.approx((losses[0] - losses[1]) / 2e-6, abs=1e-7), (weight.path, place)


def test_a_word_vector_depends_on_its_own_characters_alone():
    layer = made(dtype="float32")
    rows = oracle.character_rows(WORDS, 9)
    together = layer(rows).numpy()
    for row, vector in zip(rows, together, strict=True):
        np.testing.assert_allclose(layer(row[None])[0], vector, rtol=0, atol=1e-6)


@pytest.mark.parametrize(("filters", "activation", "words"), [([], "relu", "filters"), ([(1, 2)], "gelu", '"tanh"')])
def test_arguments_out_of_range_are_refused(filters, activation, words):
    with pytest.raises(ValueError, match=words):
        CharacterEncoder(filters, 4, activation=activation)


def is_uniform(values, bound):
    share = np.abs(values).ravel() / bound
    assert share.max() < 1
    assert share.max() > 0.97
    assert abs(share.mean() - 0.5) < 0.05
    assert abs(values.mean() / bound) < 0.1


def is_normal(values, deviation):
    scaled = values.ravel() / deviation
    assert abs(scaled.std() - 1) < 0.06
    assert abs(scaled.mean()) < 0.1
    assert abs((scaled**4).mean() - 3) < 0.6  # 1.8 for a uniform, 2.1 for a normal distribution cut at 2
    assert np.abs(scaled).max() > 2.5


@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_initial_values_of_the_character_encoder(activation):
    keras.utils.set_random_seed(6)
    layer = CharacterEncoder([(1, 64), (3, 64)], 40, 16, activation, n_highway=2)
    layer.build(None)
    is_uniform(layer.char_embed.numpy(), 1.0)
    for (width, _), (kernel, bias) in zip(layer.filters, layer.convolutions, strict=True):
        if activation == "relu":
            is_uniform(kernel.numpy(), 0.05)
        else:
            is_normal(kernel.numpy(), (1 / (width * 16)) ** 0.5)
        assert not np.any(bias)
    for highway in layer.highways:
        is_normal(highway.w_carry.numpy(), (1 / 128) ** 0.5)
        is_normal(highway.w_transform.numpy(), (1 / 128) ** 0.5)
        assert np.all(highway.b_carry == -2)
        assert not np.any(highway.b_transform)
    is_normal(layer.w_proj.numpy(), (1 / 128) ** 0.5)
    assert not np.any(layer.b_proj)
    first, second = layer.highways
    assert not np.allclose(first.w_carry, second.w_carry)


def test_initial_values_of_the_word_encoder():
    keras.utils.set_random_seed(7)
    layer = WordEncoder(200, 40)
    layer.build(None)
    is_uniform(layer.embedding.numpy(), (6 / 240) ** 0.5)


@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16"])
def test_the_gradient_of_the_word_table_touches_the_rows_looked_up_alone(dtype):
    layer = WordEncoder(50, 3, dtype=dtype)
    layer.build(None)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(layer(np.array([[7, 3], [7, 9]])))
    gradient = tape.gradient(loss, layer.embedding.value)
    assert isinstance(gradient, tf.IndexedSlices)
    assert sorted(gradient.indices.numpy()) == [3, 7, 7, 9]


def test_fewer_characters_than_the_widest_filter_are_refused():
    encoder = CharacterEncoder(filters=[(1, 4), (5, 8)], projection_dim=6)
    with pytest.raises(ValueError, match="inputs: expected at least 5 characters, the widest filter, got 4"):
        encoder(np.full((2, 4), 260))
    in_a_graph = tf.function(encoder, input_signature=[tf.TensorSpec([None, None], tf.int32)])
    with pytest.raises(tf.errors.InvalidArgumentError, match="expected at least 5 characters, the widest filter, got"):
        in_a_graph(np.full((2, 4), 260, "int32"))
    np.testing.assert_array_equal(in_a_graph(np.full((2, 5), 260, "int32")), encoder(np.full((2, 5), 260)))
