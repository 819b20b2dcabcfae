"""The progress of a run, and the counts of its output."""

from typing import NamedTuple


class Progress(NamedTuple):
    """The progress of a run.

    Args:
        lines: the number of sentences embedded so far, including those of the run that this one resumes.
        tokens: the number of tokens in these sentences.
        tokens_now: the number of tokens that this run has embedded itself.
        bytes_read: the number of bytes of the input read so far; of a .gz file, of compressed bytes.
        bytes_total: the size of the input in bytes; None for a stream.
    """

    lines: int
    tokens: int
    tokens_now: int
    bytes_read: int
    bytes_total: int | None


class Embedded(NamedTuple):
    """The numbers of sentences (`lines`) and of tokens in an output."""

    lines: int
    tokens: int
