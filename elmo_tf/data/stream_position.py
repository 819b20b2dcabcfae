"""The position of a training stream in its corpus: how it is saved in a checkpoint, and read back."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from elmo_tf.data.sentences import word_of
from elmo_tf.data.vocabulary import Vocabulary
from elmo_tf.errors import InputError


class DirectionPosition(NamedTuple):
    """The position of one direction of a training stream.

    Args:
        sentences: the position of the `ShuffledSentences`: epoch, pool, and sentences of the pool already read.
        left: the word numbers that each row has left for the next windows.
    """

    sentences: tuple[int, int, int]
    left: tuple[np.ndarray, ...]


@dataclass(frozen=True)
class Position:
    """The position of a training stream after a step.

    It is cheap to make, because it only refers to the arrays of the stream; `to_json` spells the words out.

    Args:
        directions: the position of each direction.
        vocabulary: the vocabulary, whose words have the numbers below its size.
        others: the words that have the numbers from there on.
    """

    directions: tuple[DirectionPosition, ...]
    vocabulary: Vocabulary
    others: Sequence[str]

    def to_json(self) -> str:
        """The position as text, of some kilobytes."""
        values = [
            {"position": list(direction.sentences), "left": [self._words(row) for row in direction.left]}
            for direction in self.directions
        ]
        return json.dumps(values, ensure_ascii=False)

    def _words(self, row: np.ndarray) -> list[str]:
        return [word_of(number, self.vocabulary, self.others) for number in row.tolist()]


@dataclass(frozen=True)
class SavedDirection:
    """The position of one direction as its text says it, the words spelled out."""

    sentences: tuple[int, int, int]
    left: list[list[str]]


def read_position(text: str | None, directions: int, rows: int) -> list[SavedDirection]:
    """Reads the text of `Position.to_json`.

    Args:
        text: the text; None for the beginning of the corpus.
        directions: directions of the stream.
        rows: rows of the stream.

    Raises:
        InputError: the position is one of other directions or rows.
    """
    if text is None:
        return [SavedDirection((0, 0, 0), [[]] * rows)] * directions
    saved = [SavedDirection(tuple(values["position"]), values["left"]) for values in json.loads(text)]
    came = (len(saved), len(saved[0].left) if saved else 0)
    if came != (directions, rows):
        raise InputError(
            f"the saved position is one of {came[0]} directions of {came[1]} rows, expected {directions} of {rows}: "
            "--batch_size times replicas times --accumulation_steps must stay as it was"
        )
    return saved
