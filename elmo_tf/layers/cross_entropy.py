"""Cross-entropies of the next words: over the whole vocabulary in chunks, or over sampled negatives."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import tensorflow as tf

from elmo_tf.layers.compilation import compile_elementwise
from elmo_tf.layers.custom_gradient import custom_gradient

CHUNK = 8192
"""Words of the vocabulary whose logits the full softmax holds in memory at a time."""


class SampledRows(NamedTuple):
    """The rows of the softmax weights that the sampled loss needs, for one direction, or for all with a leading axis.

    Args:
        targets: weights of the targets `(..., D)`.
        target_biases: biases of the targets `(...)`.
        negatives: weights of the negatives `(n, D)`.
        negative_biases: biases of the negatives `(n,)`.
    """

    targets: tf.Tensor
    target_biases: tf.Tensor
    negatives: tf.Tensor
    negative_biases: tf.Tensor


def full_cross_entropy(
    hidden: tf.Tensor, targets: tf.Tensor, kernel: tf.Tensor, bias: tf.Tensor, chunk: int = CHUNK
) -> tf.Tensor:
    """Computes `-log softmax(hidden kernel^T + bias)[target]`.

    The forward and the backward pass hold the logits of `chunk` words of the vocabulary at a time, not of all V.

    Args:
        hidden: LSTM outputs of N tokens, `(N, D)`.
        targets: word ids `(N,)`.
        kernel: `(V, D)`.
        bias: `(V,)`.
        chunk: words of the vocabulary in one matrix product.

    Returns:
        The cross-entropies `(N,)` in nats.
    """

    @custom_gradient
    def run(hidden: tf.Tensor, kernel: tf.Tensor, bias: tf.Tensor) -> tuple[tf.Tensor, Callable[..., Any]]:
        log_sum_exp = _log_sum_exp(hidden, kernel, bias, chunk)
        true_rows = tf.gather(kernel, targets)
        losses = log_sum_exp - tf.reduce_sum(hidden * true_rows, 1) - tf.gather(bias, targets)

        def gradient(d_losses: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
            d_hidden, d_kernel, d_bias = _log_sum_exp_gradient(hidden, kernel, bias, log_sum_exp, d_losses, chunk)
            words = tf.shape(kernel)[0]
            d_hidden -= d_losses[:, None] * true_rows
            d_kernel -= tf.math.unsorted_segment_sum(d_losses[:, None] * hidden, targets, words)
            d_bias -= tf.math.unsorted_segment_sum(d_losses, targets, words)
            return d_hidden, d_kernel, d_bias

        return losses, gradient

    return run(hidden, kernel, bias)


def _logits(hidden: tf.Tensor, kernel: tf.Tensor, bias: tf.Tensor) -> tf.Tensor:
    return tf.matmul(hidden, kernel, transpose_b=True) + bias


def _slice_rows(values: tf.Tensor, start: Any, size: int) -> tf.Tensor:
    """Slices `size` rows from `start`. `size` must be an int: XLA corrupts memory where it is a tensor."""
    return tf.slice(values, [start] + [0] * (values.shape.rank - 1), [size, *values.shape[1:]])


def _log_sum_exp(hidden: tf.Tensor, kernel: tf.Tensor, bias: tf.Tensor, chunk: int) -> tf.Tensor:
    """Computes log sum exp of all logits `(N,)`, chunk by chunk.

    The loop carries the largest logit so far and the sum of exponentials relative to it.
    """
    chunk = min(chunk, kernel.shape[0])
    whole, rest = divmod(kernel.shape[0], chunk)

    def add(start: Any, size: int, top: tf.Tensor, total: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        logits = _logits(hidden, _slice_rows(kernel, start, size), _slice_rows(bias, start, size))
        new_top = tf.maximum(top, tf.reduce_max(logits, 1))
        return new_top, total * tf.exp(top - new_top) + tf.reduce_sum(tf.exp(logits - new_top[:, None]), 1)

    rows = tf.shape(hidden)[0]
    none = tf.fill([rows], tf.constant(hidden.dtype.min, hidden.dtype))
    _, top, total = tf.while_loop(
        lambda number, *_: number < whole,
        lambda number, top, total: (number + 1, *add(number * chunk, chunk, top, total)),
        (0, none, tf.zeros([rows], hidden.dtype)),
        parallel_iterations=1,
    )
    if rest:
        top, total = add(whole * chunk, rest, top, total)
    return top + tf.math.log(total)


def _log_sum_exp_gradient(
    hidden: tf.Tensor, kernel: tf.Tensor, bias: tf.Tensor, log_sum_exp: tf.Tensor, d_losses: tf.Tensor, chunk: int
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Computes the gradients of `d_losses . log_sum_exp` with respect to hidden, kernel and bias.

    The logits are computed again, chunk by chunk.
    """
    chunk = min(chunk, kernel.shape[0])
    whole, rest = divmod(kernel.shape[0], chunk)

    def part(start: Any, size: int) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        rows = _slice_rows(kernel, start, size)
        logits = _logits(hidden, rows, _slice_rows(bias, start, size))
        d_logits = d_losses[:, None] * tf.exp(logits - log_sum_exp[:, None])
        d_rows = tf.matmul(d_logits, hidden, transpose_a=True)
        return tf.matmul(d_logits, rows), d_rows, tf.reduce_sum(d_logits, 0)

    def body(number: tf.Tensor, d_hidden: tf.Tensor, kernels: Any, biases: Any) -> tuple[Any, ...]:
        of_hidden, of_kernel, of_bias = part(number * chunk, chunk)
        return number + 1, d_hidden + of_hidden, kernels.write(number, of_kernel), biases.write(number, of_bias)

    arrays = [tf.TensorArray(hidden.dtype, whole) for _ in range(2)]
    _, d_hidden, kernels, biases = tf.while_loop(
        lambda number, *_: number < whole, body, (0, tf.zeros_like(hidden), *arrays), parallel_iterations=1
    )
    d_kernel, d_bias = tf.reshape(kernels.stack(), [-1, kernel.shape[1]]), tf.reshape(biases.stack(), [-1])
    if rest:
        of_hidden, of_kernel, of_bias = part(whole * chunk, rest)
        d_hidden, d_kernel, d_bias = (
            d_hidden + of_hidden,
            tf.concat([d_kernel, of_kernel], 0),
            tf.concat([d_bias, of_bias], 0),
        )
    return d_hidden, d_kernel, d_bias


