"""`ElmoLayer` in training: what is trained, its gradients, and Keras's ways to train."""

import pathlib

import elmo_cases
import keras
import numpy as np
import pytest
import tensorflow as tf
from elmo_cases import LIMIT, SENTENCES, ids_of, padded
from elmo_process import run_python
from grids import rarely

TOKENS = padded(SENTENCES)
TARGETS = np.random.default_rng(3).normal(size=(4, 5, 2)).astype("float32")


def test_the_biLM_is_frozen_and_the_mix_is_not():
    made = elmo_cases.layer()
    assert [weight.path.split("/")[-2:] for weight in made.trainable_weights] == [["mix_0", "w"], ["mix_0", "gamma"]]
    assert len(made.weights) == 25 + 2


def test_the_switches_of_what_is_trained():
    made = elmo_cases.layer(trainable=True)
    assert len(made.trainable_weights) == 25 + 2
    made.bilm.trainable = False
    assert len(made.trainable_weights) == 2
    made.trainable = False
    assert not made.trainable_weights
    made.trainable = True
    assert len(made.trainable_weights) == 25 + 2
    late = elmo_cases.ElmoLayer(made.bilm.options)  # built by its first call
    late(TOKENS)
    assert len(late.trainable_weights) == 2


def test_without_a_mix_a_frozen_layer_has_nothing_to_train():
    assert not elmo_cases.layer(output="top").trainable_weights


@pytest.mark.parametrize(
    ("layer_norm", "as_ids"),
    [
        (None, True),
        ("bilm-tf", False),
        ("token", False),
        *(
            pytest.param(*case, marks=pytest.mark.exhaustive)
            for case in ((None, False), ("bilm-tf", True), ("token", True))
        ),
    ],
)
def test_gradients_are_those_of_finite_differences(layer_norm, as_ids):
    made = elmo_cases.layer(trainable=True, dtype="float64", layer_norm=layer_norm)
    tokens = tf.constant(ids_of(TOKENS) if as_ids else TOKENS)
    scale = np.random.default_rng(0).normal(size=(4, 5, 8))

    @tf.function
    def loss_of():
        return tf.reduce_sum(tf.sin(made(tokens)) * scale)

    with tf.GradientTape() as tape:
        loss = loss_of()
    gradients = tape.gradient(loss, [weight.value for weight in made.trainable_weights])
    random = np.random.default_rng(1)
    for weight, gradient in zip(made.trainable_weights, gradients, strict=True):
        gradient, at = tf.convert_to_tensor(gradient).numpy(), weight.numpy()
        direction = random.normal(size=at.shape)
        values = []
        for step in (1e-6, -1e-6):
            weight.assign(at + step * direction)
            values.append(float(loss_of()))
        weight.assign(at)
        numeric, exact = (values[0] - values[1]) / 2e-6, float(np.sum(gradient * direction))
        assert numeric == pytest.approx(exact, rel=1e-4, abs=1e-5), weight.path


def test_a_frozen_biLM_gives_the_mix_the_gradient_that_a_trained_one_gives():
    gradients = []
    for trainable in (False, True):
        made = elmo_cases.layer(trainable=trainable)
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(tf.square(made(TOKENS)))
        gradients.append(tape.gradient(loss, [made.mixes[0].w.value, made.mixes[0].gamma.value]))
    for one, other in zip(*gradients, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5)


@pytest.mark.parametrize(("trainable", "n_loops"), [(False, 0), (True, 4)])
def test_a_frozen_biLM_has_no_backward_pass(trainable, n_loops):
    made = elmo_cases.layer(trainable=trainable)

    def gradients(tokens):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(made(tokens))
        return tape.gradient(loss, [weight.value for weight in made.trainable_weights])

    assert elmo_cases.loops_of(gradients) - elmo_cases.loops_of(made) == n_loops


class Subclassed(keras.Model):
    def __init__(self, elmo):
        super().__init__()
        self.elmo, self.top = elmo, keras.layers.Dense(2, name="top")

    def call(self, inputs, training=None):
        return self.top(self.elmo(inputs, training=training))


