"""Where the tokens of a batch stand, and with them the results: the places, and the Keras mask."""

from typing import Any, NamedTuple

import keras
import tensorflow as tf

from elmo_tf.elmo_inputs import dense, is_token


class Places(NamedTuple):
    """Where the results come from."""

    index: tf.Tensor
    """int32 `(B, T)`: the step of `Sentences.index` that belongs at each place."""
    is_shown: tf.Tensor
    """bool `(B, T)`: whether there is one; the result's mask."""


def places_of(present: tf.Tensor, keep_boundaries: bool) -> Places:
    """Where each token went; with boundaries, of `T + 2` places: `<S>` before the first token, `</S>` behind the last.

    An empty row has its two boundaries in front.
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
    """The Keras mask of a batch of sentences: True where a token stands.

    Args:
        keep_boundaries: whether `<S>` and `</S>` have places, two more, and count.

    Call arguments:
        inputs: strings `(B, T)` or character ids `(B, T, C)`, dense or ragged.
        mask: booleans `(B, T)`, False where a token does not count; all True if left out.

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
        """See the class."""
        return places_of(is_token(dense(inputs), mask), self.keep_boundaries).is_shown

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> None:
        """None: a mask has none."""
        return

    def get_config(self) -> dict[str, Any]:
        """The arguments."""
        return {**super().get_config(), "keep_boundaries": self.keep_boundaries}
