"""The results of `ElmoLayer`: layers mixed or selected, vectors put back at the tokens' places, and the Keras mask."""

from collections.abc import Sequence

import tensorflow as tf

from elmo_tf.elmo.token_mask import Places
from elmo_tf.inference.distinct_words import Sentences
from elmo_tf.layers import ScalarMix
from elmo_tf.options import Options

OUTPUTS = ("mix", "top", "average", "all", "concat")


def mix_layers(
    layers: tf.Tensor, sentences: Sentences, mixes: Sequence[ScalarMix], boundaries: bool
) -> list[tf.Tensor]:
    """Mixes the layers.

    Args:
        layers: the biLM's layers `(B, L + 1, S, size)`.
        sentences: the sentences that the biLM read.
        mixes: the mixes, one for each result.
        boundaries: whether the layer normalization "bilm-tf" takes its mean and variance over `<S>` and `</S>` too.

    Returns:
        For each mix `(B, S, size)`.
    """
    steps = tf.range(tf.shape(sentences.index)[1])
    lengths = sentences.lengths[:, None]
    mask = steps < lengths if boundaries else (steps > 0) & (steps < lengths - 1)
    return [mix(layers, mask=mask) for mix in mixes]


def combine_layers(layers: tf.Tensor, output: str) -> tf.Tensor:
    """Turns the layers `(B, L + 1, S, size)` into an output other than "mix"."""
    if output == "top":
        return layers[:, -1]
    if output == "average":
        return tf.reduce_mean(layers, 1)
    if output == "concat":
        return tf.concat(tf.unstack(layers, axis=1), -1)
    return layers


def output_shape(output: str, options: Options, batch: int | None, steps: int | None) -> tuple[int | None, ...]:
    """The shape of an output before it is pooled.

    Args:
        output: one of `OUTPUTS`.
        options: the options of the biLM.
        batch: rows; None if unknown.
        steps: places of a row; None if unknown.
    """
    size, n_layers = options.directions * options.lstm.projection_dim, options.lstm.n_layers + 1
    if output == "all":
        return (batch, n_layers, steps, size)
    return (batch, steps, n_layers * size if output == "concat" else size)


def place_vectors(vectors: tf.Tensor, places: Places) -> tf.Tensor:
    """Moves the vectors of the steps, `(..., S, size)`, to their places, `(..., T, size)`; padding gets zeros."""
    is_shown = places.is_shown[..., None]
    if vectors.shape.rank == 4:
        is_shown = is_shown[:, None]
    found = tf.gather(vectors, places.index, axis=vectors.shape.rank - 2, batch_dims=1)
    return tf.where(is_shown, found, tf.zeros_like(found))
