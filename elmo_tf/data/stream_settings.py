"""The settings of a training stream."""

from dataclasses import dataclass


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

    @property
    def slices(self) -> list[slice]:
        """The rows of each part whose windows are made."""
        size = self.rows // self.parts
        return [
            slice(k * size, (k + 1) * size) for k in (range(self.parts) if self.own_parts is None else self.own_parts)
        ]
