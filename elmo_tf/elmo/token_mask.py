"""The places of a batch's tokens, at which their vectors are put, and the Keras mask of them."""

from typing import Any, NamedTuple

import keras
import tensorflow as tf

from elmo_tf.elmo.inputs import dense, is_token


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
