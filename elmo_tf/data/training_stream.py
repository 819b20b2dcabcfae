"""The input of training: text files -> windows of packed rows in both directions, from any saved position on."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from elmo_tf.data.corpus import Corpus
from elmo_tf.data.negatives import draw_negatives
from elmo_tf.data.row_packer import RowPacker
from elmo_tf.data.sentences import ShuffledSentences, WordNumbers
from elmo_tf.data.steps import Step
from elmo_tf.data.stream_position import DirectionPosition, Position, read_position
from elmo_tf.data.vocabulary import Vocabulary
from elmo_tf.data.windows import WindowMaker
from elmo_tf.options import Options

_MOST_OTHERS = 100_000
"""The number of words outside the vocabulary above which the stream forgets those that its rows do not hold."""


@dataclass(frozen=True)
class StreamSettings:
    """The settings of a training stream, which with the text decide what it yields.

    Args:
        rows: rows of a step, all parts together.
        parts: the number of parts that the rows are dealt to, in order: one for each replica and accumulation step.
        seed: the seed of shuffles and negatives.
        negatives: negative samples in a step and direction; 0 for the full softmax.
        buckets: whether to round the shapes of windows up to few different ones, for XLA.
        own_parts: the parts whose windows are made, where other processes make the rest; None for all. Every process
            reads and packs all rows, because which sentence a row takes next depends on all of them.
    """

    rows: int
    parts: int = 1
    seed: int = 1
    negatives: int = 0
    buckets: bool = False
    own_parts: range | None = None


class TrainingStream:
    """Yields the inputs of training steps without end, each with the position of the stream after it.

    Each direction reads the corpus in an order of its own. Iterating gives `(Step, Position)`.

    Args:
        corpus: the text.
        vocabulary: the model's.
        options: the model's; of its training options `unroll_steps` is used.
        settings: the rows, parts, seed, negatives and buckets.
        step: the number of the first step.
        position: the position to continue from, as `Position.to_json` gave it after the step before; None to begin.
    """

    def __init__(
        self,
        corpus: Corpus,
        vocabulary: Vocabulary,
        options: Options,
        settings: StreamSettings,
        step: int = 0,
        position: str | None = None,
    ) -> None:
        self._options, self._settings, self._step = options, settings, step
        self._numbers = WordNumbers(vocabulary, options.char_cnn is not None)
        self._make_window = WindowMaker(self._numbers, options, settings.buckets)
        self._sentences, self._packers = [], []
        for direction, saved in enumerate(read_position(position, options.directions, settings.rows)):
            sentences = ShuffledSentences(corpus, settings.seed, direction, saved.sentences)
            left = [np.array([self._numbers[word] for word in row], np.int32) for row in saved.left]
            self._sentences.append(sentences)
            self._packers.append(RowPacker(self._numbered(sentences, direction), settings.rows, left))

    def _numbered(self, sentences: ShuffledSentences, direction: int) -> Iterator[np.ndarray]:
        for words in sentences:
            yield self._numbers.sentence(words, backward=direction == 1)

    def __iter__(self) -> Iterator[tuple[Step, Position]]:
        while True:
            self._forget_words()
            packed = [packer.window(self._options.training.unroll_steps) for packer in self._packers]
            size = self._settings.rows // self._settings.parts
            own = self._settings.own_parts
            parts = [slice(k * size, (k + 1) * size) for k in (range(self._settings.parts) if own is None else own)]
            windows = tuple(
                self._make_window(
                    [window.inputs[part] for window in packed], [window.targets[part] for window in packed]
                )
                for part in parts
            )
            step = Step(windows, *self._negatives())
            self._step += 1
            yield step, self._position()

    def _negatives(self) -> tuple[np.ndarray, np.ndarray]:
        directions, count = self._options.directions, self._settings.negatives
        if not count:
            return np.zeros((directions, 0), np.int32), np.ones(directions, np.float32)
        size = len(self._numbers.vocabulary)
        drawn = [draw_negatives(count, size, self._settings.seed, self._step, d) for d in range(directions)]
        return np.stack([ids for ids, _ in drawn]), np.array([tries for _, tries in drawn], np.float32)

    def _position(self) -> Position:
        directions = tuple(
            DirectionPosition(sentences.position, tuple(packer.left))
            for sentences, packer in zip(self._sentences, self._packers, strict=True)
        )
        return Position(directions, self._numbers.vocabulary, self._numbers.others)

    def _forget_words(self) -> None:
        numbers = self._numbers
        if len(numbers.others) < _MOST_OTHERS:
            return
        rows = [[[numbers.word(n) for n in left.tolist()] for left in packer.left] for packer in self._packers]
        numbers.forget()
        for packer, words in zip(self._packers, rows, strict=True):
            packer.left = [np.array([numbers[word] for word in row], np.int32) for row in words]
