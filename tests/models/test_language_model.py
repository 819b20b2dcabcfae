"""The language model: both losses over all options against NumPy, dropout, shared weights, gradients, files."""

import inspect
import json

import keras
import numpy as np
import oracle
import pytest
import tensorflow as tf
from grids import grid
from layer_harness import check_layer
from model_cases import CASES, CHARACTERS, WORD_INPUT, changed, filled, weights_of

from elmo_tf.data.negatives import draw_negatives
from elmo_tf.models.language_model import LanguageModel
from elmo_tf.models.weight_names import named_variables
from elmo_tf.options import Options

B, T, V = 3, 4, 11
SEED = np.array([5, 6], "int32")
DISTINCT = ["<S>", "</S>", "a", "longish", "word", "été", "b"]
MASK = np.random.default_rng(1).random((2, B, T)) < 0.7


def window(options, dtype="float64"):
    """The arguments of one call, by name: a window of packed text with states from before."""
    random, directions = np.random.default_rng(2), oracle.directions(options)
    lstm = options["lstm"]
    words = oracle.character_rows(DISTINCT, 9) if "char_cnn" in options else np.array([0, 1, 9, 4, 5, 2, 10], "int32")

    def pair():
        return tuple(random.normal(size=(B, lstm[size])).astype(dtype) for size in ("dim", "projection_dim"))

    return {
        "words": words,
        "inputs": random.integers(0, len(words), (directions, B, T)).astype("int32"),
        "targets": random.integers(0, V, (directions, B, T)).astype("int32"),
        "state": [[pair() for _ in range(lstm["n_layers"])] for _ in range(directions)],
    }


def sample(options, count=5):
    """Negatives and tries of each direction."""
    drawn = [draw_negatives(count, V, 3, 0, direction) for direction in range(oracle.directions(options))]
    ids, tries = zip(*drawn, strict=True)
    return {"negatives": np.stack(ids), "tries": np.array(tries, "float32")}


def is_equal(came, expected, tolerance=1e-12):
    for one, other in zip(tf.nest.flatten(came), tf.nest.flatten(expected), strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=tolerance)


@pytest.mark.parametrize("masked", ["no mask", "masked"])
@pytest.mark.parametrize("case", CASES)
def test_the_full_loss_and_the_states_are_those_of_the_oracle(case, masked):
    options = CASES[case]
    model, given = filled(LanguageModel(options, dtype="float64")), window(options)
    mask = MASK[: oracle.directions(options)] if masked == "masked" else None
    is_equal(model(**given, mask=mask), oracle.language_model(weights_of(model), options, **given, mask=mask))


@pytest.mark.parametrize("case", CASES)
def test_the_sampled_loss_is_that_of_the_oracle(case):
    options = CASES[case]
    model, given = filled(LanguageModel(options, dtype="float64")), window(options)
    losses, state = model(**given, **sample(options))
    expected, expected_state = oracle.language_model(weights_of(model), options, **given, **sample(options))
    is_equal(losses, expected, 1e-5)  # the expected counts are float32
    is_equal(state, expected_state)


@pytest.mark.parametrize("case", ["characters", "shared softmax"])
def test_in_float32_to_float32s_digits(case):
    options = CASES[case]
    model, given = filled(LanguageModel(options)), window(options, "float32")
    is_equal(model(**given), oracle.language_model(weights_of(model), options, **given), 5e-6)


def test_the_state_left_out_is_zero():
    model, given = filled(LanguageModel(CHARACTERS, dtype="float64")), window(CHARACTERS)
    del given["state"]
    is_equal(model(**given), model(**given, state=model.zero_state(B)), 0)
    is_equal(model(**given), oracle.language_model(weights_of(model), CHARACTERS, **given))


def test_a_window_in_two_halves_with_the_state_carried_is_the_whole():
    model, given = filled(LanguageModel(CHARACTERS, dtype="float64")), window(CHARACTERS)
    whole, final = model(**given)
    losses, state = [], given["state"]
    for part in (slice(0, 1), slice(1, T)):
        loss, state = model(given["words"], given["inputs"][:, :, part], given["targets"][:, :, part], state)
        losses.append(loss)
    is_equal((tf.concat(losses, 2), state), (whole, final), 1e-13)


