"""Sentence pooling against NumPy."""

import numpy as np
import oracle
import pytest
from layer_harness import check_layer

from elmo_tf.layers import SentencePooling

VECTORS = np.random.default_rng(0).normal(size=(3, 5, 6)).astype("float32") - 3
MASK = np.array([[1, 1, 1, 1, 1], [0, 1, 0, 1, 0], [0, 0, 0, 0, 0]], bool)


@pytest.mark.parametrize("kind", ["mean", "max"])
def test_values_are_those_of_the_oracle(kind):
    pool = SentencePooling(kind)
    expected = oracle.pooled(kind, VECTORS, MASK)
    np.testing.assert_allclose(pool(VECTORS, mask=MASK), expected, atol=1e-6)
    np.testing.assert_allclose(pool(VECTORS), oracle.pooled(kind, VECTORS, np.ones_like(MASK)), atol=1e-6)
    layers = np.stack([VECTORS, 2 * VECTORS], 1)
    np.testing.assert_allclose(pool(layers, mask=MASK), np.stack([expected, 2 * expected], 1), atol=1e-6)


@pytest.mark.parametrize("kind", ["mean", "max"])
@pytest.mark.parametrize("shape", [(0, 5, 6), (2, 0, 6)])
def test_nothing_pools_to_nothing_or_zero(kind, shape):
    result = SentencePooling(kind)(np.zeros(shape, "float32"), mask=np.zeros(shape[:2], bool))
    np.testing.assert_array_equal(result, np.zeros((shape[0], 6)))


def test_a_long_sum_keeps_its_digits_in_half_precision():
    vectors = np.full((1, 4000, 1), 3.0, "float16")
    assert float(SentencePooling("mean", dtype="float16")(vectors)[0, 0]) == 3.0


def test_another_kind_is_refused():
    with pytest.raises(ValueError, match="kind: expected one of \\('mean', 'max'\\), got 'sum'"):
        SentencePooling("sum")


@pytest.mark.parametrize("kind", ["mean", "max"])
def test_it_keeps_what_keras_asks_of_a_layer(kind, tmp_path):
    check_layer(SentencePooling, {"kind": kind}, VECTORS, {"mask": MASK}, n_weights=0, tmp_path=tmp_path)
