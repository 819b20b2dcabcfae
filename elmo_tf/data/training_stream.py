"""The training's input: text files -> windows of packed rows in both directions, from any saved position on."""

import dataclasses
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from elmo_tf.data.corpus import Corpus
from elmo_tf.data.negatives import draw_negatives
from elmo_tf.data.row_packer import RowPacker
from elmo_tf.data.sentences import ShuffledSentences, WordNumbers, word_of
from elmo_tf.data.steps import Step
from elmo_tf.data.vocabulary import Vocabulary
from elmo_tf.data.windows import WindowMaker
from elmo_tf.errors import InputError
from elmo_tf.options import Options

_MOST_OTHERS = 100_000
"""Words outside the vocabulary that are remembered before those no longer in use are forgotten."""


@dataclass(frozen=True)
class StreamSettings:
    """What a training stream is a function of.

    Args:
        rows: rows of a step.
        parts: how many parts the rows are dealt to, in order: one a replica and accumulation step.
        seed: of shuffles and negatives.
        negatives: samples a direction and step; 0 for none.
        buckets: whether to pad the words of a window to few different shapes, for XLA.
    """

    rows: int
    parts: int = 1
    seed: int = 1
    negatives: int = 0
    buckets: bool = False


class TrainingStream:
    """Steps without end, and after each of them the position to go on from.

    Each direction reads the corpus in an order of its own. Iterating gives `(Step, Position)`.

    Args:
        corpus: the text.
        vocabulary: the model's.
        options: the model's; of its training `unroll_steps` is used.
        settings: rows, parts, seed, negatives, buckets.
        step: number of the first step.
        position: None, or what `Position.to_json` gave after the step before.
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
        states = _read_position(position, options.directions, settings.rows)
        self._sentences, self._packers = [], []
        for direction, state in enumerate(states):
            sentences = ShuffledSentences(corpus, settings.seed, direction, state.position)
            left = [np.array([self._numbers[word] for word in row], np.int32) for row in state.left]
            self._sentences.append(sentences)
            self._packers.append(RowPacker(self._numbered(sentences, direction), settings.rows, left))

    def _numbered(self, sentences: ShuffledSentences, direction: int) -> Iterator[np.ndarray]:
        for words in sentences:
            yield self._numbers.sentence(words, backward=direction == 1)

    def __iter__(self) -> Iterator[tuple[Step, "Position"]]:
        while True:
            self._forget_words()
            packed = [packer.window(self._options.training.unroll_steps) for packer in self._packers]
            inputs, targets = [window[0] for window in packed], [window[1] for window in packed]
            size = self._settings.rows // self._settings.parts
            parts = [slice(k * size, (k + 1) * size) for k in range(self._settings.parts)]
            windows = tuple(self._make_window([x[part] for x in inputs], [y[part] for y in targets]) for part in parts)
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

    def _position(self) -> "Position":
        parts = tuple(
            (sentences.position, tuple(packer.left))
            for sentences, packer in zip(self._sentences, self._packers, strict=True)
        )
        return Position(parts, self._numbers.vocabulary, self._numbers.others)

    def _forget_words(self) -> None:
        numbers = self._numbers
        if len(numbers.others) < _MOST_OTHERS:
            return
        rows = [[[numbers.word(n) for n in left.tolist()] for left in packer.left] for packer in self._packers]
        numbers.forget()
        for packer, words in zip(self._packers, rows, strict=True):
            packer.left = [np.array([numbers[word] for word in row], np.int32) for row in words]


@dataclass(frozen=True)
class Position:
    """Where a training stream stands after a step: by direction three numbers and the words that its rows still hold.

    It is cheap to make, for it only refers to what the stream has; `to_json` spells it out.
    """

    parts: tuple[tuple[tuple[int, int, int], tuple[np.ndarray, ...]], ...]
    vocabulary: Vocabulary
    others: Sequence[str]

    def to_json(self) -> str:
        """The position as text; some kilobytes."""
        return json.dumps(
            [{"position": list(position), "left": [self._words(row) for row in left]} for position, left in self.parts],
            ensure_ascii=False,
        )

    def _words(self, row: np.ndarray) -> list[str]:
        return [word_of(number, self.vocabulary, self.others) for number in row.tolist()]


@dataclass(frozen=True)
class _DirectionState:
    position: tuple[int, int, int] = (0, 0, 0)
    left: list[list[str]] = dataclasses.field(default_factory=list)


def _read_position(text: str | None, directions: int, rows: int) -> list[_DirectionState]:
    if text is None:
        return [_DirectionState(left=[[]] * rows)] * directions
    states = [_DirectionState(tuple(part["position"]), part["left"]) for part in json.loads(text)]
    came = (len(states), len(states[0].left) if states else 0)
    if came != (directions, rows):
        raise InputError(
            f"the saved position is one of {came[0]} directions of {came[1]} rows, expected {directions} of {rows}: "
            "--batch_size times replicas times --accumulation_steps must stay as it was"
        )
    return states
