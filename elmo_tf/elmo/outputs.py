"""The results of `ElmoLayer`: layers mixed or selected, vectors put back at the tokens' places, and the Keras mask."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from elmo_tf.elmo.inputs import dense, is_token
from elmo_tf.inference.distinct_words import Sentences
from elmo_tf.layers import ScalarMix
from elmo_tf.options import Options

OUTPUTS = ("mix", "top", "average", "all", "concat")


class Places(NamedTuple):
    """The step of the biLM whose vector belongs at each place of the result."""

    index: tf.Tensor
    """int32 `(B, T)`: a step, as a column of `Sentences.index`."""
    is_shown: tf.Tensor
    """bool `(B, T)`: whether the place has a vector, or is padding; the mask of the result."""


def places_of(present: tf.Tensor, keep_boundaries: bool) -> Places:
    """Finds the step that belongs at each place of the result.

    With boundaries, the result has `T + 2` places: `<S>` directly before the first token of its row, and `</S>`
    directly behind the last. In an empty row they have the first two places.

    Args:
        present: bool `(B, T)`: True on tokens, False on padding.
        keep_boundaries: whether the result has places for the boundaries.
    """
    if not keep_boundaries:
        return Places(tf.cumsum(tf.cast(present, tf.int32), 1), present)
    present = tf.pad(present, [[0, 0], [1, 1]])
    order = tf.cumsum(tf.cast(present, tf.int32), 1)
    count = order[:, -1:]
    place = tf.range(tf.shape(present)[1])
    first, last = present & (order == 1), present & (order == count)
    begin = tf.pad(first[:, 1:], [[0, 0], [0, 1]]) | ((count == 0) & (place == 0))
    end = tf.pad(last[:, :-1], [[0, 0], [1, 0]]) | ((count == 0) & (place == 1))
    index = tf.where(begin, 0, tf.where(end, count + 1, order))
    return Places(index, present | begin | end)


@keras.saving.register_keras_serializable(package="elmo_tf")
class TokenMask(keras.layers.Layer):
    """The Keras mask of a batch of sentences: True on tokens, False on padding.

    Args:
        keep_boundaries: whether `<S>` and `</S>` have places of their own, two more in each row, on which the mask is
            True.

    Call arguments:
        inputs: strings `(B, T)` or character ids `(B, T, C)`, dense or ragged.
        mask: booleans `(B, T)`, False on tokens that are to be treated as padding; all True if left out.

    Output shape: booleans `(B, T)`, or `(B, T + 2)`.

    Example:

    >>> TokenMask()(tf.constant([["", "cat"]])).numpy()
    array([[False,  True]])
    """

    def __init__(self, keep_boundaries: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.keep_boundaries = keep_boundaries
        self.supports_masking = True

    def call(self, inputs: Any, mask: tf.Tensor | None = None) -> tf.Tensor:
        """Computes the mask; the class describes the arguments and the result."""
        return places_of(is_token(dense(inputs), mask), self.keep_boundaries).is_shown

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> None:
        """Returns None, because a mask has no mask itself."""
        return

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments of the layer."""
        return {**super().get_config(), "keep_boundaries": self.keep_boundaries}


def check_output(output: str, num_mixes: int, **mixing: Any) -> None:
    """Raises a `ValueError` if an argument is not one that `ElmoLayer` accepts, or two contradict each other."""
    if output not in OUTPUTS:
        raise ValueError(f"output: expected one of {OUTPUTS}, got {output!r}")
    if num_mixes < 1:
        raise ValueError(f"num_mixes: expected a number from 1, got {num_mixes}")
    given = [name for name, value in {"num_mixes": num_mixes > 1, **mixing}.items() if value]
    if output != "mix" and given:
        raise ValueError(f"{given[0]}: expected with output='mix' alone, got it with output={output!r}")


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
