"""The position of a training stream in its corpus: how it is saved in a checkpoint, and read back."""

import abc
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


class Position(abc.ABC):
    """The position of a training stream after a step."""

    @abc.abstractmethod
    def to_json(self) -> str:
        """The position as text, from which the stream can be continued."""


@dataclass(frozen=True)
class SpelledPosition(Position):
    """The position of a plain training stream, whose words are spelled out when it is saved.

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


class SavedDirection(NamedTuple):
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
    _check(len(saved), len(saved[0].left) if saved else 0, directions, rows)
    return saved


def _check(saved_directions: int, saved_rows: int, directions: int, rows: int) -> None:
    if (saved_directions, saved_rows) != (directions, rows):
        raise InputError(
            f"the saved position is one of {saved_directions} directions of {saved_rows} rows, expected {directions} "
            f"of {rows}: --batch_size times replicas times --accumulation_steps must stay as it was"
        )


class EncodedDirection(NamedTuple):
    """The position of one direction of a stream that reads the encoded text.

    Args:
        sentences: epoch, pool, and sentences of the pool already read, as in `DirectionPosition`.
        left: for each row the tokens that it has left: the place of the first in the text, whose tokens are counted in
            order with `<S>` and `</S>`, and their number. The backward direction reads on towards the front. Or the
            words themselves, where the place is not known.
    """

    sentences: tuple[int, int, int]
    left: list[tuple[int, int] | list[str]]


class EncodedState(NamedTuple):
    """The position of a stream that reads the encoded text.

    Args:
        directions: the position of each direction.
        gzip_in_order: whether the blocks of a .gz file stay in order, as up to the release that saved words.
    """

    directions: list[EncodedDirection]
    gzip_in_order: bool


def read_encoded_position(text: str | None, directions: int, rows: int) -> EncodedState:
    """Reads the text of `EncodedPosition.to_json`, or of `SpelledPosition.to_json`, as earlier releases saved it.

    Args:
        text: the text; None for the beginning of the corpus.
        directions: directions of the stream.
        rows: rows of the stream.

    Raises:
        InputError: the position is one of other directions or rows.
    """
    values = None if text is None else json.loads(text)
    if not isinstance(values, dict):
        saved = read_position(text, directions, rows)
        found = [EncodedDirection(sentences, [*left]) for sentences, left in saved]
        return EncodedState(found, values is not None)
    found = [
        EncodedDirection(tuple(sentences), [tuple(row) if _is_place(row) else row for row in left])
        for sentences, left in values["directions"]
    ]
    _check(len(found), len(found[0].left) if found else 0, directions, rows)
    return EncodedState(found, values["gzip_in_order"])


def write_encoded_position(state: EncodedState) -> str:
    """The text that `read_encoded_position` reads."""
    return json.dumps({"directions": state.directions, "gzip_in_order": state.gzip_in_order}, ensure_ascii=False)


def _is_place(row: Sequence[int | str]) -> bool:
    return len(row) == 2 and not isinstance(row[0], str)
