"""Turns the layers of a sentence into the vectors that are written: selects or combines layers, pools, and rounds."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from elmo_tf.bulk.saved_mix import read_mix
from elmo_tf.bulk.settings import EmbedSettings
from elmo_tf.errors import InputError

_ROUNDING = 0.01
"""How far the sum of the shares may be from 1, because the shares may have been rounded when they were printed."""


class LayerChoice:
    """Selects or combines the layers of a sentence, pools its tokens, and rounds to the precision of the output.

    Args:
        settings: the settings, of which `layers`, `mix_weights`, `mix_from`, `pooling` and `dtype` are used.
        n_layers: the number of layers of the model, L + 1.

    Raises:
        InputError: a layer number or the mix does not fit the model.

    Example:

    >>> layers = np.arange(12, dtype=np.float32).reshape(3, 2, 2)
    >>> LayerChoice(EmbedSettings(layers="mix", mix_weights="0.5,0,0.5"), 3)(layers).tolist()
    [[4.0, 5.0], [6.0, 7.0]]
    >>> LayerChoice(EmbedSettings(layers="0,2", pooling="max"), 3)(layers).tolist()
    [[2.0, 3.0], [10.0, 11.0]]
    """

    def __init__(self, settings: EmbedSettings, n_layers: int) -> None:
        settings = settings.with_mix_of(None)
        self.layers, self.pooling, self.dtype = settings.layers, settings.pooling, np.dtype(settings.dtype)
        self.numbers: list[int] = []
        self.shares: np.ndarray | None = None
        if settings.layers == "mix":
            weights = read_mix(settings.mix_from) if settings.mix_from is not None else settings.mix_weights
            self.shares = _shares(weights, n_layers, "mix_weights" if settings.mix_from is None else "mix_from")
        elif settings.layers not in ("all", "top", "average"):
            self.numbers = _numbers(settings.layers, n_layers)

    @property
    def has_layers(self) -> bool:
        """Whether the result has an axis for the layers."""
        return self.layers == "all" or len(self.numbers) > 1

    def __call__(self, layers: np.ndarray) -> np.ndarray:
        """Turns float32 layers `(L + 1, tokens, size)` into vectors `([chosen,] [tokens,] size)` of `dtype`."""
        vectors = self._combined(layers)
        if self.pooling != "none":
            if not vectors.shape[-2]:
                vectors = np.zeros((*vectors.shape[:-2], vectors.shape[-1]), np.float32)
            else:
                vectors = vectors.max(-2) if self.pooling == "max" else vectors.mean(-2)
        return np.ascontiguousarray(vectors, self.dtype)

    def _combined(self, layers: np.ndarray) -> np.ndarray:
        if self.shares is not None:
            return np.einsum("l,l...->...", self.shares, layers)
        if self.layers == "top":
            return layers[-1]
        if self.layers == "average":
            return layers.mean(0)
        if self.layers == "all":
            return layers
        return layers[self.numbers] if self.has_layers else layers[self.numbers[0]]


def _numbers(text: str, n_layers: int) -> list[int]:
    try:
        numbers = [int(part) for part in text.split(",")]
    except ValueError as error:
        raise InputError(
            f"layers: expected all, top, average, mix or numbers such as 0,2, got {text!r}", option="layers"
        ) from error
    for number in numbers:
        if not 0 <= number < n_layers:
            raise InputError(
                f"layers: expected numbers from 0 to {n_layers - 1}, the model's layers, got {number}", option="layers"
            )
    return numbers


def _shares(weights: Any, n_layers: int, option: str) -> np.ndarray:
    """Parses the shares and the optional gamma from a string or a list, and returns the shares times gamma."""
    parts: Sequence[Any] = weights.split(",") if isinstance(weights, str) else list(weights)
    try:
        numbers = [float(part) for part in parts]
    except (TypeError, ValueError) as error:
        raise InputError(f"{option}: expected numbers, such as 0.2,0.5,0.3, got {weights!r}", option=option) from error
    if len(numbers) not in (n_layers, n_layers + 1):
        raise InputError(
            f"{option}: expected {n_layers} shares, one a layer, and gamma or not, got {len(numbers)} numbers",
            option=option,
        )
    shares, gamma = numbers[:n_layers], numbers[n_layers] if len(numbers) > n_layers else 1.0
    if not np.isfinite(numbers).all() or min(shares) < 0 or abs(sum(shares) - 1) > _ROUNDING:
        raise InputError(
            f"{option}: expected shares from 0 that sum to 1, got {', '.join(map(str, shares))}", option=option
        )
    return np.array(shares, np.float32) * np.float32(gamma)
