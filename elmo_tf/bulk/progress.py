"""How far a run is, and what its output holds."""

from typing import NamedTuple


class Progress(NamedTuple):
    """How far a run is.

    Args:
        lines: sentences embedded, those of an earlier run counted.
        tokens: of these sentences.
        tokens_now: of the sentences that this run has embedded itself.
        bytes_read: of the input, as it lies on disk.
        bytes_total: of the input; None of a stream.
    """

    lines: int
    tokens: int
    tokens_now: int
    bytes_read: int
    bytes_total: int | None


class Embedded(NamedTuple):
    """What an output holds."""

    lines: int
    tokens: int
