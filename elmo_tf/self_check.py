"""Whether a model that was written is the one it was made from: a few sentences, embedded by both."""

from collections.abc import Mapping

import numpy as np

from elmo_tf.bilm import BiLM
from elmo_tf.data.vocabulary import Vocabulary
from elmo_tf.embedding import SentenceEmbedder
from elmo_tf.errors import InputError
from elmo_tf.exchange.arrays import Arrays
from elmo_tf.exchange.names import named_variables
from elmo_tf.options import Options

TOLERANCE = 1e-6

SENTENCES = (
    ("The", "cat", "sat", "on", "a", "mat", "."),
    ("Blåbærsyltetøy", "日本語", "<UNK>", "counterrevolutionaries-and-their-antidisestablishmentarianism"),
)
"""Short, in several scripts, one word longer than any limit of characters."""


class SelfCheck:
    """Holds one model, that of the source, until the one that was written takes its place, array by array.

    Args:
        options: the model's.
        arrays: its weights; each is read once.
        vocabulary: its words; needed where it reads word ids.
    """

    def __init__(self, options: Options, arrays: Arrays, vocabulary: Vocabulary | None) -> None:
        self._bilm = BiLM(options, name="bilm")
        self._bilm.build()
        self._variables = named_variables(self._bilm)
        for name, variable in self._variables.items():
            variable.assign(arrays[name])
        self._embed = SentenceEmbedder(self._bilm, vocabulary, compiled=False)
        self._vectors = self._embed(SENTENCES)

    def arrays(self, source: Arrays) -> Arrays:
        """The arrays of the source again: those of the biLM as the model holds them, without a second reading."""
        held = {name: tuple(variable.shape) for name, variable in self._variables.items()}
        model = Arrays(source.source, held, lambda name: np.asarray(self._variables[name].read_value()))
        return source.with_others(model.only({name: None for name in source if name in held}))

    def difference(self, wanted: Mapping[str, np.ndarray], written: Mapping[str, np.ndarray], path: str) -> float:
        """Compares every array, puts those that were written into the model, and embeds the sentences again.

        Args:
            wanted: what should be there, from `arrays`.
            written: what is.
            path: what to call it in an error.

        Returns:
            The largest absolute difference between the vectors of both.

        Raises:
            InputError: an array differs, or the vectors do by more than `TOLERANCE`.
        """
        for name, array in wanted.items():
            again = written[name]
            if not np.array_equal(array, again):
                raise InputError(f"{path}: array {name} read back differs from what was written: a bad disk?")
            if name in self._variables:
                self._variables[name].assign(again)
        vectors = self._embed(SENTENCES)
        largest = max(float(np.abs(a - b).max()) for a, b in zip(self._vectors, vectors, strict=True))
        if not largest <= TOLERANCE:
            raise InputError(f"{path}: its vectors differ from the source's by {largest:.3g}, more than {TOLERANCE:g}")
        return largest
