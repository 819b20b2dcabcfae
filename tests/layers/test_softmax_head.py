"""The softmax as a Keras layer: what Keras expects of it, shared weights, and the rows with a gradient."""

import keras
import numpy as np
import oracle
import pytest
import tensorflow as tf
from layer_harness import check_layer, randomise_weights
from softmax_cases import HIDDEN, KERNEL, NEGATIVES, TARGETS, TRIES, D, N, V, with_gradients

from elmo_tf.layers import SoftmaxHead
from elmo_tf.layers.cross_entropy import full_cross_entropy

INPUTS = HIDDEN[:6].reshape(2, 3, D).astype("float32")
SHAPED_TARGETS = TARGETS[:6].reshape(2, 3)


@pytest.mark.parametrize(
    ("config", "arguments"),
    [
        ({"vocabulary_size": V}, {}),
        ({"vocabulary_size": V, "chunk": 7}, {}),
        ({"vocabulary_size": V}, {"negatives": NEGATIVES, "tries": np.array(TRIES, "float32")}),
        ({"vocabulary_size": V}, {"negatives": NEGATIVES, "tries": np.array(TRIES, "int32")}),
    ],
)
def test_it_keeps_what_keras_asks_of_a_layer(config, arguments, tmp_path):
    arguments = {"targets": SHAPED_TARGETS, **arguments}
    check_layer(SoftmaxHead, config, INPUTS, arguments, n_weights=2, tmp_path=tmp_path)


def test_the_full_loss_runs_in_a_graph_of_unknown_sizes():
    head = SoftmaxHead(V, chunk=6, dtype="float64")
    head.build((None, D))
    randomise_weights(head)

    @tf.function(input_signature=[tf.TensorSpec([None, D], tf.float64), tf.TensorSpec([None], tf.int32)])
    def run(hidden, targets):
        with tf.GradientTape() as tape:
            losses = head(hidden, targets)
        return losses, tape.gradient(losses, [weight.value for weight in head.weights])

    for rows in (1, N):
        losses, gradients = run(HIDDEN[:rows], TARGETS[:rows])
        expected, (_, *expected_gradients) = with_gradients(
            lambda hidden, kernel, bias, rows=rows: full_cross_entropy(hidden, TARGETS[:rows], kernel, bias),
            HIDDEN[:rows],
            head.kernel.numpy(),
            head.bias.numpy(),
            upstream=1.0,
        )
        np.testing.assert_allclose(losses, expected, rtol=0, atol=1e-13)
        for one, other in zip(gradients, expected_gradients, strict=True):
            np.testing.assert_allclose(one, other, rtol=0, atol=1e-13)


@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16"])
@pytest.mark.parametrize("own_kernel", [True, False])
def test_sampled_gradients_touch_the_rows_of_targets_and_negatives_alone(dtype, own_kernel):
    size = 1000
    head = SoftmaxHead(size, own_kernel=own_kernel, dtype=dtype)
    head.build((None, D))
    kernel = head.kernel.value if own_kernel else tf.Variable(tf.ones([size, D]))

    @tf.function
    def run():
        with tf.GradientTape() as tape:
            losses = head(
                HIDDEN.astype("float32"),
                TARGETS,
                negatives=NEGATIVES,
                tries=np.float32(TRIES),
                kernel=None if own_kernel else kernel,
            )
        return losses, tape.gradient(losses, [kernel, head.bias.value])

    losses, gradients = run()
    assert losses.dtype == tf.float32
    for gradient in gradients:
        assert isinstance(gradient, tf.IndexedSlices)
        assert sorted(gradient.indices.numpy()) == sorted([*TARGETS, *NEGATIVES])


def test_shared_weights_are_the_calls_and_the_bias_the_heads_own():
    head = SoftmaxHead(V, own_kernel=False, dtype="float64")
    losses = head(HIDDEN, TARGETS, kernel=tf.Variable(KERNEL))
    assert [weight.name for weight in head.weights] == ["b"]
    np.testing.assert_allclose(losses, oracle.full_cross_entropy(HIDDEN, TARGETS, KERNEL, np.zeros(V)), atol=1e-13)
    with pytest.raises(ValueError, match=r"kernel: expected the shared weights"):
        head(HIDDEN, TARGETS)


def test_initial_values():
    keras.utils.set_random_seed(2)
    head = SoftmaxHead(200, dtype="float64")
    head.build((None, 50))
    scaled = head.kernel.numpy() * 50**0.5
    assert abs(scaled.std() - 1) < 0.03
    assert abs((scaled**4).mean() - 3) < 0.5
    assert np.abs(scaled).max() > 3
    assert not np.any(head.bias)