def sampled_cross_entropy(
    hidden: tf.Tensor,
    targets: tf.Tensor,
    rows: SampledRows,
    negatives: tf.Tensor,
    tries: tf.Tensor,
    vocabulary_size: int,
) -> tf.Tensor:
    """Computes the sampled softmax loss (Jean et al. 2015, section 3), the same as `tf.nn.sampled_softmax_loss`.

    From each logit the logarithm of the expected count of its word in the sample is subtracted. A negative that equals
    the target of a token is left out for this token.

    Args:
        hidden: LSTM outputs of N tokens, `(N, D)`.
        targets: word ids `(N,)`.
        rows: the weights and biases of `targets` and `negatives`, from `SoftmaxHead.look_up`.
        negatives: distinct word ids `(n,)`.
        tries: number of draws, with repetitions, until n distinct negatives were found; a scalar.
        vocabulary_size: V.

    Returns:
        The losses `(N,)`.
    """
    true_bias = _subtract_log_expected_count(rows.target_biases, targets, tries, vocabulary_size)
    biases = _subtract_log_expected_count(rows.negative_biases, negatives, tries, vocabulary_size)
    return _sampled_losses(hidden, rows.targets, rows.negatives, true_bias, biases, (targets, negatives))


def _subtract_log_expected_count(bias: tf.Tensor, ids: tf.Tensor, tries: tf.Tensor, vocabulary_size: int) -> tf.Tensor:
    return bias - tf.cast(log_expected_count(ids, tries, vocabulary_size), bias.dtype)


