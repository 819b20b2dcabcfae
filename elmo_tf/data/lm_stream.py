"""The language model's input: text files -> windows of packed rows in both directions, from any saved position on."""

import collections
import dataclasses
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from elmo_tf.data.corpus import Corpus
from elmo_tf.data.negatives import draw_negatives
from elmo_tf.data.packing import RowPacker
from elmo_tf.data.sentences import ShuffledSentences, WordNumbers, in_file_order, word_of
from elmo_tf.data.vocabulary import Vocabulary
from elmo_tf.data.windows import Window, WindowMaker
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


class Step(NamedTuple):
    """The input of one training step.

    Args:
        windows: one a part.
        negatives: word ids int32 `(directions, n)`, the same for all parts; `(directions, 0)` without sampling.
        tries: how many draws each sample took, float32 `(directions,)`.
    """

    windows: tuple[Window, ...]
    negatives: np.ndarray
    tries: np.ndarray


class TrainingStream:
    """Steps without end, and after each of them the position to go on from.

    Each direction reads the corpus in an order of its own. Iterating gives `(Step, Position)`.

    Args:
        corpus: the text.
        vocabulary: the model's.
        options: the model's; of its training `unroll_steps` is used.
        settings: rows, replicas, seed, negatives.
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


class EvaluationWindow(NamedTuple):
    """A window of held-out text, and where it is filled.

    Args:
        window: words, inputs, targets.
        mask: booleans `(directions, B, T)`; False behind the end of the text.
    """

    window: Window
    mask: np.ndarray


def evaluation_windows(
    corpus: Corpus,
    vocabulary: Vocabulary,
    options: Options,
    rows: int,
    steps: int,
    drop_remainder: bool = False,
) -> Iterator[EvaluationWindow]:
    """Every sentence of a corpus once, in file order, packed as in training; both directions read the same sentences.

    Args:
        corpus: the held-out text.
        vocabulary: the model's.
        options: the model's.
        rows: rows of a window.
        steps: steps of a window.
        drop_remainder: whether to end with the last window that is full, as bilm-tf does, instead of at the last token.
    """
    numbers = WordNumbers(vocabulary, options.char_cnn is not None)
    make_window = WindowMaker(numbers, options)

    def sentences(backward: bool) -> Iterator[np.ndarray]:
        for words in in_file_order(corpus):
            yield numbers.sentence(words, backward)

    packers = [RowPacker(sentences(direction == 1), rows) for direction in range(options.directions)]
    while True:
        packed = [packer.window(steps) for packer in packers]
        filled = np.stack([part[2] for part in packed])
        if not filled.any() or (drop_remainder and (filled < steps).any()):
            return
        window = make_window([part[0] for part in packed], [part[1] for part in packed])
        yield EvaluationWindow(window, np.arange(steps) < filled[:, :, None])


class Prefetched:
    """A stream that is computed ahead in the background by `tf.data`, each step with the position that belongs to it.

    Args:
        stream: the stream.
        ahead: how many steps are kept ready.

    `first` is the step that comes first, for its shapes.
    """

    def __init__(self, stream: TrainingStream, ahead: int = 4) -> None:
        self._positions: collections.deque[Position] = collections.deque()
        self._error: InputError | None = None
        steps = iter(stream)
        following = next(steps)
        self.first = following[0]
        self._elements = iter(self._dataset(following, steps, ahead))

    def _dataset(self, first: tuple[Step, Position], steps: Iterator[tuple[Step, Position]], ahead: int) -> Any:
        import tensorflow as tf

        def generate() -> Iterator[tuple[np.ndarray, ...]]:
            following: tuple[Step, Position] | None = first
            while following is not None:
                step, position = following
                self._positions.append(position)
                yield tuple(flat(step))
                following = self._next(steps)

        signature = tuple(
            tf.TensorSpec([None if free else n for n, free in zip(array.shape, unknown, strict=True)], array.dtype)
            for array, unknown in zip(flat(first[0]), free_dimensions(first[0]), strict=True)
        )
        return tf.data.Dataset.from_generator(generate, output_signature=signature).prefetch(ahead)

    def _next(self, steps: Iterator[tuple[Step, Position]]) -> tuple[Step, Position] | None:
        try:
            return next(steps)
        except InputError as error:  # tf.data would bury it in an error of its own
            self._error = error
            return None

    def __iter__(self) -> "Prefetched":
        return self

    def __next__(self) -> tuple[tuple[Any, ...], Position]:
        """The step's tensors in the order of `flat`, and the position after it."""
        element = next(self._elements, None)
        if element is None:
            raise self._error or StopIteration
        return element, self._positions.popleft()


def flat(step: Step) -> list[np.ndarray]:
    """The arrays of a step in a fixed order: negatives, tries, then of each part words, inputs, targets, begins."""
    return [step.negatives, step.tries, *(array for window in step.windows for array in window)]


def free_dimensions(step: Step) -> list[list[bool]]:
    """For each array of `flat`, which of its dimensions change from step to step: those of the words."""
    fixed = [[False] * step.negatives.ndim, [False]]
    for window in step.windows:
        fixed += [[True] * window.words.ndim, [False] * 3, [False] * 3, [False] * 2]
    return fixed
