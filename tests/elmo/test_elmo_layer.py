"""`ElmoLayer` in every form of input and output, compared with NumPy."""

import elmo_cases
import keras
import numpy as np
import oracle
import pytest
import tensorflow as tf
from elmo_cases import SENTENCES, ids_of, layers_by_oracle, padded
from grids import grid
from layer_harness import check_layer
from model_cases import CHARACTERS, WORD_INPUT, changed

from elmo_tf.elmo.elmo_layer import ElmoLayer
from elmo_tf.elmo.outputs import OUTPUTS
from elmo_tf.options import Options

TOKENS = padded(SENTENCES)
MASK = TOKENS != ""


def is_equal(came, expected, tolerance=1e-6):
    np.testing.assert_allclose(came, expected, rtol=0, atol=tolerance)


def expected_vectors(made, output, sentence, boundaries=False):
    layers, _ = layers_by_oracle(made, sentence)
    layers = layers if boundaries else layers[:, 1:-1]
    if output == "mix":
        mix = made.mixes[0]
        return oracle.scalar_mix(mix.w.numpy(), float(mix.gamma.numpy()), layers[None])[0]
    if output == "concat":
        return np.concatenate(list(layers), -1)
    return {"top": layers[-1], "average": layers.mean(0), "all": layers}[output]


@pytest.mark.parametrize(("output", "boundaries"), grid(OUTPUTS, [False, True]))
def test_every_output_is_the_oracles(output, boundaries):
    made = elmo_cases.layer(output=output, keep_boundaries=boundaries)
    came = made(TOKENS).numpy()
    assert came.shape[-2] == 5 + 2 * boundaries
    for row, sentence in enumerate(SENTENCES):
        expected, n = expected_vectors(made, output, sentence, boundaries), len(sentence) + 2 * boundaries
        is_equal(came[row, ..., :n, :], expected, 5e-6)
        np.testing.assert_array_equal(came[row, ..., n:, :], 0)


@pytest.mark.parametrize(("output", "directions"), grid(OUTPUTS, [1, 2]))
def test_the_shapes_are_those_promised(output, directions):
    made = elmo_cases.layer(changed(CHARACTERS, bidirectional=directions == 2), output=output)
    size = 4 * directions
    shape = {"all": (4, 3, 5, size), "concat": (4, 5, 3 * size)}.get(output, (4, 5, size))
    assert made(TOKENS).shape == shape
    free = made(keras.Input((None,), dtype="string")).shape
    assert free == tuple(None if axis in (0, len(shape) - 2) else n for axis, n in enumerate(shape))
    assert made(keras.Input(batch_shape=(4, 5), dtype="string")).shape == shape


FORMS = {
    "strings": TOKENS,
    "bytes": np.char.encode(TOKENS.astype(str), "utf-8"),
    "a tensor": tf.constant(TOKENS),
    "ragged strings": tf.ragged.constant(SENTENCES, dtype=tf.string),
    "character ids": ids_of(TOKENS),
    "character ids of 64 bits": ids_of(TOKENS).astype("int64"),
    "ragged character ids": tf.RaggedTensor.from_tensor(ids_of(TOKENS), lengths=[3, 1, 5, 0]),
}


WITH_BOUNDARIES = ("strings", "ragged character ids")


@pytest.mark.parametrize(
    ("form", "boundaries"),
    [
        *((form, False) for form in FORMS),
        *(pytest.param(form, True, marks=[] if form in WITH_BOUNDARIES else pytest.mark.exhaustive) for form in FORMS),
    ],
)
def test_every_form_of_input_gives_the_same(form, boundaries):
    made = elmo_cases.layer(keep_boundaries=boundaries)
    expected = made(TOKENS)
    for call in (made, tf.function(made)):
        came = call(FORMS[form])
        is_equal(came, expected)
    assert came.shape == expected.shape
    mask = keras.layers.Identity()(made(FORMS[form]))._keras_mask
    np.testing.assert_array_equal(mask, expected._keras_mask)


