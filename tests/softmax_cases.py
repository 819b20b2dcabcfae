"""Inputs for tests of the softmax, and a function that computes losses with their gradients."""

import numpy as np
import tensorflow as tf

N, D, V = 7, 3, 20
RANDOM = np.random.default_rng(0)
HIDDEN = RANDOM.normal(size=(N, D)) * 2
KERNEL = RANDOM.normal(size=(V, D))
BIAS = RANDOM.normal(size=V)
TARGETS = np.array([0, 3, 3, 19, 5, 0, 11], "int32")
NEGATIVES = np.array([2, 0, 7, 19, 4], "int32")  # 0 and 19 are targets too
TRIES = 9


def with_gradients(function, *arrays, upstream=None):
    """Returns the losses, and the gradient of their sum, weighted by `upstream`, for each array."""
    tensors = [tf.constant(array) for array in arrays]
    with tf.GradientTape() as tape:
        tape.watch(tensors)
        losses = function(*tensors)
        loss = tf.reduce_sum(losses * (np.linspace(-1, 2, N) if upstream is None else upstream))
    return losses, [tf.convert_to_tensor(gradient) for gradient in tape.gradient(loss, tensors)]
