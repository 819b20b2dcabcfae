"""The biLM against NumPy over all its options, in float64; its states, masks, directions, files."""

import json

import numpy as np
import oracle
import pytest
import tensorflow as tf
from layer_harness import check_layer
from model_cases import CASES, CHARACTERS, WORD_INPUT, changed, filled, weights_of

from elmo_tf.models.bilm import BiLM
from elmo_tf.options import Options

SENTENCES = [["<S>", "a", "longish", "word", "</S>"], ["<S>", "b", "</S>"], ["<S>", "c", "d", "</S>"]]
LENGTHS = [5, 3, 4]
MASK = np.arange(5) < np.array(LENGTHS)[:, None]


def inputs_for(options):
    """Three sentences, ids of something else on their padding."""
    if "char_cnn" not in options:
        return np.array([[0, 7, 8, 9, 1], [0, 5, 1, 10, 10], [0, 3, 3, 1, 2]], "int32")
    padded = [sentence + ["padding"] * (5 - len(sentence)) for sentence in SENTENCES]
    return np.stack([oracle.character_rows(words, 9) for words in padded])


def random_state(options, seed=4, dtype="float64"):
    lstm, random = options["lstm"], np.random.default_rng(seed)

    def pair():
        return tuple(random.normal(size=(3, lstm[size])).astype(dtype) for size in ("dim", "projection_dim"))

    return [[pair() for _ in range(lstm["n_layers"])] for _ in range(oracle.directions(options))]


def is_equal(came, expected, tolerance=1e-12):
    for one, other in zip(tf.nest.flatten(came), tf.nest.flatten(expected), strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=tolerance)


@pytest.mark.parametrize("case", CASES)
def test_layers_and_states_are_those_of_the_oracle(case):
    options = CASES[case]
    bilm, inputs = filled(BiLM(options, dtype="float64")), inputs_for(options)
    for lengths, mask in ((None, None), (LENGTHS, MASK)):
        for state in (None, random_state(options)):
            expected = oracle.bilm(weights_of(bilm), options, inputs, lengths, state)
            layers, final = bilm(inputs, mask=mask, initial_state=state)
            if mask is not None:  # what stands on padding is nobody's business
                layers = tf.where(mask[:, None, :, None], layers, 0.0)
                expected = np.where(mask[:, None, :, None], expected[0], 0.0), expected[1]
            is_equal((layers, final), expected)


@pytest.mark.parametrize("case", ["characters", "tight clips", "word input"])
def test_in_float32_to_float32s_digits(case):
    options = CASES[case]
    bilm, inputs = filled(BiLM(options)), inputs_for(options)
    layers, final = bilm(inputs, mask=MASK)
    expected, expected_final = oracle.bilm(weights_of(bilm), options, inputs, LENGTHS)
    is_equal((layers[0], final), (expected[0], expected_final), 5e-6)


def test_the_shape_is_layers_by_steps_by_directions():
    for directions in (1, 2):
        bilm = BiLM(changed(CHARACTERS, bidirectional=directions == 2, lstm_n_layers=3))
        layers, state = bilm(inputs_for(CHARACTERS))
        assert tuple(layers.shape) == (3, 4, 5, 4 * directions)
        assert len(state) == directions


def test_plain_and_fused_give_the_same():
    inputs = inputs_for(CHARACTERS)
    fused, plain = (filled(BiLM(CHARACTERS, name, dtype="float64")) for name in ("fused", "plain"))
    is_equal(fused(inputs, mask=MASK), plain(inputs, mask=MASK), 1e-13)


def test_padding_changes_nothing():
    bilm, inputs = filled(BiLM(CHARACTERS, dtype="float64")), inputs_for(CHARACTERS)
    together, state = bilm(inputs, mask=MASK)
    for row, length in enumerate(LENGTHS):
        alone, alone_state = bilm(inputs[row : row + 1, :length])
        is_equal(together[row, :, :length], alone[0], 1e-13)
        is_equal([part[row : row + 1] for part in tf.nest.flatten(state)], alone_state, 1e-13)


def test_layer_zero_is_the_word_vector_once_a_direction():
    bilm, inputs = filled(BiLM(CHARACTERS, dtype="float64")), inputs_for(CHARACTERS)
    layers, _ = bilm(inputs)
    vectors = bilm.encoder(inputs)
    is_equal(layers[:, 0], tf.concat([vectors, vectors], -1), 1e-14)