def scattered(seed):
    """The sentences with padding before, between and behind their tokens."""
    random = np.random.default_rng(seed)
    tokens, places = np.full((len(SENTENCES), 9), "", dtype=object), []
    for row, sentence in enumerate(SENTENCES):
        place = np.sort(random.permutation(9)[: len(sentence)])
        tokens[row, place] = sentence
        places.append(place)
    return tokens, places


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.exhaustive) for seed in (1, 2))])
@pytest.mark.parametrize("as_ids", [False, True])
@pytest.mark.parametrize("output", ["mix", "all"])
def test_padding_may_stand_anywhere(seed, as_ids, output):
    made = elmo_cases.layer(output=output)
    together = made(TOKENS).numpy()
    tokens, places = scattered(seed)
    came = made(ids_of(tokens) if as_ids else tokens).numpy()
    for row, place in enumerate(places):
        is_equal(came[row][..., place, :], together[row][..., : len(place), :])
        np.testing.assert_array_equal(np.delete(came[row], place, axis=-2), 0)


def test_boundaries_stand_beside_the_first_and_the_last_token():
    made = elmo_cases.layer(keep_boundaries=True)
    tokens = np.array([["", "a", "", "b", ""], ["", "", "", "", ""], ["a", "b", "", "", ""]], dtype=object)
    result = made(tokens)
    mask = [[0, 1, 1, 0, 1, 1, 0], [1, 1, 0, 0, 0, 0, 0], [1, 1, 1, 1, 0, 0, 0]]
    np.testing.assert_array_equal(result._keras_mask, mask)
    np.testing.assert_array_equal(np.any(result, -1), mask)
    is_equal(result.numpy()[0, [1, 2, 4, 5]], result[2, :4])
    is_equal(result[1, :2], expected_vectors(made, "mix", [], boundaries=True), 5e-6)


@pytest.mark.parametrize("output", OUTPUTS)
def test_a_sentence_has_one_vector_in_any_batch_order_and_padding(output):
    made = elmo_cases.layer(output=output)
    alone = [made(padded([sentence])).numpy()[0] for sentence in SENTENCES[:3]]
    random = np.random.default_rng(0)
    for width in (5, 6, 50):
        order = random.integers(0, 3, size=7)
        together = made(padded([SENTENCES[i] for i in order], width)).numpy()
        for row, i in enumerate(order):
            is_equal(together[row][..., : len(SENTENCES[i]), :], alone[i])


def test_a_mask_leaves_tokens_out_as_if_they_were_not_there():
    made = elmo_cases.layer()
    mask = np.array([[1, 0, 1, 1, 1]] * 4, bool)
    without = [[word for k, word in enumerate(words) if k != 1] for words in SENTENCES]
    came, expected = made(TOKENS, mask=mask), made(padded(without))
    for row, words in enumerate(SENTENCES):
        kept = [k for k in range(len(words)) if k != 1]
        is_equal(came.numpy()[row, kept], expected[row, : len(kept)])
    np.testing.assert_array_equal(came._keras_mask, mask & MASK)


def test_several_mixes_come_from_one_run_and_learn_apart():
    made = elmo_cases.layer(num_mixes=3)
    came, layers = made(TOKENS), elmo_cases.layer(output="all")(TOKENS)
    assert len(came) == len(made.mix_numbers) == 3
    assert len(made.trainable_weights) == 6
    for vectors, mix in zip(came, made.mixes, strict=True):
        is_equal(vectors, oracle.scalar_mix(mix.w.numpy(), float(mix.gamma.numpy()), layers), 5e-6)
        np.testing.assert_array_equal(vectors._keras_mask, MASK)
    assert elmo_cases.loops_of(made) == elmo_cases.loops_of(elmo_cases.layer()) > 0


@pytest.mark.parametrize("boundaries", [False, True])
@pytest.mark.parametrize("layer_norm", ["bilm-tf", "token"])
def test_layer_norms_leave_out_the_boundaries_that_are_not_shown(layer_norm, boundaries):
    made = elmo_cases.layer(layer_norm=layer_norm, keep_boundaries=boundaries)
    layers = elmo_cases.layer(output="all", keep_boundaries=boundaries)(TOKENS).numpy()
    mask, mix = made(TOKENS)._keras_mask.numpy(), made.mixes[0]
    expected = oracle.scalar_mix(mix.w.numpy(), float(mix.gamma.numpy()), layers, mask, layer_norm)
    is_equal(made(TOKENS).numpy()[mask], expected[mask], 2e-5)


