"""Whether a model that was written is the one it was made from: every array, and a few sentences, embedded by both."""

import math
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from elmo_tf.data.vocabulary import Vocabulary
from elmo_tf.errors import InputError
from elmo_tf.formats.arrays import Arrays
from elmo_tf.inference.sentence_embedder import SentenceEmbedder
from elmo_tf.models.bilm import BiLM
from elmo_tf.models.weight_names import named_variables
from elmo_tf.options import Options
from elmo_tf.store.stored_model import filled

TOLERANCE = 1e-6

_AT_ONCE = 1 << 20
"""Numbers compared at a time; these and their truth values stay near the processor."""

SENTENCES = (
    ("cat",),
    ("Blåbær日本語",),
    ("counterrevolutionaries-and-their-antidisestablishmentarianism",),
)
"""Short, in several scripts, one word longer than any usual limit of characters."""


class RoundTrip:
    """Holds one model at a time: the source's, then the one that was written.

    Args:
        options: the model's.
        arrays: the source's; those of the biLM are read once.
        vocabulary: its words; needed where it reads word ids.
    """

    def __init__(self, options: Options, arrays: Arrays, vocabulary: Vocabulary | None) -> None:
        self._options, self._source, self._vocabulary = options, arrays, vocabulary
        self._vectors: list[np.ndarray] = []
        self._bilm: BiLM | None = self._made(arrays)

    def _made(self, arrays: Arrays) -> BiLM:
        bilm = BiLM(self._options, name="bilm")
        filled(bilm, arrays)
        return bilm

    def _embedded(self, bilm: BiLM) -> list[np.ndarray]:
        return SentenceEmbedder(bilm, self._vocabulary, compiled=False)(SENTENCES)

    def source_arrays(self) -> Arrays:
        """The arrays of the source again: those of the biLM as the model holds them, without a second reading."""
        variables = self._held()
        shapes = {name: tuple(variable.shape) for name, variable in variables.items()}
        model = Arrays(self._source.source, shapes, lambda name: variables[name].read_value())
        return self._source.with_others(model)

    def _held(self) -> dict[str, tf.Variable]:
        return {} if self._bilm is None else named_variables(self._bilm)

    def embed(self) -> None:
        """Embeds the sentences by the source."""
        if self._bilm is not None:
            self._vectors = self._embedded(self._bilm)

    def difference(self, written: Arrays, path: str) -> float:
        """Makes a model of what was written, as any reader of it does, compares every array with the source's on the
        way, and embeds the sentences.

        Args:
            written: the arrays of the new files.
            path: what to call them in an error.

        Returns:
            The largest absolute difference between the vectors of both.

        Raises:
            InputError: an array is missing or differs, or the vectors do by more than `TOLERANCE`.
        """
        held, self._bilm = self._held(), None
        for name in self._source:
            if name not in written:
                raise InputError(f"{path}: array {name} is missing from what was written: a bad disk?", path=path)
            if name not in held:
                _compare(name, self._source[name], written[name], path)

        alone = threading.Lock()

        def compared(name: str) -> Any:
            array, variable = written.unchecked(name), held.pop(name, None)
            if variable is None:
                return array
            _compare(name, variable.read_value(), array, path)
            # On a CPU TensorFlow keeps the memory of what is freed for its own tensors, and the copy comes to lie just
            # there; the array's own memory goes back to the system. So no two models are ever held.
            with alone:
                _free(variable)
                return tf.raw_ops.DeepCopy(x=array)

        bilm = self._made(Arrays(path, {name: written.shapes[name] for name in held}, compared))
        vectors = self._embedded(bilm)
        for variable in named_variables(bilm).values():
            _free(variable)
        largest = max(float(np.abs(a - b).max()) for a, b in zip(self._vectors, vectors, strict=True))
        if not largest <= TOLERANCE:
            raise InputError(
                f"{path}: its vectors differ from the source's by {largest:.3g}, more than {TOLERANCE:g}", path=path
            )
        return largest


def _free(variable: tf.Variable) -> None:
    """Frees the memory of a variable, which lives on as long as the layers that have it, until Python finds them."""
    tf.raw_ops.AssignVariableOp(resource=variable.handle, value=tf.zeros([0]))


def _compare(name: str, expected: Any, array: Any, path: str) -> None:
    """Raises an `InputError` where two arrays differ; a few rows at a time, whose truth values take little memory."""
    expected, array = np.asarray(expected), np.asarray(array)
    pairs = zip(_in_parts(expected), _in_parts(array), strict=False)
    if expected.shape != array.shape or not all(np.array_equal(*pair) for pair in pairs):
        raise InputError(f"{path}: array {name} read back differs from what was written: a bad disk?", path=path)


def _in_parts(array: np.ndarray) -> Iterator[np.ndarray]:
    if not array.ndim:
        yield array
        return
    rows = max(_AT_ONCE // max(math.prod(array.shape[1:]), 1), 1)
    for row in range(0, len(array), rows):
        yield array[row : row + rows]