def test_the_bilm_inside_gives_the_hidden_vectors_of_the_loss():
    """Embedding and training read the same model: the biLM's forward half, through the softmax, is the forward loss."""
    model, given = filled(LanguageModel(CHARACTERS, dtype="float64")), window(CHARACTERS)
    del given["state"]
    losses, _ = model(**given)
    for direction in (0, 1):
        ids = given["words"][given["inputs"][direction]]
        ids = ids[:, ::-1] if direction else ids  # the biLM turns the text round itself
        top = model.bilm(ids)[0][:, -1]
        hidden = top[:, ::-1, 4:] if direction else top[..., :4]
        is_equal(model.softmax(hidden, given["targets"][direction]), losses[direction], 1e-12)


@pytest.mark.parametrize("case", ["characters", "three layers", "no skip connections", "forward only", "word input"])
def test_dropout_falls_on_the_inputs_of_the_lstms_and_the_last_output_and_nowhere_else(case):
    options = changed(CASES[case], dropout=0.4)
    model, given = filled(LanguageModel(options, dtype="float64")), window(options)
    masks = model.dropout_masks(SEED, B, T)
    scales = [[mask.numpy() for mask in direction] for direction in masks]
    came = model(**given, dropout_masks=masks)
    is_equal(came, oracle.language_model(weights_of(model), options, **given, scales=scales))
    different = {scale.tobytes() for direction in scales for scale in direction}
    assert len(different) == oracle.directions(options) * (options["lstm"]["n_layers"] + 1)
    is_equal(model(**given, dropout_masks=model.dropout_masks(SEED, B, T)), came, 0)
    others = model(**given, dropout_masks=model.dropout_masks(SEED + 1, B, T))
    assert np.abs(others[0] - came[0]).max() > 1e-3


def test_without_masks_nothing_is_dropped_and_without_a_rate_there_are_none():
    options = changed(CHARACTERS, dropout=0.4)
    model, given = filled(LanguageModel(options, dtype="float64")), window(options)
    came = model(**given, training=True)
    is_equal(came, oracle.language_model(weights_of(model), options, **given))
    assert LanguageModel(changed(CHARACTERS, dropout=0.0)).dropout_masks(SEED, B, T) is None


def test_locked_dropout_has_one_mask_for_all_steps_of_a_row_at_the_rate_of_each_place():
    options = changed(CHARACTERS, locked_dropout=True, dropout=0.5, token_dropout=0.25, output_dropout=0.0)
    model, given = filled(LanguageModel(options, dtype="float64")), window(options)
    masks = model.dropout_masks(SEED, B, T)
    size, between = options["lstm"]["projection_dim"], options["lstm"]["n_layers"] - 1
    for tokens, *layers, output in masks:
        assert tokens.shape == (B, 1, size)
        assert set(np.unique(tokens)) <= {0.0, 1 / 0.75}
        assert [set(np.unique(layer)) <= {0.0, 2.0} for layer in layers] == [True] * between
        assert output is None
    ones = np.ones((B, T, size))
    scales = [[ones if mask is None else ones * mask.numpy() for mask in direction] for direction in masks]
    expected = oracle.language_model(weights_of(model), options, **given, scales=scales)
    is_equal(model(**given, dropout_masks=masks), expected)


def test_word_dropout_drops_the_vector_of_a_word_wherever_it_occurs_in_the_window():
    options = changed(CHARACTERS, dropout=0.0, word_dropout=0.5)
    model, given = LanguageModel(options), window(options)
    masks = model.dropout_masks(SEED, B, T, given["inputs"], len(DISTINCT))
    assert [mask for direction in masks for mask in direction[1:]] == [None] * (2 * options["lstm"]["n_layers"])
    values = {}
    for mask, inputs in zip(masks, given["inputs"], strict=True):
        assert mask[0].shape == (B, T, 1)
        for word, value in zip(inputs.ravel(), mask[0].numpy().ravel(), strict=True):
            values.setdefault(int(word), set()).add(float(value))
    assert all(len(found) == 1 for found in values.values())
    assert set.union(*values.values()) == {0.0, 2.0}


