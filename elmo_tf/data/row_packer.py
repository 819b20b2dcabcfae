"""Sentences packed end to end into the rows of a batch, without padding."""

from collections.abc import Iterator, Sequence

import numpy as np


class RowPacker:
    """Rows that sentences flow through: a row takes the next unread sentence whenever it runs out.

    The token after a sentence's last is no target: inputs of a sentence are its first n + 1 tokens, targets its last
    n + 1 (bilm-tf's packing; its `data.py`, `_get_batch`). What a row still holds after a window comes in the next.

    Args:
        sentences: sentences as int32 `(n + 2,)`, boundaries included; may end.
        rows: number of rows, B.
        left: what each row still holds from before, to go on from.

    Example, two rows of four steps; 0 and 1 are `<S>` and `</S>`:

    >>> packer = RowPacker(iter([np.array([0, 5, 6, 1]), np.array([0, 7, 1]), np.array([0, 8, 9, 1])]), rows=2)
    >>> inputs, targets, filled = packer.window(4)
    >>> inputs.tolist(), targets.tolist(), filled.tolist()
    ([[0, 5, 6, 0], [0, 8, 9, 0]], [[5, 6, 1, 7], [8, 9, 1, 0]], [4, 3])
    """

    def __init__(self, sentences: Iterator[np.ndarray], rows: int, left: Sequence[np.ndarray] | None = None) -> None:
        self._sentences = sentences
        self.left: list[np.ndarray] = [np.empty(0, np.int32)] * rows if left is None else list(left)

    def window(self, steps: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The next `steps` tokens of every row.

        Returns:
            `inputs` and `targets`, int32 `(B, steps)`, and `filled` `(B,)`: how many of a row's tokens are there; fewer
            than `steps` only when the sentences have ended, and zeros behind.
        """
        rows = len(self.left)
        inputs, targets = np.zeros((rows, steps), np.int32), np.zeros((rows, steps), np.int32)
        filled = np.zeros(rows, np.int32)
        for row in range(rows):
            filled[row] = self._fill(row, inputs[row], targets[row])
        return inputs, targets, filled

    def _fill(self, row: int, inputs: np.ndarray, targets: np.ndarray) -> int:
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
