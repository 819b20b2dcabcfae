"""Pooling of token vectors to sentence vectors."""

from typing import Any

import keras
import tensorflow as tf

POOLINGS = ("mean", "max")


@keras.saving.register_keras_serializable(package="elmo_tf")
class SentencePooling(keras.layers.Layer):
    """The mean or maximum over the tokens of a sentence, without padding; zero for a sentence without tokens.

    Args:
        kind: "mean" or "max".

    Call arguments:
        inputs: `(B, T, D)`, or `(B, L + 1, T, D)`.
        mask: booleans `(B, T)`; all True if left out.

    Output shape: the input's shape without T.

    Example:

    >>> vectors = np.array([[[1.0], [3.0], [8.0]]], "float32")
    >>> SentencePooling("mean")(vectors, mask=np.array([[True, True, False]])).numpy()
    array([[2.]], dtype=float32)
    """

    def __init__(self, kind: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if kind not in POOLINGS:
            raise ValueError(f"kind: expected one of {POOLINGS}, got {kind!r}")
        self.kind = kind
        self.supports_masking = True

    def call(self, inputs: tf.Tensor, mask: tf.Tensor | None = None) -> tf.Tensor:
        """See the class."""
        if mask is None:
            mask = tf.ones(tf.gather(tf.shape(inputs), [0, tf.rank(inputs) - 2]), tf.bool)
        is_token = tf.cast(mask, tf.bool)[..., None]  # [B, T, 1]
        if inputs.shape.rank == 4:
            is_token = is_token[:, None]
        if self.kind == "max":
            largest = tf.reduce_max(tf.where(is_token, inputs, inputs.dtype.min), -2)
            return tf.where(tf.reduce_any(is_token, -2), largest, tf.zeros_like(largest))
        wide = (
            tf.cast(inputs, tf.float32) if inputs.dtype.size < 4 else inputs
        )  # long sums are inexact in half precision
        size = tf.reduce_sum(tf.cast(is_token, wide.dtype), -2)
        total = tf.reduce_sum(tf.where(is_token, wide, tf.zeros_like(wide)), -2)
        return tf.cast(tf.math.divide_no_nan(total, size), inputs.dtype)

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> None:
        """None: the output has no time axis for a mask."""
        return

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The input's shape without the time axis."""
        return (*input_shape[:-2], input_shape[-1])

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "kind": self.kind}
