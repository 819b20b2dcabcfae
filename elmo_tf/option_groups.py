"""The groups of options in `options.json` of the architecture, and how each is read: LSTM and character CNN."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from elmo_tf.options_reader import OptionsReader

ACTIVATIONS = ("relu", "tanh")
CHARACTER_COUNTS = (261, 262)
"""The numbers of character ids in bilm-tf: in training, and in prediction, where 0 is padding. Both are accepted."""

_MOST_LAYERS, _MOST_CHARACTERS = 100, 10_000
"""Upper bounds, larger than in any model, so that a typing error is reported instead of building a huge model."""


def characters_that_count(longest: Any, filters: Iterable[Sequence[int]]) -> Any:
    """The number of ids of a batch of words that the character CNN has to read.

    The maximum over a filter's windows does not change with more padding: after the longest word, one window of padding
    alone is enough for every filter.

    Args:
        longest: ids of the longest word, its begin and end included; a number or a tensor.
        filters: `(width, number)` pairs.

    Example:

    >>> characters_that_count(5, [(1, 32), (7, 1024)])
    12
    """
    return longest + max(width for width, _ in filters)


@dataclass(frozen=True)
class CharCnnOptions:
    """The character CNN of the token encoder.

    Args:
        filters: `(width, number of filters)` pairs, in the order of the weights.
        embedding_dim: size of a character's embedding (`embedding: {dim}` in JSON).
        activation: "relu" or "tanh", after the maximum over positions.
        n_highway: number of highway layers; 0 for none.
        max_characters_per_token: length of a word's row of character ids, begin and end of word included.
    """

    filters: tuple[tuple[int, int], ...]
    embedding_dim: int = 16
    activation: str = "relu"
    n_highway: int = 0
    max_characters_per_token: int = 50

    @property
    def n_filters(self) -> int:
        """Number of all filters: the size of a word's vector before highway layers and projection."""
        return sum(number for _, number in self.filters)


@dataclass(frozen=True)
class LstmOptions:
    """The LSTM stack of one direction.

    Args:
        dim: number of cells of a layer.
        projection_dim: size of a layer's output; at most `dim`. If it equals `dim`, there is no projection.
        n_layers: number of layers in a direction.
        cell_clip: largest absolute value of a cell; None for no limit.
        proj_clip: largest absolute value of a projected output; None for no limit. It has no effect without a
            projection, as in bilm-tf.
        use_skip_connections: whether a layer's input is added to its output, from the second layer on.
    """

    dim: int
    projection_dim: int
    n_layers: int = 1
    cell_clip: float | None = None
    proj_clip: float | None = None
    use_skip_connections: bool = False

    @property
    def has_projection(self) -> bool:
        """Whether a layer projects its output to a smaller size."""
        return self.projection_dim < self.dim


def read_lstm(reader: OptionsReader) -> LstmOptions:
    """Reads the section `lstm`."""
    options = LstmOptions(
        dim=reader.whole("dim"),
        projection_dim=reader.whole("projection_dim"),
        n_layers=reader.whole("n_layers", 1, upper=_MOST_LAYERS),
        cell_clip=reader.number("cell_clip", None, above=0.0),
        proj_clip=reader.number("proj_clip", None, above=0.0),
        use_skip_connections=reader.flag("use_skip_connections", False),
    )
    reader.finish()
    return options


def read_char_cnn(reader: OptionsReader) -> CharCnnOptions:
    """Reads the section `char_cnn`."""
    embedding = reader.section("embedding")
    n_characters = reader.whole("n_characters", CHARACTER_COUNTS[0])
    if n_characters not in CHARACTER_COUNTS:
        raise reader.error("n_characters", "261 (or 262, padding counted)", n_characters)
    options = CharCnnOptions(
        filters=reader.filters("filters"),
        embedding_dim=embedding.whole("dim"),
        activation=reader.choice("activation", ACTIVATIONS),
        n_highway=reader.whole("n_highway", 0, lower=0, upper=_MOST_LAYERS) or 0,
        max_characters_per_token=reader.whole("max_characters_per_token", 50, lower=3, upper=_MOST_CHARACTERS),
    )
    embedding.finish()
    reader.finish()
    return options
