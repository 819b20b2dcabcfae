"""Text that is ready to be packed into rows: what the rows have left, and unread sentences in their order."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class PackedText:
    """Text that is ready to be packed: what the rows have left, and then unread sentences, end to end.

    A sentence of n words has n + 1 inputs and as many targets. A row reads its own inputs one after the other, and a
    row that takes several sentences finds them one behind the other, so each piece of a window is a slice.

    Args:
        inputs: the word numbers that are read, int32.
        targets: the id of the word that follows each, int32.
        ends: where the inputs of each sentence end, int64; what a row has left counts as one sentence.
        places: the place of the first token of each sentence in the text, int64.
        pools: for each pool, the number that its first sentence has here, below 0 if it is here no more, and its epoch
            and number.
    """

    inputs: np.ndarray
    targets: np.ndarray
    ends: np.ndarray
    places: np.ndarray
    pools: tuple[tuple[int, int, int], ...] = ()

    @staticmethod
    def join(parts: Sequence["PackedText"]) -> "PackedText":
        """Puts texts end to end."""
        sizes = np.cumsum([0, *(len(part.inputs) for part in parts)])
        counts = np.cumsum([0, *(len(part.ends) for part in parts)]).tolist()
        return PackedText(
            np.concatenate([part.inputs for part in parts]),
            np.concatenate([part.targets for part in parts]),
            np.concatenate([part.ends + before for part, before in zip(parts, sizes[:-1], strict=True)]),
            np.concatenate([part.places for part in parts]),
            tuple(
                (first + before, epoch, pool)
                for part, before in zip(parts, counts[:-1], strict=True)
                for first, epoch, pool in part.pools
            ),
        )
