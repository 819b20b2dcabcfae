"""`ElmoLayer` with `TimeDistributed`, `quantize` and dtype policies of Keras, and mistakes in how it is used."""

import warnings

import elmo_cases
import keras
import numpy as np
import pytest
import tensorflow as tf
from elmo_cases import LIMIT, SENTENCES, ids_of, padded
from grids import grid
from model_cases import CHARACTERS, changed

TOKENS = padded(SENTENCES)
ARGUMENTS = [
    *({"output": output} for output in ("mix", "top", "average", "concat", "all")),
    {"num_mixes": 3},
    {"pooling": "max"},
    {"num_mixes": 2, "pooling": "mean"},
    {"output": "all", "pooling": "mean"},
    {"output": "concat", "keep_boundaries": True},
    {"return_state": True},
    {"num_mixes": 2, "return_state": True, "keep_boundaries": True},
]


def shapes_of(values):
    """The shapes of nested tensors, nested as they are."""
    return tf.nest.map_structure(lambda value: tuple(value.shape), values)


@pytest.mark.parametrize("arguments", ARGUMENTS, ids=str)
def test_the_shape_that_is_computed_is_that_of_the_result(arguments):
    made = elmo_cases.layer(**arguments)
    for tokens in (TOKENS, ids_of(TOKENS)):
        assert made.compute_output_shape(tokens.shape) == shapes_of(made(tf.constant(tokens)))
    one_way = elmo_cases.layer(changed(CHARACTERS, bidirectional=False), **arguments)
    assert one_way.compute_output_shape(TOKENS.shape) == shapes_of(one_way(tf.constant(TOKENS)))


@pytest.mark.parametrize("arguments", ARGUMENTS, ids=str)
def test_the_shape_of_unknown_rows_and_steps_is_the_symbolic_one(arguments):
    made = elmo_cases.layer(**arguments)
    symbolic = made(keras.Input((None,), dtype="string"))
    flat = [value.shape for value in keras.tree.flatten(symbolic)]
    assert [*_shapes(made.compute_output_shape((None, None)))] == flat


def _shapes(nested):
    """The shapes in nested lists and tuples, one after the other."""
    if all(size is None or isinstance(size, int) for size in nested):
        yield tuple(nested)
    else:
        for part in nested:
            yield from _shapes(part)


def test_the_states_keep_their_dtype_in_a_symbolic_call_under_a_mixed_policy():
    made = elmo_cases.layer(return_state=True, dtype="mixed_bfloat16")
    vectors, state = made(keras.Input((None,), dtype="string"))
    assert vectors.dtype == "bfloat16"
    assert {pair[0].dtype for layers in state for pair in layers} == {"float32"}


@pytest.mark.parametrize(
    ("arguments", "reads"), grid([{}, {"pooling": "mean"}, {"output": "concat"}], ["strings", "characters"])
)
def test_time_distributed_applies_the_layer_to_each_sentence_of_a_document(arguments, reads):
    made = elmo_cases.layer(**arguments)
    tokens = np.stack([TOKENS, TOKENS[::-1]], 1)  # (documents, sentences, tokens)
    shape, dtype, values = tokens.shape[1:], "string", tf.constant(tokens)
    if reads == "characters":
        shape, dtype = (*tokens.shape[1:], LIMIT), "int32"
        values = tf.constant(np.stack([ids_of(TOKENS), ids_of(TOKENS[::-1])], 1))
    inputs = keras.Input((shape[0], None, *shape[2:]), dtype=dtype)
    model = keras.Model(inputs, keras.layers.TimeDistributed(made)(inputs))
    size = made.compute_output_shape((None, None))[-1]
    assert model.output_shape == (None, 2, *([] if arguments.get("pooling") else [None]), size)
    expected = np.stack([made(tf.constant(TOKENS)), made(tf.constant(TOKENS[::-1]))], 1)
    np.testing.assert_allclose(model(values), expected, rtol=0, atol=1e-6)
    np.testing.assert_allclose(model.predict(values, verbose=0), expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("arguments", [{}, {"pooling": "mean"}, {"output": "all"}, {"dropout": 0.5}], ids=str)
def test_a_model_is_quantized_around_the_layer(arguments):
    made = elmo_cases.layer(**arguments)
    inputs = keras.Input((None,), dtype="string")
    model = keras.Model(inputs, keras.layers.Dense(3)(made(inputs)))
    before, vectors = model(tf.constant(TOKENS)).numpy(), made(tf.constant(TOKENS)).numpy()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Keras warns of each layer that it leaves as it is
        model.quantize("int8")
    assert model.layers[-1].dtype_policy.name == "int8_from_float32"
    np.testing.assert_allclose(model(tf.constant(TOKENS)), before, rtol=0, atol=0.05)
    np.testing.assert_array_equal(made(tf.constant(TOKENS)), vectors)


@pytest.mark.parametrize("trainable", [False, True])
def test_a_float64_policy_computes_in_float64(trainable, tmp_path):
    arguments = {"trainable": trainable, "layer_norm": "token", "dtype": "float64"}
    if not trainable:
        arguments["vocab_to_cache"] = ["cat"]
    made = elmo_cases.layer(**arguments)
    vectors = made(SENTENCES)
    assert vectors.dtype == tf.float64
    assert {weight.dtype for weight in made.weights} == {"float64"}
    single = elmo_cases.layer(layer_norm="token")
    np.testing.assert_allclose(vectors, single(SENTENCES), rtol=0, atol=1e-5)
    inputs = keras.Input((None,), dtype="string")
    model = keras.Model(inputs, keras.layers.Dense(1, dtype="float64")(made(inputs)))
    model.compile("sgd", "mse")
    model.fit(tf.constant(TOKENS), np.zeros((*TOKENS.shape, 1)), verbose=0)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(again(tf.constant(TOKENS)), model(tf.constant(TOKENS)))
