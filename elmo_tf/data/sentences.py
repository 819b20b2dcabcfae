"""The sentences of a corpus, in the order in which one direction of the model reads them, and words as numbers."""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from elmo_tf.data.corpus import Corpus
from elmo_tf.data.shuffle import POOL_BYTES, Shuffle
from elmo_tf.data.text_blocks import BlockReader
from elmo_tf.data.vocabulary import Vocabulary


class WordNumbers(dict[str, int]):
    """Numbers of words: the vocabulary's ids, and for each other word, when it is first looked up, a number from V on.

    A model that reads characters so gets the characters of words outside the vocabulary. For a model with word input,
    those words have the id of `<UNK>`.

    Args:
        vocabulary: the model's vocabulary.
        by_characters: whether the model reads characters.

    Attributes:
        others: the words outside the vocabulary; word V + i is `others[i]`.
        times_forgotten: how often `forget` was called.

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
        """Removes the words outside the vocabulary, so that memory does not grow with the corpus."""
        for word in self.others:
            del self[word]
        self.others = []
        self.times_forgotten += 1


def word_of(number: int, vocabulary: Vocabulary, others: Sequence[str]) -> str:
    """The word of a number: a word of the vocabulary or, from V on, one of `others`."""
    size = len(vocabulary)
    return vocabulary.words[number] if number < size else others[number - size]


class ShuffledSentences:
    """Iterates over the sentences of a corpus, epoch after epoch without end, each epoch in another order.

    The order is that of `Shuffle`. A position in it is three numbers.

    Args:
        corpus: the text.
        seed: the seed of the run.
        direction: 0 forward, 1 backward; each has another order.
        position: `(epoch, pool, sentences of the pool already read)`, at which to go on.
        pool_bytes: size of a pool.
        gzip_in_order: whether the blocks of a .gz file stay in order.
    """

    def __init__(
        self,
        corpus: Corpus,
        seed: int,
        direction: int,
        position: Sequence[int] = (0, 0, 0),
        pool_bytes: int = POOL_BYTES,
        gzip_in_order: bool = True,
    ) -> None:
        self._shuffle = Shuffle(corpus, seed, direction, pool_bytes, gzip_in_order)
        self._reader = BlockReader()
        self._epoch, self._pool, self._read = position
        self._lines: list[str] | None = None
        self._pools = self._shuffle.pools(self._epoch)

    @property
    def position(self) -> tuple[int, int, int]:
        """Epoch, pool, and the number of sentences of the pool that have been read."""
        return self._epoch, self._pool, self._read

    def _load(self) -> list[str]:
        lines = [line for block in self._pools[self._pool] for line in self._reader.lines(block)]
        order = self._shuffle.order(self._epoch, self._pool, len(lines)).tolist()
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
                self._pools = self._shuffle.pools(self._epoch)
            self._lines = self._load()
        self._read += 1
        return self._lines[self._read - 1].split()


def sentences_in_file_order(corpus: Corpus) -> Iterable[list[str]]:
    """Yields the sentences of a corpus once, in the order of the files."""
    reader = BlockReader()
    for block in corpus.blocks:
        for line in reader.lines(block):
            yield line.split()
    reader.close()