def test_directions_do_not_see_each_other():
    """The forward half knows nothing of later words, the backward half nothing of earlier ones."""
    bilm, inputs = filled(BiLM(CHARACTERS, dtype="float64")), inputs_for(CHARACTERS)
    other = inputs.copy()
    other[:, 2] = oracle.character_row("other", 9)
    first, second = bilm(inputs)[0].numpy(), bilm(other)[0].numpy()
    same = np.isclose(first, second, rtol=0, atol=1e-14).all((0, 3))  # [layer, step], both halves
    assert not same[:, 2].any()
    is_equal(first[:, :, :2, :4], second[:, :, :2, :4], 1e-14)
    is_equal(first[:, :, 3:, 4:], second[:, :, 3:, 4:], 1e-14)
    assert np.abs(first[:, 1:, 3:, :4] - second[:, 1:, 3:, :4]).max() > 1e-4
    assert np.abs(first[:, 1:, :2, 4:] - second[:, 1:, :2, 4:]).max() > 1e-4


def test_the_state_carries_a_text_over_two_calls():
    bilm, inputs = filled(BiLM(CHARACTERS, dtype="float64")), inputs_for(CHARACTERS)
    whole, _ = bilm(inputs)
    start, state = bilm(inputs[:, :2])
    rest, _ = bilm(inputs[:, 2:], initial_state=state)
    is_equal(tf.concat([start, rest], 2)[..., :4], whole[..., :4], 1e-13)  # forward; backward starts at the row's end
    rest, state = bilm(inputs[:, 2:])
    start, _ = bilm(inputs[:, :2], initial_state=state)
    is_equal(tf.concat([start, rest], 2)[..., 4:], whole[..., 4:], 1e-13)


def test_the_zero_state_is_no_state():
    bilm, inputs = filled(BiLM(CHARACTERS, dtype="float64")), inputs_for(CHARACTERS)
    zero = bilm.zero_state(3)
    assert [tuple(part.shape) for part in tf.nest.flatten(zero)] == [(3, 6), (3, 4)] * 4
    assert not any(np.any(part) for part in tf.nest.flatten(zero))
    is_equal(bilm(inputs, initial_state=zero), bilm(inputs), 0)


def test_no_dropout_ever():
    options = changed(CHARACTERS, dropout=0.5)
    bilm, inputs = filled(BiLM(options, dtype="float64")), inputs_for(options)
    for training in (True, False):
        is_equal(bilm(inputs, training=training), oracle.bilm(weights_of(bilm), options, inputs))


def test_contextualize_takes_vectors_that_were_encoded_before():
    bilm, inputs = filled(BiLM(CHARACTERS, dtype="float64")), inputs_for(CHARACTERS)
    rows, place = np.unique(inputs.reshape(-1, 9), axis=0, return_inverse=True)
    tokens = tf.gather(bilm.encoder(rows), place.reshape(3, 5))
    is_equal(bilm.contextualize(tokens, MASK), bilm(inputs, mask=MASK), 1e-13)


@pytest.mark.parametrize(
    ("options", "arguments", "n_weights"),
    [
        (CHARACTERS, {"mask": MASK}, 7 + 4 + 2 + 12),
        (CHARACTERS, {"initial_state": random_state(CHARACTERS, dtype="float32")}, 7 + 4 + 2 + 12),
        (WORD_INPUT, {}, 1 + 12),
        (changed(WORD_INPUT, bidirectional=False, lstm_n_layers=1), {"mask": MASK}, 1 + 3),
    ],
)
def test_it_keeps_what_keras_asks_of_a_layer(options, arguments, n_weights, tmp_path):
    written = Options.from_dict(options).to_dict()
    check_layer(BiLM, {"options": written}, inputs_for(options), arguments, n_weights=n_weights, tmp_path=tmp_path)


def test_options_come_as_object_or_as_json_and_are_kept():
    options = Options.from_dict(CHARACTERS)
    assert BiLM(CHARACTERS).options == BiLM(options).options == options
    config = json.loads(json.dumps(BiLM(options, "plain").get_config()))
    again = BiLM.from_config(config)
    assert (again.options, again.implementation) == (options, "plain")


def test_word_input_without_a_vocabulary_is_refused():
    with pytest.raises(ValueError, match="n_tokens_vocab is missing"):
        BiLM(changed(WORD_INPUT, n_tokens_vocab=None))


def test_every_weight_has_a_gradient_with_a_mask_and_in_a_graph():
    bilm, inputs = filled(BiLM(CHARACTERS, dtype="float64")), inputs_for(CHARACTERS)

    def gradients(inputs, mask):
        with tf.GradientTape() as tape:
            layers, _ = bilm(inputs, mask=mask)
            loss = tf.reduce_sum(tf.sin(tf.where(mask[:, None, :, None], layers, 0.0)))
        found = tape.gradient(loss, [weight.value for weight in bilm.weights])
        return [tf.convert_to_tensor(gradient) for gradient in found]

    specs = tf.TensorSpec([None, None, 9], tf.int32), tf.TensorSpec([None, None], tf.bool)
    eager = gradients(inputs, tf.constant(MASK))
    assert all(np.any(gradient) for gradient in eager)
    is_equal(tf.function(gradients, input_signature=specs)(inputs, MASK), eager, 1e-11)