def functional(elmo, ragged=False):
    inputs = keras.Input((None,), dtype="string", ragged=ragged)
    return keras.Model(inputs, keras.layers.Dense(2, name="top")(elmo(inputs)))


def sequential(elmo):
    return keras.Sequential([keras.Input((None,), dtype="string"), elmo, keras.layers.Dense(2, name="top")])


@pytest.mark.parametrize(
    ("form", "trainable"),
    [
        (functional, True),
        (Subclassed, False),
        *(rarely(form, False) for form in (functional, sequential)),
        *(rarely(form, True) for form in (sequential, Subclassed)),
    ],
)
def test_fit_trains_what_is_trainable_and_nothing_else(form, trainable):
    made = elmo_cases.layer(trainable=trainable, l2=0.01)
    model = form(made)
    model.compile(keras.optimizers.Adam(0.01), "mse")
    before = {weight.path: weight.numpy() for weight in made.weights}
    data = tf.data.Dataset.from_tensor_slices((TOKENS.astype(str), TARGETS)).repeat(8).batch(4)
    history = model.fit(data, epochs=3, verbose=0).history["loss"]
    assert history[-1] < history[0]
    changed = {path for path, value in before.items() if np.any(value != dict_of(made)[path])}
    assert changed == {weight.path for weight in made.trainable_weights}
    predicted = model.predict(tf.constant(TOKENS), verbose=0)
    np.testing.assert_allclose(predicted, model(tf.constant(TOKENS)), atol=1e-5)


def dict_of(made):
    return {weight.path: weight.numpy() for weight in made.weights}


def test_the_loss_of_padding_does_not_count():
    """Keras drops what the mask leaves out from the loss, through a layer that passes it on."""
    made = elmo_cases.layer()
    inputs = keras.Input((None,), dtype="string")
    model = keras.Model(inputs, keras.layers.Dense(2)(keras.layers.Dropout(0.0)(made(inputs))))
    model.compile("sgd", "mse")
    mask, predicted = TOKENS != "", model(tf.constant(TOKENS)).numpy()
    expected = np.square(predicted - TARGETS).mean(-1)[mask].mean()
    assert model.evaluate(tf.constant(TOKENS), TARGETS, verbose=0) == pytest.approx(expected, rel=1e-5)


def test_fit_takes_strings_as_tensors_and_data_sets():
    inputs = keras.Input((None,), dtype="string")
    model = keras.Model(inputs, keras.layers.Dense(2)(elmo_cases.layer()(inputs)))
    model.compile("sgd", "mse")
    expected = model(tf.constant(TOKENS))
    pairs = tf.data.Dataset.from_tensor_slices((TOKENS, TARGETS)).batch(4)
    for strings in (tf.constant(TOKENS), pairs):
        np.testing.assert_allclose(model.predict(strings, verbose=0), expected, atol=1e-6)
    model.evaluate(pairs, verbose=0)
    model.fit(tf.constant(TOKENS), TARGETS, verbose=0)
    model.fit(pairs, verbose=0)


def test_fit_on_ragged_batches():
    inputs = keras.Input((None,), dtype="string", ragged=True)
    model = keras.Model(inputs, keras.layers.Dense(2)(elmo_cases.layer(pooling="mean")(inputs)))
    model.compile("adam", "mse")
    rows = tf.ragged.constant(SENTENCES, dtype=tf.string)
    data = tf.data.Dataset.from_tensor_slices((rows, TARGETS[:, 0])).ragged_batch(2)
    data = data.map(lambda tokens, targets: (tokens, targets))
    assert np.isfinite(model.fit(data, epochs=2, verbose=0).history["loss"]).all()
    np.testing.assert_allclose(model.predict(data, verbose=0), model(tf.constant(TOKENS)), atol=1e-5)


