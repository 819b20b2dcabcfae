"""The check after a conversion: the written model has the source's arrays, and embeds sentences alike."""

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
from elmo_tf.store.load_weights import load_weights

TOLERANCE = 1e-6

_NUMBERS_AT_ONCE = 1 << 20
"""Numbers that are compared at a time, so that they and the comparison's results stay in the processor's caches."""

SENTENCES = (
    ("cat",),
    ("Blåbær日本語",),
    ("counterrevolutionaries-and-their-antidisestablishmentarianism",),
)
"""Short, in several scripts, one word longer than any usual limit of characters."""


class RoundTrip:
    """Compares the model that was written with its source; never holds both in memory.

    Args:
        options: the model's.
        arrays: the source's. Those of the biLM are read once, into a model.
        vocabulary: the model's words; needed where it reads word ids.
    """

    def __init__(self, options: Options, arrays: Arrays, vocabulary: Vocabulary | None) -> None:
        self._options, self._source, self._vocabulary = options, arrays, vocabulary
        self._vectors: list[np.ndarray] = []
        self._bilm: BiLM | None = self._load(arrays)

    def _load(self, arrays: Arrays) -> BiLM:
        bilm = BiLM(self._options, name="bilm")
        load_weights(bilm, arrays)
        return bilm

    def _embed_sentences(self, bilm: BiLM) -> list[np.ndarray]:
        return SentenceEmbedder(bilm, self._vocabulary, compiled=False)(SENTENCES)

    def source_arrays(self) -> Arrays:
        """The source's arrays once more; those of the biLM come from the model in memory, not from the file."""
        variables = self._variables()
        shapes = {name: tuple(variable.shape) for name, variable in variables.items()}
        model = Arrays(self._source.source, shapes, lambda name: variables[name].read_value())
        return self._source.with_others(model)

    def _variables(self) -> dict[str, tf.Variable]:
        return {} if self._bilm is None else named_variables(self._bilm)

    def embed(self) -> None:
        """Embeds the sentences by the source."""
        if self._bilm is not None:
            self._vectors = self._embed_sentences(self._bilm)

    def difference(self, written: Arrays, path: str) -> float:
        """Loads the written model, compares every array with the source's on the way, and embeds the sentences.

        Args:
            written: the arrays of the new files.
            path: the new files, for an error.

        Returns:
            The largest absolute difference between the vectors of both models.

        Raises:
            InputError: an array is missing or differs, or the vectors differ by more than `TOLERANCE`.
        """
        variables, self._bilm = self._variables(), None
        for name in self._source:
            if name not in written:
                raise InputError(f"{path}: array {name} is missing from what was written: a bad disk?", path=path)
            if name not in variables:
                _compare(name, self._source[name], written[name], path)
        bilm = self._load(_replace(variables, written, path))
        vectors = self._embed_sentences(bilm)
        for variable in named_variables(bilm).values():
            _free(variable)
        largest = max(float(np.abs(a - b).max()) for a, b in zip(self._vectors, vectors, strict=True))
        if not largest <= TOLERANCE:
            raise InputError(
                f"{path}: its vectors differ from the source's by {largest:.3g}, more than {TOLERANCE:g}", path=path
            )
        return largest


def _replace(variables: dict[str, tf.Variable], written: Arrays, path: str) -> Arrays:
    """The written arrays of a model's variables. Each is compared when it is read, and its variable is then freed."""
    one_at_a_time = threading.Lock()

    def read(name: str) -> Any:
        array, variable = written.read_unchecked(name), variables[name]
        _compare(name, variable.read_value(), array, path)
        # On a CPU TensorFlow keeps freed memory for its own tensors, so the copy takes the variable's place, and the
        # array's memory goes back to the system. Two models are never held.
        with one_at_a_time:
            _free(variable)
            return tf.raw_ops.DeepCopy(x=array)

    return Arrays(path, {name: written.shapes[name] for name in variables}, read)


def _free(variable: tf.Variable) -> None:
    """Frees the memory of a variable at once; the variable itself lives until Python collects its layers."""
    tf.raw_ops.AssignVariableOp(resource=variable.handle, value=tf.zeros([0]))


def _compare(name: str, expected: Any, array: Any, path: str) -> None:
    """Raises an `InputError` where two arrays differ. Compares a few rows at a time, to take little memory."""
    expected, array = np.asarray(expected), np.asarray(array)
    pairs = zip(_in_parts(expected), _in_parts(array), strict=False)
    if expected.shape != array.shape or not all(np.array_equal(*pair) for pair in pairs):
        raise InputError(f"{path}: array {name} read back differs from what was written: a bad disk?", path=path)


def _in_parts(array: np.ndarray) -> Iterator[np.ndarray]:
    if not array.ndim:
        yield array
        return
    rows = max(_NUMBERS_AT_ONCE // max(math.prod(array.shape[1:]), 1), 1)
    for row in range(0, len(array), rows):
        yield array[row : row + rows]
