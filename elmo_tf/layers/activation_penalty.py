"""A penalty on the activations of the last LSTM layer, which training adds to its loss."""

import tensorflow as tf


def activation_penalty(dropped: tf.Tensor, outputs: tf.Tensor, activation: float, temporal: float) -> tf.Tensor:
    """Computes the activation regularisation and its temporal form (AR and TAR; Merity et al. 2017, "Revisiting
    Activation Regularization for Language RNNs").

    `activation * mean(dropped ** 2) + temporal * mean((outputs[:, 1:] - outputs[:, :-1]) ** 2)`. The means are over all
    rows, steps and values of a vector, as in the authors' program (github.com/salesforce/awd-lstm-lm), so that their
    factors, 2 and 1, mean the same here. A window of one step has no differences, and so no temporal part.

    Args:
        dropped: the outputs after their dropout, `(B, T, D)`.
        outputs: the outputs before it, `(B, T, D)`.
        activation: the paper's alpha, at least 0.
        temporal: the paper's beta, at least 0.

    Returns:
        A scalar.

    >>> outputs = tf.constant([[[1.0, 1.0], [3.0, 1.0]]])
    >>> float(activation_penalty(outputs, outputs, activation=2.0, temporal=0.0))  # 2 * (1 + 1 + 9 + 1) / 4
    6.0
    >>> float(activation_penalty(outputs, outputs, activation=0.0, temporal=1.0))  # 1 * (4 + 0) / 2
    2.0
    """
    penalty = tf.zeros([], outputs.dtype)
    if activation:
        penalty += activation * tf.reduce_mean(tf.square(dropped))
    if temporal:
        squares = tf.square(outputs[:, 1:] - outputs[:, :-1])
        penalty += temporal * tf.math.divide_no_nan(tf.reduce_sum(squares), tf.cast(tf.size(squares), squares.dtype))
    return penalty