def _sampled_losses(
    hidden: tf.Tensor,
    true_rows: tf.Tensor,
    rows: tf.Tensor,
    true_bias: tf.Tensor,
    biases: tf.Tensor,
    ids: tuple[tf.Tensor, tf.Tensor],
) -> tf.Tensor:
    """Computes `-log` of the target's probability among itself and the negatives.

    Only the exponentials of the logits are kept for the backward pass, which forms no gradient `(N, n)` of the logits.

    Args:
        hidden: LSTM outputs of N tokens, `(N, D)`.
        true_rows: weights of the targets, `(N, D)`.
        rows: weights of the negatives, `(n, D)`.
        true_bias: corrected biases of the targets, `(N,)`.
        biases: corrected biases of the negatives, `(n,)`.
        ids: word ids of the targets `(N,)` and of the negatives `(n,)`.
    """

    @custom_gradient
    def run(
        hidden: tf.Tensor, true_rows: tf.Tensor, rows: tf.Tensor, true_bias: tf.Tensor, biases: tf.Tensor
    ) -> tuple[tf.Tensor, Callable[..., Any]]:
        true_logits = tf.reduce_sum(hidden * true_rows, 1) + true_bias
        products = tf.matmul(hidden, rows, transpose_b=True)
        losses, exponentials, negatives_sum, total = compile_elementwise(_softmax_terms, products)(
            products, biases, true_logits, *ids
        )

        def gradient(d_losses: tf.Tensor) -> tuple[tf.Tensor, ...]:
            # scales the rows of the products, which saves a pass over the exponentials
            scale = (d_losses / total)[:, None]
            d_true_logits = -d_losses * negatives_sum / total
            d_hidden = scale * tf.matmul(exponentials, rows) + d_true_logits[:, None] * true_rows
            # the column of ones makes the gradient of the biases part of the same product
            with_ones = scale * tf.concat([hidden, tf.ones_like(hidden[:, :1])], 1)
            d_rows = tf.matmul(exponentials, with_ones, transpose_a=True)
            return d_hidden, d_true_logits[:, None] * hidden, d_rows[:, :-1], d_true_logits, d_rows[:, -1]

        return losses, gradient

    return run(hidden, true_rows, rows, true_bias, biases)


def _softmax_terms(
    products: tf.Tensor, biases: tf.Tensor, true_logits: tf.Tensor, targets: tf.Tensor, negatives: tf.Tensor
) -> tuple[tf.Tensor, ...]:
    """Computes the terms of the sampled softmax; all exponentials are relative to the largest logit of the token.

    Args:
        products: `hidden rows^T`, `(N, n)`.
        biases: corrected biases of the negatives, `(n,)`.
        true_logits: logits of the targets, `(N,)`.
        targets: word ids `(N,)`.
        negatives: word ids `(n,)`.

    Returns:
        The losses `(N,)`; the exponentials of the negatives' logits `(N, n)`; their sums `(N,)`; the sums with the
        target's exponential `(N,)`.
    """
    hits = tf.equal(targets[:, None], negatives[None, :])
    logits = tf.where(hits, tf.constant(products.dtype.min / 2, products.dtype), products + biases)
    top = tf.maximum(tf.reduce_max(logits, 1), true_logits)
    exponentials = tf.exp(logits - top[:, None])
    negatives_sum = tf.reduce_sum(exponentials, 1)
    total = negatives_sum + tf.exp(true_logits - top)
    return tf.math.log(total) + top - true_logits, exponentials, negatives_sum, total


def log_expected_count(ids: tf.Tensor, tries: tf.Tensor, vocabulary_size: int) -> tf.Tensor:
    """Computes the logarithm of a word's expected count in a sample of distinct words drawn log-uniformly.

    One draw gives word k with probability `p = log((k + 2) / (k + 1)) / log(V + 1)`. In a sample of distinct words the
    expected count is the probability of at least one hit in `tries` draws, `1 - (1 - p) ** tries`.

    Args:
        ids: word ids, any shape.
        tries: number of draws, a scalar.
        vocabulary_size: V.
    """
    ranks = tf.cast(ids, tf.float32) + 1.0
    probability = tf.math.log1p(1.0 / ranks) / math.log(vocabulary_size + 1)
    return tf.math.log(-tf.math.expm1(tf.cast(tries, tf.float32) * tf.math.log1p(-probability)))
