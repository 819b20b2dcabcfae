"""Sentences as numbers, in the order in which one direction reads them."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from elmo_tf.data.corpus import BlockReader, Corpus, in_pools, runs
from elmo_tf.data.vocabulary import Vocabulary

POOL_BYTES = 16 << 20
"""Text that is shuffled together. Blocks of all files are shuffled first, so a pool is a sample of the whole corpus."""


class WordNumbers(dict[str, int]):
    """Numbers of words: ids of the vocabulary's words, and numbers from V on for others, given as they come.

    An unknown word keeps its characters so. With word input it is `<UNK>` at once.

    Args:
        vocabulary: the model's.
        by_characters: whether the model reads characters.

    Example:

    >>> numbers = WordNumbers(Vocabulary(["<S>", "</S>", "<UNK>", "a"]), by_characters=True)
    >>> numbers["a"], numbers["zebra"], numbers["zebra"], numbers.word(4)
    (3, 4, 4, 'zebra')
    """

    def __init__(self, vocabulary: Vocabulary, by_characters: bool) -> None:
        super().__init__(vocabulary.ids)
        self.vocabulary, self.by_characters = vocabulary, by_characters
        self.others: list[str] = []
        self.times_forgotten = 0

    def __missing__(self, word: str) -> int:
        if not self.by_characters:
            return self.vocabulary.unknown
        number = len(self.vocabulary) + len(self.others)
        self.others.append(word)
        self[word] = number
        return number

    def word(self, number: int) -> str:
        """The word of a number."""
        return word_of(number, self.vocabulary, self.others)

    def sentence(self, words: Sequence[str], backward: bool = False) -> np.ndarray:
        """`<S> w1 .. wn </S>` as int32 `(n + 2,)`, or `</S> wn .. w1 <S>`."""
        vocabulary = self.vocabulary
        numbers = [vocabulary.begin, *map(self.__getitem__, words), vocabulary.end]
        return np.array(numbers[::-1] if backward else numbers, np.int32)

    def forget(self) -> None:
        """Forgets the words outside the vocabulary, so that memory does not grow with the corpus."""
        for word in self.others:
            del self[word]
        self.others = []
        self.times_forgotten += 1


def word_of(number: int, vocabulary: Vocabulary, others: Sequence[str]) -> str:
    """The word of a number: one of the vocabulary's, or from V on one of `others`."""
    size = len(vocabulary)
    return vocabulary.words[number] if number < size else others[number - size]


class ShuffledSentences:
    """The sentences of a corpus, epoch after epoch without end, each epoch in an order of its own.

    The order is a function of (seed, epoch, direction): blocks of all files are shuffled, taken together in pools of
    some megabytes, and the sentences of a pool shuffled. Its position is three numbers.

    Args:
        corpus: the text.
        seed: the run's.
        direction: 0 forward, 1 backward; they read in orders of their own.
        position: `(epoch, pool, sentences of the pool already read)`, to go on from.
        pool_bytes: text that is shuffled together.
    """

    def __init__(
        self,
        corpus: Corpus,
        seed: int,
        direction: int,
        position: Sequence[int] = (0, 0, 0),
        pool_bytes: int = POOL_BYTES,
    ) -> None:
        self._corpus, self._seed, self._direction, self._pool_bytes = corpus, seed, direction, pool_bytes
        self._reader = BlockReader()
        self._epoch, self._pool, self._read = position
        self._lines: list[str] | None = None
        self._pools = self._pools_of_epoch()

    @property
    def position(self) -> tuple[int, int, int]:
        """Epoch, pool, and how many sentences of the pool have been read."""
        return self._epoch, self._pool, self._read

    def _random(self, *numbers: int) -> np.random.Generator:
        seeds = np.random.SeedSequence([self._seed, self._direction, self._epoch, *numbers])
        return np.random.Generator(np.random.Philox(seeds))

    def _pools_of_epoch(self) -> list[Any]:
        order = self._random().permutation(len(runs(self._corpus)))
        return in_pools(self._corpus, order.tolist(), self._pool_bytes)

    def _load(self) -> list[str]:
        lines = [line for block in self._pools[self._pool] for line in self._reader.lines(block)]
        order = self._random(self._pool).permutation(len(lines)).tolist()
        return [lines[number] for number in order]

    def __iter__(self) -> Iterator[list[str]]:
        return self

    def __next__(self) -> list[str]:
        if self._lines is None:
            self._lines = self._load()
        while self._read >= len(self._lines):
            self._pool, self._read = self._pool + 1, 0
            if self._pool == len(self._pools):
                self._epoch, self._pool = self._epoch + 1, 0
                self._pools = self._pools_of_epoch()
            self._lines = self._load()
        self._read += 1
        return self._lines[self._read - 1].split()


def sentences_in_file_order(corpus: Corpus) -> Iterable[list[str]]:
    """The sentences of a corpus once, as they stand in the files."""
    reader = BlockReader()
    for block in corpus.blocks:
        for line in reader.lines(block):
            yield line.split()
    reader.close()