@pytest.mark.parametrize("case", ["characters", "three layers", "forward only", "no projection at all"])
def test_weight_dropout_drops_the_recurrent_weights_of_each_layer_for_all_rows_and_steps(case):
    options = changed(CASES[case], weight_dropout=0.5)
    model, given = filled(LanguageModel(options, dtype="float64")), window(options)
    masks, lstm = model.weight_masks(SEED), options["lstm"]
    size, weights = lstm["projection_dim"], weights_of(model)
    for direction, of_layers in enumerate(masks):
        for number, mask in enumerate(of_layers):
            assert mask.shape == (size, 4 * lstm["dim"])
            assert set(np.unique(mask)) == {0.0, 2.0}
            kernel = weights[f"RNN_{direction}/RNN/MultiRNNCell/Cell{number}/LSTMCell/W_0"]
            kernel[-size:] *= mask.numpy()
    assert len({mask.numpy().tobytes() for of_layers in masks for mask in of_layers}) == (
        oracle.directions(options) * lstm["n_layers"]
    )
    came = model(**given, weight_masks=masks)
    is_equal(came, oracle.language_model(weights, options, **given))
    is_equal(model(**given, weight_masks=model.weight_masks(SEED)), came, 0)
    others = model(**given, weight_masks=model.weight_masks(SEED + 1))
    assert np.abs(others[0] - came[0]).max() > 1e-3


def test_no_weights_are_dropped_without_masks_and_without_a_rate_there_are_none():
    options = changed(CHARACTERS, weight_dropout=0.5)
    model, given = filled(LanguageModel(options, dtype="float64")), window(options)
    is_equal(model(**given, training=True), oracle.language_model(weights_of(model), options, **given))
    assert LanguageModel(CHARACTERS).weight_masks(SEED) is None


PENALTIES = {"activation_regularization": 2.0, "temporal_activation_regularization": 1.5}


@pytest.mark.parametrize("case", ["characters", "no skip connections", "forward only"])
def test_the_penalties_are_of_the_last_outputs_with_and_without_dropout_and_change_no_loss(case):
    options = changed(CASES[case], dropout=0.4, **PENALTIES)
    model, given = filled(LanguageModel(options, dtype="float64")), window(options)
    masks, weights = model.dropout_masks(SEED, B, T), weights_of(model)
    *came, penalties = model(**given, dropout_masks=masks, with_penalties=True)
    is_equal(came, model(**given, dropout_masks=masks), 0)
    vectors, expected = oracle.encode(weights, options, given["words"]), []
    for direction, of_layers in enumerate(masks):
        *between, last = (mask.numpy() for mask in of_layers)
        inputs, state = vectors[given["inputs"][direction]], given["state"][direction]
        top = oracle.lstm_stack(weights, options, direction, inputs, state, scales=between)[0][-1]
        expected.append(oracle.activation_penalty(top * last, top, *PENALTIES.values()))
    is_equal(penalties, np.stack(expected))


@pytest.mark.parametrize("dtype", ["mixed_bfloat16", "mixed_float16"])
def test_in_half_precision_the_penalties_are_float32(dtype):
    options, given = changed(CHARACTERS, weight_dropout=0.5, **PENALTIES), window(CHARACTERS, "float32")
    exact, mixed = (filled(LanguageModel(options, dtype=dtype)) for dtype in ("float32", dtype))
    expected, came = (
        model(**given, weight_masks=model.weight_masks(SEED), with_penalties=True)[-1] for model in (exact, mixed)
    )
    assert came.dtype == tf.float32
    np.testing.assert_allclose(came, expected, rtol=0.05)


def gradients_of(model, given):
    with tf.GradientTape() as tape:
        losses, _ = model(**given)
        loss = tf.reduce_mean(losses)
    named = named_variables(model)
    return dict(zip(named, tape.gradient(loss, list(named.values())), strict=True))


