"""The numbers of the words of an encoded text, as the model reads them, and back."""

from collections.abc import Sequence

import numpy as np

from elmo_tf.data.encoded_corpus import EncodedCorpus
from elmo_tf.data.vocabulary import BEGIN_SENTENCE, END_SENTENCE
from elmo_tf.data.windows import known_words


class EncodedNumbers:
    """The numbers of the words of an encoded text, and of those that a position of an earlier release spells out.

    Args:
        encoded: the text.
        by_characters: whether the model reads characters; otherwise words outside the vocabulary are `<UNK>`.

    Attributes:
        more: words that the text lacks, which have the numbers behind those of the text; there are some only if the
            text of an earlier release has been changed.
    """

    def __init__(self, encoded: EncodedCorpus, by_characters: bool) -> None:
        self._encoded, self._by_characters = encoded, by_characters
        self._vocabulary = encoded.vocabulary
        self._numbers: dict[bytes, int] | None = None
        self.more: list[bytes] = []

    def known(self, numbers: np.ndarray) -> np.ndarray:
        """The ids of words by their numbers: that of `<UNK>` for the words outside the vocabulary."""
        return known_words(numbers, self._vocabulary)

    def read(self, numbers: np.ndarray) -> np.ndarray:
        """The numbers of words as the model reads them."""
        return numbers if self._by_characters else self.known(numbers)

    def numbers(self, words: Sequence[str]) -> np.ndarray:
        """The numbers of words that are spelled out."""
        return np.array([self._number(word) for word in words], np.int32)

    def spell(self, numbers: np.ndarray, backward: bool) -> list[str]:
        """The words of the rest of a sentence, and the boundary at its end."""
        size, others = len(self._vocabulary), [*self._encoded.others, *self.more]
        words = [
            self._vocabulary.words[number] if number < size else others[number - size].decode()
            for number in numbers.tolist()
        ]
        return [*words, BEGIN_SENTENCE if backward else END_SENTENCE]

    def _number(self, word: str) -> int:
        number = self._vocabulary.ids.get(word)
        if number is not None:
            return number
        if self._numbers is None:
            self._numbers = {other: len(self._vocabulary) + n for n, other in enumerate(self._encoded.others)}
        encoded = word.encode()
        if encoded not in self._numbers:
            self._numbers[encoded] = len(self._vocabulary) + len(self._numbers)
            self.more.append(encoded)
        return self._numbers[encoded]
