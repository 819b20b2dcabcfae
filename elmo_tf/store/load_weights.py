"""Weights of a file to a model, each by its name and read once."""

import contextlib
from collections.abc import Generator, Iterable, Iterator
from typing import Any

from elmo_tf.formats.arrays import Arrays
from elmo_tf.formats.read_ahead import read_ahead
from elmo_tf.models.bilm import BiLM
from elmo_tf.models.language_model import LanguageModel
from elmo_tf.models.weight_names import weight_places


def load_weights(model: BiLM | LanguageModel, arrays: Arrays) -> None:
    """Builds a model with the arrays of a file for its weights.

    Args:
        model: not built yet.
        arrays: one for every weight of the model, by our names; others are not read.

    Raises:
        InputError: an array cannot be read, or is not finite.
        ValueError: the model is built already.
    """
    with initial_weights(model, arrays):
        model.build()


@contextlib.contextmanager
def initial_weights(model: BiLM | LanguageModel, arrays: Arrays) -> Iterator[None]:
    """Gives the layers of a model their arrays by name, for a caller that builds the model in this block.

    Every array becomes the first value of its variable, so that a model never takes more memory than its weights and
    the few arrays that are read ahead. Arguments and errors are those of `load_weights`.
    """
    if model.built:
        raise ValueError("model: expected one that is not built yet, for its weights come from a file")
    places = weight_places(model)
    names = {(id(place.layer), place.name): name for name, place in places.items()}
    layers = {id(place.layer): place.layer for place in places.values()}
    with contextlib.closing(_read_by_name(arrays, places)) as coming:
        waiting: dict[str, Any] = {}
        try:
            for key, layer in layers.items():
                layer.initial_value = lambda own, key=key: _take(names[key, own], coming, waiting)
            yield
        finally:
            for layer in layers.values():
                layer.initial_value = None


def _read_by_name(arrays: Arrays, names: Iterable[str]) -> Generator[tuple[str, Any], None, None]:
    """Names and their arrays, each read once, by threads that are a little ahead."""
    yield from read_ahead(lambda name: (name, arrays.read(name)), names)


def _take(name: str, coming: Iterator[tuple[str, Any]], waiting: dict[str, Any]) -> Any:
    """The array of a name; arrays that come before it wait until they are asked for."""
    while name not in waiting:
        other, value = next(coming)
        waiting[other] = value
    return waiting.pop(name)
