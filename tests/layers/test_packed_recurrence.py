"""The recurrence over packed rows: the plain one's values for every row, whatever the lengths of the others."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from elmo_tf.layers import packed_recurrence as packed_module
from elmo_tf.layers.packed_recurrence import packed_recurrence
from elmo_tf.layers.projected_lstm import ProjectedLSTM
from elmo_tf.layers.recurrence import Weights, plain_recurrence

I, H, D = 3, 5, 2
CLIPS = {"no clips": (None, None), "tight clips": (0.25, 0.04)}
LENGTHS = [9, 6, 6, 1]
"""The longest row first."""


def packed(rows):
    """Rows `(length, I)` one step after the other, and where each step begins."""
    steps = [[row[step] for row in rows if step < len(row)] for step in range(len(rows[0]))]
    return np.concatenate(steps), np.cumsum([0, *map(len, steps)], dtype=np.int32)


def numbers(has_projection, dtype=np.float64):
    random = np.random.default_rng(3)
    size = D if has_projection else H
    rows = [random.normal(size=(length, I)).astype(dtype) for length in LENGTHS]
    kernel, bias = random.normal(size=(I + size, 4 * H)) * 0.7, random.normal(size=4 * H) * 0.5
    projection = random.normal(size=(H, D)) * 0.5 if has_projection else None
    return rows, [None if weight is None else weight.astype(dtype) for weight in (kernel, bias, projection)]


@pytest.mark.parametrize(
    ("has_projection", "clips", "is_compiled", "vectors_together"),
    [
        *itertools.product([True, False], CLIPS, [False], [0, 1024]),
        (True, "tight clips", True, 0),
        (True, "tight clips", True, 1024),
    ],
)
def test_every_row_has_the_outputs_of_the_plain_recurrence_on_it_alone(
    monkeypatch, has_projection, clips, is_compiled, vectors_together
):
    monkeypatch.setattr(packed_module, "_FEW_VECTORS", vectors_together)
    rows, weights = numbers(has_projection)
    weights = Weights(*weights, *CLIPS[clips])
    inputs, starts = packed(rows)

    def run(inputs, starts):
        return packed_recurrence(inputs, starts, weights, tf.float64)

    if is_compiled:
        run = tf.function(run, input_signature=[tf.TensorSpec([None, I], tf.float64), tf.TensorSpec([None], tf.int32)])
    size = D if has_projection else H
    zeros = tf.zeros([1, H], tf.float64), tf.zeros([1, size], tf.float64)
    alone = [plain_recurrence(row[:, None], weights, zeros, None)[0][:, 0].numpy() for row in rows]
    outputs = run(tf.constant(inputs), tf.constant(starts))
    assert outputs.shape == (sum(LENGTHS), size)
    np.testing.assert_allclose(outputs, packed(alone)[0], rtol=0, atol=1e-12)


@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16", "bfloat16"])
def test_a_layer_reads_packed_rows_in_its_own_precision(dtype):
    rows, (kernel, bias, projection) = numbers(True, np.float32)
    inputs, starts = packed(rows)
    layer = ProjectedLSTM(H, D, *CLIPS["tight clips"], dtype=dtype)
    layer.build((None, None, I))
    layer.set_weights([kernel, bias, projection])
    came = layer.read_packed(tf.constant(inputs), tf.constant(starts))
    assert came.dtype == layer.compute_dtype
    alone = [tf.cast(layer(row[None])[0][0], tf.float32).numpy() for row in rows]
    tolerance = 1e-6 if dtype == "float32" else 4e-3
    np.testing.assert_allclose(tf.cast(came, tf.float32), packed(alone)[0], rtol=0, atol=tolerance)
