"""Keras layers that can be built with given first values, so that no random values are drawn when a file has them."""

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf


class InitializedLayer(keras.layers.Layer):
    """A Keras layer whose weights can be given, by name, before it is built.

    Attributes:
        initial_value: returns the first value of a weight, given the weight's name in this layer; None to use the
            layer's own initializers.

    Example:

    >>> class Scale(InitializedLayer):
    ...     def build(self, input_shape=None):
    ...         self.scale = self.add_weight(name="scale", shape=(2,), initializer="ones")
    >>> layer = Scale()
    >>> layer.initial_value = {"scale": np.array([3.0, 4.0])}.__getitem__
    >>> layer.build()
    >>> layer.scale.numpy().tolist()
    [3.0, 4.0]
    """

    initial_value: Callable[[str], Any] | None = None

    def add_weight(self, *, name: str, initializer: Any, **arguments: Any) -> Any:
        """Makes a weight: `keras.layers.Layer.add_weight`, with `initial_value` before `initializer`."""
        given = self.initial_value
        if given is not None:

            def initializer(shape: Any, dtype: Any = None) -> tf.Tensor:
                # a tensor of the right dtype becomes the variable's memory as it is; an array is copied
                return tf.cast(given(name), dtype)

        return super().add_weight(name=name, initializer=initializer, **arguments)

    def weight(self, name: str) -> Any:
        """The layer's weight of that name; None where the layer has none, or is not built."""
        return next((weight for weight in self.weights if weight.name == name), None)
