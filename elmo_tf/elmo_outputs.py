"""The biLM's layers to what is asked for, and back to the places where the tokens stood."""

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from elmo_tf.elmo_inputs import Sentences
from elmo_tf.layers import ScalarMix
from elmo_tf.token_places import Places

OUTPUTS = ("mix", "top", "average", "all", "concat")


def check_output(output: str, num_mixes: int, **mixing: Any) -> None:
    """A `ValueError` where an argument is not one that `ElmoLayer` takes, or two do not go together."""
    if output not in OUTPUTS:
        raise ValueError(f"output: expected one of {OUTPUTS}, got {output!r}")
    if num_mixes < 1:
        raise ValueError(f"num_mixes: expected a number from 1, got {num_mixes}")
    given = [name for name, value in {"num_mixes": num_mixes > 1, **mixing}.items() if value]
    if output != "mix" and given:
        raise ValueError(f"{given[0]}: expected with output='mix' alone, got it with output={output!r}")


def mixed(layers: tf.Tensor, sentences: Sentences, mixes: Sequence[ScalarMix], boundaries: bool) -> list[tf.Tensor]:
    """What each mix makes of the layers, `(B, S, size)`.

    Args:
        layers: the biLM's, `(B, L + 1, S, size)`.
        sentences: what it read.
        mixes: one a result.
        boundaries: whether `<S>` and `</S>` count in the norm of "bilm-tf".
    """
    steps = tf.range(tf.shape(sentences.index)[1])
    lengths = sentences.lengths[:, None]
    mask = steps < lengths if boundaries else (steps > 0) & (steps < lengths - 1)
    return [mix(layers, mask=mask) for mix in mixes]


def combined(layers: tf.Tensor, output: str) -> tf.Tensor:
    """The layers `(B, L + 1, S, size)` as an output other than "mix"."""
    if output == "top":
        return layers[:, -1]
    if output == "average":
        return tf.reduce_mean(layers, 1)
    if output == "concat":
        return tf.concat(tf.unstack(layers, axis=1), -1)
    return layers


def placed(vectors: tf.Tensor, places: Places) -> tf.Tensor:
    """Steps `(..., S, size)` at their places `(..., T, size)`, zero where there is padding."""
    is_shown = places.is_shown[..., None]
    if vectors.shape.rank == 4:
        is_shown = is_shown[:, None]
    found = tf.gather(vectors, places.index, axis=vectors.shape.rank - 2, batch_dims=1)
    return tf.where(is_shown, found, tf.zeros_like(found))