@pytest.mark.parametrize("kind", ["mean", "max"])
def test_pooling_honours_the_mask(kind):
    pooled, vectors = elmo_cases.layer(pooling=kind)(TOKENS), elmo_cases.layer()(TOKENS)
    is_equal(pooled, oracle.pooled(kind, vectors.numpy(), MASK))
    assert getattr(pooled, "_keras_mask", None) is None
    everything = elmo_cases.layer(pooling=kind, output="all")(TOKENS)
    assert everything.shape == (4, 3, 8)
    is_equal(everything[:, -1], elmo_cases.layer(pooling=kind, output="top")(TOKENS))
    assert len(elmo_cases.layer(pooling=kind, num_mixes=2)(TOKENS)) == 2


def test_states_are_those_of_the_oracle_and_carry_a_text_on():
    made = elmo_cases.layer(output="all", return_state=True)
    rows = [["a", "b"], ["c"]]
    first, state = made(padded(rows))
    second, _ = made(padded(rows[::-1]), initial_state=state)
    for row, sentence in enumerate(rows):
        layers, carried = layers_by_oracle(made, sentence)
        is_equal(first[row, :, : len(sentence)], layers[:, 1:-1], 5e-6)
        for one, other in zip(tf.nest.flatten(state), tf.nest.flatten(carried), strict=True):
            is_equal(one[row], other[0], 5e-6)
        following = rows[::-1][row]
        layers, _ = layers_by_oracle(made, following, carried)
        is_equal(second[row, :, : len(following)], layers[:, 1:-1], 5e-6)
    np.testing.assert_array_equal(made(padded(rows), initial_state=made.zero_state(2))[0], first)


def test_dropout_falls_on_the_result_and_in_training_alone():
    made, without = elmo_cases.layer(dropout=0.5), elmo_cases.layer()
    np.testing.assert_array_equal(made(TOKENS), without(TOKENS))
    dropped, whole = made(TOKENS, training=True).numpy(), without(TOKENS).numpy()
    kept = dropped != 0
    assert 0.2 < kept[MASK].mean() < 0.8
    is_equal(dropped[kept], 2 * whole[kept])


def test_words_are_looked_up_where_the_model_reads_words():
    words = ["<S>", "</S>", "<UNK>", "the", "cat", "sat", "on", "a", "mat", "øl", "."]
    made = elmo_cases.layer(WORD_INPUT, output="all", vocabulary=words)
    tokens = padded([["the", "dog", "sat"], ["øl"]])
    came = made(tokens).numpy()
    np.testing.assert_array_equal(came[0, 0, 1], made(padded([["<UNK>"]]))[0, 0, 0])
    again = ElmoLayer.from_config(made.get_config())
    again.build(None)
    again.set_weights(made.get_weights())
    np.testing.assert_array_equal(again(tokens), came)


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_half_precision_is_near_single(policy):
    made, single = elmo_cases.layer(dtype=policy), elmo_cases.layer()
    came = made(TOKENS)
    assert came.dtype == made.compute_dtype
    assert {weight.dtype for weight in made.weights} == {"float32"}
    np.testing.assert_allclose(tf.cast(came, tf.float32), single(TOKENS), atol=0.05)


def test_float64_is_the_oracle_to_its_digits():
    made = elmo_cases.layer(dtype="float64", output="all")
    layers, _ = layers_by_oracle(made, SENTENCES[2])
    is_equal(made(TOKENS)[2], layers[:, 1:-1], 1e-13)


@pytest.mark.parametrize(
    "config", [{}, {"num_mixes": 2, "layer_norm": "token"}, {"output": "concat", "pooling": "mean", "trainable": True}]
)
def test_it_keeps_what_keras_asks_of_a_layer(config, tmp_path):
    config = {"options": Options.from_dict(CHARACTERS).to_dict(), **config}
    n_weights = 25 + 2 * config.get("num_mixes", 1 if "output" not in config else 0)
    check_layer(ElmoLayer, config, ids_of(TOKENS[:2]), n_weights=n_weights, tmp_path=tmp_path)


def test_a_mask_of_another_shape_is_refused():
    with pytest.raises(ValueError, match=r"mask: expected shape \(1, 2\), that of the tokens, got \(1, 3\)"):
        elmo_cases.layer()(tf.constant([["a", "b"]]), mask=tf.ones([1, 3], tf.bool))
