"""Cross-entropies, full and sampled, and their gradients against TensorFlow's own and NumPy."""

import numpy as np
import oracle
import pytest
import tensorflow as tf
from softmax_cases import BIAS, HIDDEN, KERNEL, NEGATIVES, TARGETS, V, with_gradients

from elmo_tf.layers.cross_entropy import SampledRows, full_cross_entropy, log_expected_count, sampled_cross_entropy


@pytest.mark.parametrize("chunk", [1, 3, 5, 19, 20, 21, 8192])
def test_the_full_loss_and_its_gradients_are_tensorflows(chunk):
    def reference(hidden, kernel, bias):
        logits = tf.matmul(hidden, kernel, transpose_b=True) + bias
        return tf.nn.sparse_softmax_cross_entropy_with_logits(TARGETS, logits)

    def ours(hidden, kernel, bias):
        return full_cross_entropy(hidden, TARGETS, kernel, bias, chunk)

    losses, gradients = with_gradients(ours, HIDDEN, KERNEL, BIAS)
    expected, expected_gradients = with_gradients(reference, HIDDEN, KERNEL, BIAS)
    np.testing.assert_allclose(losses, expected, rtol=0, atol=1e-13)
    np.testing.assert_allclose(losses, oracle.full_cross_entropy(HIDDEN, TARGETS, KERNEL, BIAS), rtol=0, atol=1e-13)
    for one, other in zip(gradients, expected_gradients, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-13)


@pytest.mark.parametrize("chunk", [1, 3, 5, 20])
def test_xla_computes_the_same_full_loss(chunk):
    @tf.function(jit_compile=True)
    def run(hidden, kernel, bias):
        with tf.GradientTape() as tape:
            tape.watch([hidden, kernel, bias])
            losses = full_cross_entropy(hidden, TARGETS, kernel, bias, chunk)
        return losses, tape.gradient(losses, [hidden, kernel, bias])

    losses, gradients = run(*map(tf.constant, (HIDDEN, KERNEL, BIAS)))
    expected, expected_gradients = with_gradients(
        lambda hidden, kernel, bias: full_cross_entropy(hidden, TARGETS, kernel, bias),
        HIDDEN,
        KERNEL,
        BIAS,
        upstream=1.0,
    )
    np.testing.assert_allclose(losses, expected, rtol=0, atol=1e-12)
    for one, other in zip(gradients, expected_gradients, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-12)


def sampled(hidden, targets, kernel, bias, negatives, tries):
    """The sampled loss, by whole tables."""
    rows = SampledRows(*(tf.gather(table, ids) for ids in (targets, negatives) for table in (kernel, bias)))
    return sampled_cross_entropy(hidden, targets, rows, negatives, tries, len(kernel))


@pytest.mark.parametrize("tries", [5, 9, 300])
def test_the_sampled_loss_and_its_gradients_are_tensorflows(tries):
    def counts(ids):
        return tf.cast([oracle.expected_count(word, tries, V) for word in ids], tf.float64)

    def reference(hidden, kernel, bias):
        drawn = tf.constant(NEGATIVES, tf.int64), counts(TARGETS)[:, None], counts(NEGATIVES)
        labels = tf.constant(TARGETS, tf.int64)[:, None]
        return tf.nn.sampled_softmax_loss(kernel, bias, labels, hidden, len(NEGATIVES), V, sampled_values=drawn)

    def ours(hidden, kernel, bias):
        return sampled(hidden, TARGETS, kernel, bias, NEGATIVES, float(tries))

    losses, gradients = with_gradients(ours, HIDDEN, KERNEL, BIAS)
    expected, expected_gradients = with_gradients(reference, HIDDEN, KERNEL, BIAS)
    np.testing.assert_allclose(losses, expected, rtol=0, atol=1e-5)  # the correction is made in float32
    for one, other in zip(gradients, expected_gradients, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-5)
    by_oracle = oracle.sampled_cross_entropy(HIDDEN, TARGETS, KERNEL, BIAS, NEGATIVES, tries)
    np.testing.assert_allclose(losses, by_oracle, rtol=0, atol=1e-5)