@pytest.mark.parametrize("trainable", [rarely(False), True])
def test_jit_compile_from_character_ids(trainable):
    made, plain = elmo_cases.layer(trainable=trainable), elmo_cases.layer()
    ids = ids_of(TOKENS)
    for tokens in (ids, ids[:, ::-1], ids[:, :0], ids[:0]):
        compiled = tf.function(made, jit_compile=True)
        np.testing.assert_allclose(compiled(tokens), plain(tokens), rtol=0, atol=1e-5)
    inputs = keras.Input((None, LIMIT), dtype="int32")
    model = keras.Model(inputs, keras.layers.Dense(2)(made(inputs)))
    model.compile(keras.optimizers.Adam(0.01), "mse", jit_compile=True)
    history = model.fit(ids, TARGETS, epochs=4, verbose=0).history["loss"]
    assert history[-1] < history[0]


def test_gradients_under_jit_compile_are_those_without():
    made = elmo_cases.layer(trainable=True)
    ids = tf.constant(ids_of(TOKENS))

    def gradients():
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(tf.sin(made(ids)))
        return [tf.convert_to_tensor(g) for g in tape.gradient(loss, [w.value for w in made.trainable_weights])]

    for one, other in zip(tf.function(gradients, jit_compile=True)(), gradients(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("policy", [rarely("mixed_bfloat16"), "mixed_float16"])
def test_fit_in_half_precision(policy):
    made = elmo_cases.layer(trainable=True, dtype=policy, dropout=0.1)
    model = functional(made)
    model.compile(keras.optimizers.Adam(0.01), "mse")
    data = tf.data.Dataset.from_tensor_slices((TOKENS.astype(str), TARGETS)).repeat(4).batch(4)
    history = model.fit(data, epochs=4, verbose=0).history["loss"]
    assert np.isfinite(history).all()
    assert history[-1] < history[0]


TWO_REPLICAS = """
import sys
sys.path[:0] = [{tests!r}, {tests!r} + "/elmo"]
import tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
import elmo_cases, keras, numpy as np
from test_training import TARGETS, TOKENS
from elmo_tf.inference.character_ids import character_ids

tokens = TOKENS.astype(str)
tokens[tokens == ""] = "word"  # the same number of tokens on both replicas
data = tf.data.Dataset.from_tensor_slices((tokens, TARGETS))
mirrored = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
assert mirrored.num_replicas_in_sync == 2


def made_in(strategy, inputs, **arguments):
    with strategy.scope():
        elmo = elmo_cases.layer(trainable={trainable}, **arguments)
        model = keras.Model(inputs, keras.layers.Dense(2, kernel_initializer="ones")(elmo(inputs)))
        model.compile(keras.optimizers.SGD(0.05), "mse")
    return model


def fitted(strategy):
    model = made_in(strategy, keras.Input((None, elmo_cases.LIMIT), dtype="int32"))
    ids = data.map(lambda tokens, targets: (character_ids(tokens, elmo_cases.LIMIT), targets))
    model.fit(ids.batch(4), epochs=3, verbose=0)
    return model


def stepped(strategy):
    model = made_in(strategy, keras.Input((None,), dtype="string"), vocab_to_cache={cache})

    @tf.function
    def step(batch):
        def replica(tokens, targets):
            with tf.GradientTape() as tape:
                loss = tf.reduce_sum(tf.square(model(tokens, training=True) - targets)) / 40
            weights = model.trainable_weights
            model.optimizer.apply_gradients(zip(tape.gradient(loss, weights), weights))
        strategy.run(replica, batch)

    for batch in strategy.experimental_distribute_dataset(data.batch(4).repeat(3)):
        step(batch)
    return model


for train in (fitted, stepped):
    strategies = (tf.distribute.get_strategy(), mirrored)
    one, two = ([np.asarray(weight) for weight in train(strategy).weights] for strategy in strategies)
    first = [np.asarray(weight) for weight in made_in(mirrored, keras.Input((None,), dtype="string")).weights]
    for a, b in zip(one, two):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)
    assert any(np.abs(a - b).max() > 1e-3 for a, b in zip(one, first) if a.shape == b.shape)
"""


@pytest.mark.parametrize(("trainable", "cache"), [(True, None), (False, ["The", "cat"])])
def test_two_replicas_train_as_one_does(trainable, cache, tmp_path):
    tests = str(pathlib.Path(__file__).parents[1])
    run_python(TWO_REPLICAS.format(tests=tests, trainable=trainable, cache=cache), tmp_path)
