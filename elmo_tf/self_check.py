"""Whether a model that was written is the one it was made from: every array, and a few sentences, embedded by both."""

import gc

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
    """Holds the source's model, and later the one that was written, never both.

    Args:
        options: the model's.
        arrays: the source's; those of the biLM are read once.
        vocabulary: its words; needed where it reads word ids.
    """

    def __init__(self, options: Options, arrays: Arrays, vocabulary: Vocabulary | None) -> None:
        self._vocabulary, self._source = vocabulary, arrays
        self._bilm: BiLM | None = BiLM(options, name="bilm")
        filled(self._bilm, arrays)
        self._vectors: list[np.ndarray] = []

    def arrays(self) -> Arrays:
        """The arrays of the source again: those of the biLM as the model holds them, without a second reading."""
        variables = named_variables(self._bilm) if self._bilm is not None else {}
        held = {name: tuple(variable.shape) for name, variable in variables.items()}
        model = Arrays(self._source.source, held, lambda name: variables[name].read_value())
        return self._source.with_others(model.only({name: None for name in self._source if name in held}))

    def embed(self) -> None:
        """Embeds the sentences by the source."""
        if self._bilm is not None:
            self._vectors = SentenceEmbedder(self._bilm, self._vocabulary, compiled=False)(SENTENCES)

    def difference(self, options: Options, written: Arrays, path: str) -> float:
        """Compares every array, lets the source's model go, and embeds the sentences by the one that was written.

        Args:
            options: as they were read back.
            written: the arrays as they were read back.
            path: what to call them in an error.

        Returns:
            The largest absolute difference between the vectors of both.

        Raises:
            InputError: an array differs, or the vectors do by more than `TOLERANCE`.
        """
        self._compare(written, path)
        self._bilm = None
        gc.collect()  # layers refer to each other in circles
        self._bilm = BiLM(options, name="bilm")
        filled(self._bilm, written)
        before = self._vectors
        self.embed()
        largest = max(float(np.abs(a - b).max()) for a, b in zip(before, self._vectors, strict=True))
        if not largest <= TOLERANCE:
            raise InputError(f"{path}: its vectors differ from the source's by {largest:.3g}, more than {TOLERANCE:g}")
        return largest

    def _compare(self, written: Arrays, path: str) -> None:
        wanted = self.arrays()
        for name in wanted:
            if not np.array_equal(wanted[name], written[name]):
                raise InputError(f"{path}: array {name} read back differs from what was written: a bad disk?")