@pytest.mark.parametrize(
    ("case", "sampled"),
    grid(["characters", "no projection of the cells", "word input", "shared softmax"], [False, True]),
)
def test_gradients_are_finite_differences(case, sampled):
    options = CASES[case]
    model, given = filled(LanguageModel(options, dtype="float64")), window(options)
    given |= sample(options) if sampled else {}
    gradients, named = gradients_of(model, given), named_variables(model)
    random = np.random.default_rng(8)
    for name, variable in named.items():
        value, direction = variable.numpy(), random.normal(size=variable.shape)
        means = []
        for step in (1e-6, -1e-6):
            variable.assign(value + step * direction)
            means.append(np.mean(model(**given)[0]))
        variable.assign(value)
        slope = np.sum(tf.convert_to_tensor(gradients[name]) * direction)
        assert slope == pytest.approx((means[0] - means[1]) / 2e-6, abs=2e-8), name
        assert slope != 0, name


def penalised(model, given):
    """The mean loss with the penalties, as it is trained."""
    losses, _, penalties = model(**given, with_penalties=True)
    return tf.reduce_mean(losses) + tf.reduce_sum(penalties)


@pytest.mark.parametrize("case", ["characters", "no projection of the cells"])
def test_gradients_with_dropped_weights_and_penalties_are_finite_differences_and_those_of_the_plain_recurrence(case):
    options = changed(CASES[case], dropout=0.3, weight_dropout=0.5, **PENALTIES)
    given, found = window(options), []
    for implementation in ("fused", "plain"):
        model = filled(LanguageModel(options, implementation, dtype="float64"))
        masks = model.weight_masks(SEED)
        given |= {"weight_masks": masks, "dropout_masks": model.dropout_masks(SEED, B, T)}
        with tf.GradientTape() as tape:
            loss = penalised(model, given)
        named = named_variables(model)
        found.append(tape.gradient(loss, list(named.values())))
    fused, plain = (tf.nest.map_structure(tf.convert_to_tensor, list(gradients)) for gradients in found)
    is_equal(fused, plain)
    random, values = np.random.default_rng(8), weights_of(model)
    along = {name: random.normal(size=value.shape) for name, value in values.items()}
    reached = []
    for step in (1e-6, -1e-6):
        for name, variable in named.items():
            variable.assign(values[name] + step * along[name])
        reached.append(float(penalised(model, given)))
    slope = sum(np.sum(gradient * along[name]) for name, gradient in zip(named, fused, strict=True))
    assert slope == pytest.approx((reached[0] - reached[1]) / 2e-6, abs=1e-7)
    assert all(np.any(gradient) for gradient in fused)
    for direction, of_layers in enumerate(masks):
        for number, mask in enumerate(of_layers):
            kernel = list(named).index(f"RNN_{direction}/RNN/MultiRNNCell/Cell{number}/LSTMCell/W_0")
            recurrent = fused[kernel][-mask.shape[0] :]
            assert not np.any(recurrent[mask == 0])
            assert np.any(recurrent)


def test_the_gradient_flows_into_the_state_where_the_caller_asks_for_it():
    model, given = filled(LanguageModel(CHARACTERS, dtype="float64")), window(CHARACTERS)
    state = tf.nest.map_structure(tf.constant, given["state"])
    with tf.GradientTape() as tape:
        tape.watch(state)
        losses, _ = model(**{**given, "state": state})
    assert all(np.any(gradient) for gradient in tf.nest.flatten(tape.gradient(losses, state)))


@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16"])
@pytest.mark.parametrize("case", ["characters", "word input", "shared softmax"])
def test_nothing_costs_by_vocabulary(case, dtype):
    """With the sampled softmax the gradients of all tables are sparse: rows of targets, negatives and words read."""
    options = changed(CASES[case], n_tokens_vocab=500)
    model, given = LanguageModel(options, dtype=dtype), window(options, "float32")
    model.build()
    given |= sample(options)
    gradients = tf.function(gradients_of)(model, given)
    used = set(given["targets"].ravel()) | set(given["negatives"].ravel())
    read = set() if "char_cnn" in options else set(given["words"])
    expected = {"softmax/W": used, "softmax/b": used, "embedding": read | (used if "shared" in case else set())}
    tables = [name for name in expected if name in gradients]
    assert len(tables) >= 2
    for name in tables:
        assert isinstance(gradients[name], tf.IndexedSlices), name
        assert set(gradients[name].indices.numpy()) == expected[name], name