@pytest.mark.parametrize("jit_compile", [False, True])
def test_in_a_graph_where_the_shares_are_compiled_the_sampled_loss_is_the_same(jit_compile):
    def run(hidden, kernel, bias):
        return sampled(hidden, TARGETS, kernel, bias, NEGATIVES, 9.0)

    @tf.function(jit_compile=jit_compile)
    def compiled():
        return with_gradients(run, HIDDEN, KERNEL, BIAS)

    for one, other in zip(
        tf.nest.flatten(compiled()), tf.nest.flatten(with_gradients(run, HIDDEN, KERNEL, BIAS)), strict=True
    ):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-12)


def test_a_negative_that_is_the_target_is_taken_out():
    without = NEGATIVES[NEGATIVES != 19]
    arguments = HIDDEN[3:4], np.array([19], "int32"), KERNEL, BIAS
    np.testing.assert_allclose(sampled(*arguments, NEGATIVES, 9.0), sampled(*arguments, without, 9.0), atol=1e-12)


def test_with_every_word_drawn_for_certain_the_sampled_loss_is_the_full_one():
    everything = np.random.default_rng(3).permutation(V).astype("int32")
    losses = sampled(HIDDEN, TARGETS, KERNEL, BIAS, everything, 1e6)
    np.testing.assert_allclose(losses, oracle.full_cross_entropy(HIDDEN, TARGETS, KERNEL, BIAS), rtol=0, atol=1e-6)


@pytest.mark.parametrize("tries", [1, 8192, 40_000])
@pytest.mark.parametrize("vocabulary_size", [10, 800_000])
def test_the_expected_count_keeps_its_digits(tries, vocabulary_size):
    words = sorted({0, 1, 9, vocabulary_size // 3, vocabulary_size - 1})
    expected = np.log([oracle.expected_count(word, tries, vocabulary_size) for word in words])
    for number in (tf.constant(tries, tf.int32), tf.constant(tries, tf.float32), float(tries)):
        came = log_expected_count(tf.constant(words), number, vocabulary_size)
        np.testing.assert_allclose(came, expected, rtol=2e-6, atol=2e-6)


def huge(is_sampled):
    """Losses and gradients where logits are near 1e6, in float32."""
    hidden = np.array([[1e3, 0.0], [-1e3, 0.0], [0.0, 1e3]], "float32")
    kernel = np.array([[1e3, 0.0], [-1e3, 0.0], [0.0, 0.0], [0.0, -1e3]], "float32")
    targets, bias = np.array([0, 0, 3], "int32"), np.zeros(4, "float32")
    negatives = np.array([1, 2], "int32")

    def run(hidden, kernel, bias):
        if is_sampled:
            return sampled(hidden, targets, kernel, bias, negatives, 3.0)
        return full_cross_entropy(hidden, targets, kernel, bias, 3)

    return with_gradients(run, hidden, kernel, bias, upstream=1.0)


@pytest.mark.parametrize("is_sampled", [False, True])
def test_huge_logits_stay_finite(is_sampled):
    losses, gradients = huge(is_sampled)
    np.testing.assert_allclose(losses, [0, 2e6, 1e6], atol=2)
    for gradient in gradients:
        assert np.isfinite(gradient).all()


def test_a_sample_of_nothing_but_the_target_costs_nothing():
    word = np.array([4], "int32")

    def run(hidden, kernel, bias):
        return sampled(hidden, word, kernel, bias, word, 1.0)

    losses, gradients = with_gradients(run, HIDDEN[:1], KERNEL, BIAS, upstream=1.0)
    assert losses.numpy() == [0.0]
    assert not any(np.any(gradient) for gradient in gradients)
