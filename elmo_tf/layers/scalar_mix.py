"""The learned weighted sum of a biLM's layers (Peters et al. 2018, equation 1)."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

LAYER_NORMS = (None, "bilm-tf", "token")

_EPSILON = 1e-12
"""Added to the variance, as in bilm-tf (its `elmo.py`, `_do_ln`)."""


class MixNumbers(NamedTuple):
    """The learned numbers of a mix: the layers' shares softmax(w) `(L + 1,)`, which sum to 1, and gamma."""

    shares: np.ndarray
    gamma: float


@keras.saving.register_keras_serializable(package="elmo_tf")
class ScalarMix(keras.layers.Layer):
    """Computes `gamma * sum_j softmax(w)_j h_j` over the layers j, with w and gamma learned, in float32.

    Args:
        n_layers: number of layers to mix, L + 1.
        scalar_mix_init: initial values of w, `n_layers` numbers; if left out zeros, which give equal shares.
        l2: adds `l2 * sum(w^2)` to the loss, which draws the shares towards each other (bilm-tf's `l2_coef`).
        layer_norm: None for no normalisation; "bilm-tf" for one mean and variance over all unmasked elements of a layer
            in the batch, which makes a vector depend on its batch; "token" for the mean and variance of each token's
            vector. Neither has a learned scale or offset.

    Call arguments:
        inputs: layers `(B, L + 1, T, D)`.
        mask: booleans `(B, T)`, True for the tokens over which "bilm-tf" normalises; all True if left out.

    Output shape: `(B, T, D)`. Weights: `w` `(L + 1,)`, initially 0, and `gamma` `()`, initially 1.

    Example:

    >>> mix = ScalarMix(n_layers=3)
    >>> mix(np.ones((2, 3, 5, 4), "float32")).shape
    TensorShape([2, 5, 4])
    >>> mix.numbers
    MixNumbers(shares=array([0.33333334, 0.33333334, 0.33333334], dtype=float32), gamma=1.0)
    """

    def __init__(
        self,
        n_layers: int,
        scalar_mix_init: Sequence[float] | None = None,
        l2: float = 0.0,
        layer_norm: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if layer_norm not in LAYER_NORMS:
            raise ValueError(f"layer_norm: expected one of {LAYER_NORMS}, got {layer_norm!r}")
        if l2 < 0:
            raise ValueError(f"l2: expected a number from 0, got {l2}")
        self.n_layers, self.l2, self.layer_norm = n_layers, l2, layer_norm
        self.scalar_mix_init = None if scalar_mix_init is None else [float(value) for value in scalar_mix_init]
        if self.scalar_mix_init is not None and len(self.scalar_mix_init) != n_layers:
            raise ValueError(
                f"scalar_mix_init: expected {n_layers} numbers, one a layer, got {len(self.scalar_mix_init)}"
            )
        self.supports_masking = True

    def build(self, input_shape: Any = None) -> None:
        """Creates w and gamma. They are never cast to half precision, which would make the shares coarse."""
        first = keras.initializers.Zeros() if self.scalar_mix_init is None else self._initial_w
        self.w = self.add_weight(
            name="w",
            shape=(self.n_layers,),
            initializer=first,
            regularizer=keras.regularizers.L2(self.l2) if self.l2 else None,
            autocast=False,
        )
        self.gamma = self.add_weight(name="gamma", shape=(), initializer="ones", autocast=False)
        self.built = True

    def _initial_w(self, shape: Any, dtype: Any = None) -> tf.Tensor:
        return tf.constant(self.scalar_mix_init, dtype)

    def call(self, inputs: tf.Tensor, mask: tf.Tensor | None = None) -> tf.Tensor:
        """See the class."""
        if inputs.shape.rank != 4 or inputs.shape[1] not in (None, self.n_layers):
            raise ValueError(f"inputs: expected (rows, {self.n_layers} layers, steps, size), got shape {inputs.shape}")
        shares = tf.nn.softmax(tf.convert_to_tensor(self.w)) * self.gamma
        mixed = tf.add_n(
            [
                shares[number] * self._normalize(tf.cast(layer, shares.dtype), mask)
                for number, layer in enumerate(tf.unstack(inputs, self.n_layers, axis=1))
            ]
        )
        return tf.cast(mixed, self.compute_dtype)

    def _normalize(self, layer: tf.Tensor, mask: tf.Tensor | None) -> tf.Tensor:
        if self.layer_norm is None:
            return layer
        if self.layer_norm == "token":
            mean, variance = tf.nn.moments(layer, -1, keepdims=True)
        else:
            mean, variance = _masked_moments(layer, mask)
        return (layer - mean) * tf.math.rsqrt(variance + _EPSILON)

    @property
    def numbers(self) -> MixNumbers:
        """The shares, softmax(w), and gamma as they are now."""
        w = np.asarray(self.w)
        powers = np.exp(w - w.max())
        return MixNumbers(powers / powers.sum(), float(np.asarray(self.gamma)))

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        """The input's mask `(B, T)`, which fits the output."""
        return previous_mask

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The input's shape without the layer axis."""
        return (input_shape[0], *input_shape[2:])

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {
            **super().get_config(),
            "n_layers": self.n_layers,
            "scalar_mix_init": self.scalar_mix_init,
            "l2": self.l2,
            "layer_norm": self.layer_norm,
        }


def _masked_moments(layer: tf.Tensor, mask: tf.Tensor | None) -> tuple[tf.Tensor, tf.Tensor]:
    """Computes one mean and one variance over the unmasked elements of `(B, T, D)`; both are 0 if there are none."""
    if mask is None:
        mask = tf.ones(tf.shape(layer)[:2], tf.bool)
    is_counted = tf.cast(mask, tf.bool)[:, :, None]
    size = tf.reduce_sum(tf.cast(is_counted, layer.dtype)) * layer.shape[-1]
    mean = tf.math.divide_no_nan(tf.reduce_sum(tf.where(is_counted, layer, 0.0)), size)
    squares = tf.where(is_counted, tf.square(layer - mean), 0.0)
    return mean, tf.math.divide_no_nan(tf.reduce_sum(squares), size)
