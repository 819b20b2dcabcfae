"""Sentences packed end to end into the rows of a batch, without padding."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np


class PackedWindow(NamedTuple):
    """A window of packed rows in one direction.

    Args:
        inputs: the tokens that are read, int32 `(B, T)`.
        targets: the token that follows each of them, int32 `(B, T)`.
        filled: the number of tokens in each row, int32 `(B,)`. It is less than T only when the sentences have ended;
            the rest of the row is zeros.
    """

    inputs: np.ndarray
    targets: np.ndarray
    filled: np.ndarray


class RowPacker:
    """Packs sentences into rows: a row takes the next unread sentence whenever it runs out of tokens.

    A sentence of n words has n + 2 tokens. The first n + 1 are inputs and the last n + 1 are targets, so no row has to
    predict a sentence from the one before (bilm-tf's packing; its `data.py`, `_get_batch`). The tokens of a row that do
    not fit into a window begin the next window.

    Args:
        sentences: sentences as int32 `(n + 2,)`, boundaries included. The iterator may end.
        rows: the number of rows, B.
        left: the tokens that each row has left from before, for a packer that continues another one's work.

    Example, two rows of four steps; 0 and 1 are `<S>` and `</S>`:

    >>> packer = RowPacker(iter([np.array([0, 5, 6, 1]), np.array([0, 7, 1]), np.array([0, 8, 9, 1])]), rows=2)
    >>> inputs, targets, filled = packer.window(4)
    >>> inputs.tolist(), targets.tolist(), filled.tolist()
    ([[0, 5, 6, 0], [0, 8, 9, 0]], [[5, 6, 1, 7], [8, 9, 1, 0]], [4, 3])
    """

    def __init__(self, sentences: Iterator[np.ndarray], rows: int, left: Sequence[np.ndarray] | None = None) -> None:
        self._sentences = sentences
        self.left: list[np.ndarray] = [np.empty(0, np.int32)] * rows if left is None else list(left)

    def window(self, steps: int) -> PackedWindow:
        """Takes the next tokens of every row.

        Args:
            steps: tokens to take from a row, T.
        """
        rows = len(self.left)
        inputs, targets = np.zeros((rows, steps), np.int32), np.zeros((rows, steps), np.int32)
        filled = np.zeros(rows, np.int32)
        for row in range(rows):
            filled[row] = self._fill(row, inputs[row], targets[row])
        return PackedWindow(inputs, targets, filled)

    def _fill(self, row: int, inputs: np.ndarray, targets: np.ndarray) -> int:
        """Writes the next tokens of a row into the arrays; returns how many there were."""
        left, at, steps = self.left[row], 0, len(inputs)
        while at < steps:
            if len(left) <= 1:
                following = next(self._sentences, None)
                if following is None:
                    break
                left = following
            count = min(len(left) - 1, steps - at)
            inputs[at : at + count] = left[:count]
            targets[at : at + count] = left[1 : count + 1]
            left, at = left[count:], at + count
        self.left[row] = left
        return at