def test_shared_weights_are_one_variable():
    model = filled(LanguageModel(CASES["shared softmax"]))
    assert "softmax/W" not in named_variables(model)
    assert len(model.weights) == len(named_variables(model))


@pytest.mark.parametrize("case", ["characters", "forward only", "shared softmax"])
@pytest.mark.parametrize("sampled", [False, True])
def test_a_graph_of_unknown_sizes_gives_the_eager_numbers(case, sampled):
    options = CASES[case]
    model, given = filled(LanguageModel(options, dtype="float64")), window(options)
    given |= sample(options) if sampled else {}

    def free(array, n_kept=0):
        shape = [size if array.ndim - axis <= n_kept else None for axis, size in enumerate(array.shape)]
        return tf.TensorSpec(shape, array.dtype)

    specs = {name: free(array) for name, array in given.items() if name != "state"}
    specs["state"] = tf.nest.map_structure(lambda part: free(part, 1), given["state"])
    specs["words"] = free(given["words"], given["words"].ndim - 1)
    graph = tf.function(lambda given: model(**given), input_signature=[specs])
    is_equal(graph(given), model(**given), 1e-6 if sampled else 1e-12)


@pytest.mark.parametrize("sampled", [False, True])
def test_xla_gives_the_eager_gradients(sampled):
    options = CASES["one layer"]
    model, given = filled(LanguageModel(options)), window(options, "float32")
    given |= sample(options) if sampled else {}
    given["mask"] = MASK
    came = tf.function(gradients_of, jit_compile=True)(model, given)
    for name, gradient in gradients_of(model, given).items():
        one, other = map(tf.convert_to_tensor, (came[name], gradient))
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-6, err_msg=name)


@pytest.mark.parametrize("case", ["characters", "word input", "shared softmax"])
@pytest.mark.parametrize("how", ["model.keras", "model.weights.h5"])
def test_a_saved_model_gives_the_same_numbers(case, how, tmp_path):
    options = CASES[case]
    model, given = filled(LanguageModel(options)), window(options, "float32")
    came = model(**given)
    if how == "model.keras":
        model.save(tmp_path / how)
        again = keras.models.load_model(tmp_path / how)
        assert again.options == model.options
    else:
        model.save_weights(tmp_path / how)
        again = LanguageModel(options)
        again.build()
        again.load_weights(tmp_path / how)
    is_equal(again(**given), came, 0)


@pytest.mark.parametrize(
    ("case", "sampled", "n_weights"), [("one layer", False, 21), ("word input, forward only, one layer", True, 6)]
)
def test_it_keeps_what_keras_asks_of_a_layer(case, sampled, n_weights, tmp_path):
    options = CASES[case]
    config, arguments = {"options": Options.from_dict(options).to_dict()}, window(options, "float32")
    arguments |= {"mask": MASK[: oracle.directions(options)], **(sample(options) if sampled else {})}
    words = arguments.pop("words")
    check_layer(LanguageModel, config, words, arguments, n_weights=n_weights, tmp_path=tmp_path)


def test_the_config_holds_every_argument():
    model = LanguageModel(CHARACTERS, "plain")
    config = json.loads(json.dumps(model.get_config()))
    arguments = set(inspect.signature(LanguageModel.__init__).parameters) - {"self", "kwargs"}
    assert arguments <= set(config)
    again = LanguageModel.from_config(config)
    assert again.options == model.options == Options.from_dict(CHARACTERS)
    assert again.implementation == again.bilm.implementation == "plain"


@pytest.mark.parametrize("sampled", [False, True])
def test_mixed_precision_runs_with_losses_in_float32(sampled):
    exact, mixed = (filled(LanguageModel(CHARACTERS, dtype=dtype)) for dtype in ("float32", "mixed_bfloat16"))
    given = window(CHARACTERS, "float32")
    given |= sample(CHARACTERS) if sampled else {}
    losses, _ = mixed(**given)
    assert losses.dtype == tf.float32
    is_equal(losses, exact(**given)[0], 0.1)


def test_a_vocabulary_of_unknown_size_is_refused():
    with pytest.raises(ValueError, match="n_tokens_vocab is missing"):
        LanguageModel(changed(WORD_INPUT, n_tokens_vocab=None))
