"""Whether a model that was written is the one it was made from: every array, and a few sentences, embedded by both."""

import numpy as np

from elmo_tf.bilm import BiLM
from elmo_tf.data.vocabulary import Vocabulary
from elmo_tf.embedding import SentenceEmbedder
from elmo_tf.errors import InputError
from elmo_tf.exchange.arrays import Arrays
from elmo_tf.exchange.names import named_variables
from elmo_tf.options import Options
from elmo_tf.stored_model import filled

TOLERANCE = 1e-6

SENTENCES = (
    ("The", "cat", "."),
    ("Blåbær", "日本語"),
    ("counterrevolutionaries-and-their-antidisestablishmentarianism", "<UNK>"),
)
"""Short, in several scripts, one word longer than any usual limit of characters."""


class SelfCheck:
    """Holds one model: the source's, which the numbers that were read back replace, array by array.

    Args:
        options: the model's.
        arrays: the source's; those of the biLM are read once.
        vocabulary: its words; needed where it reads word ids.
    """

    def __init__(self, options: Options, arrays: Arrays, vocabulary: Vocabulary | None) -> None:
        self._source, self._bilm = arrays, BiLM(options, name="bilm")
        filled(self._bilm, arrays)
        self._variables = named_variables(self._bilm)
        self._embed = SentenceEmbedder(self._bilm, vocabulary, compiled=False)
        self._vectors: list[np.ndarray] = []

    def arrays(self) -> Arrays:
        """The arrays of the source again: those of the biLM as the model holds them, without a second reading."""
        held = {name: tuple(self._variables[name].shape) for name in self._source if name in self._variables}
        model = Arrays(self._source.source, held, lambda name: self._variables[name].read_value())
        return self._source.with_others(model)

    def embed(self) -> None:
        """Embeds the sentences by the source."""
        self._vectors = self._embed(SENTENCES)

    def difference(self, written: Arrays, path: str) -> float:
        """Reads every array once, compares it, gives it to the model, and embeds the sentences by what was written.

        Args:
            written: the arrays of the new files.
            path: what to call them in an error.

        Returns:
            The largest absolute difference between the vectors of both.

        Raises:
            InputError: an array is missing or differs, or the vectors do by more than `TOLERANCE`.
        """
        for name in self._source:
            if name not in written:
                raise InputError(f"{path}: array {name} is missing from what was written: a bad disk?")
            array = written[name]
            held = self._variables.get(name)
            if not np.array_equal(self._source[name] if held is None else held.read_value(), array):
                raise InputError(f"{path}: array {name} read back differs from what was written: a bad disk?")
            if held is not None:
                held.assign(array)
        largest = max(float(np.abs(a - b).max()) for a, b in zip(self._vectors, self._embed(SENTENCES), strict=True))
        if not largest <= TOLERANCE:
            raise InputError(f"{path}: its vectors differ from the source's by {largest:.3g}, more than {TOLERANCE:g}")
        return largest
