"""Sentences of an encoded corpus packed end to end into the rows of a batch, in the order of one direction."""

from collections.abc import Callable

import numpy as np

from elmo_tf.data.encoded_corpus import EncodedCorpus
from elmo_tf.data.encoded_numbers import EncodedNumbers
from elmo_tf.data.packed_text import PackedText
from elmo_tf.data.shuffle import Shuffle
from elmo_tf.data.stream_position import EncodedDirection

_NO_PLACE = -1
"""The place of words that a position of an earlier release spells out."""


class EncodedRows:
    """Packs the sentences of one direction into rows, as a `RowPacker` that reads `ShuffledSentences`.

    Args:
        encoded: the text.
        shuffle: the order of the sentences.
        saved: the position to continue from, of B rows.
        numbers: the numbers of words.
    """

    def __init__(
        self, encoded: EncodedCorpus, shuffle: Shuffle, saved: EncodedDirection, numbers: EncodedNumbers
    ) -> None:
        self._encoded, self._shuffle, self._numbers = encoded, shuffle, numbers
        self._blocks = {(block.path, block.start): number for number, block in enumerate(encoded.corpus.blocks)}
        self._sign = -1 if shuffle.direction else 1
        self._epoch, self._pool, self._skip = saved.sentences
        self._pools = shuffle.pools(self._epoch)
        left = [self._left_text(row) for row in saved.left]
        nothing = np.empty(0, np.int32), np.empty(0, np.int32), np.empty(0, np.int64), np.empty(0, np.int64)
        before = PackedText(*nothing, ((-self._skip, self._epoch, self._pool),))
        self._use(PackedText.join([*left, before]), np.array([len(text.inputs) for text in left], np.int64))

    def _use(self, text: PackedText, counts: np.ndarray) -> None:
        """Reads on from a text that begins with the inputs that the rows have left, `counts (B,)` of them."""
        self._text, self._counts = text, counts
        self._at = np.cumsum(counts) - counts
        self._ends = text.ends.tolist()
        self._next = len(counts)  # the next sentence

    def window(self, inputs: np.ndarray, targets: np.ndarray) -> None:
        """Takes the next tokens of every row.

        Args:
            inputs: where the word numbers that are read are written, int32 `(B, T)`.
            targets: where the ids of the words that follow are written, int32 `(B, T)`.
        """
        steps = inputs.shape[1]
        needs = steps - self._counts
        takers = np.flatnonzero(needs > 0)
        needs = needs[takers]
        while (taken := self._take(needs.tolist())) is None:
            self._load()
        begins, stops, self._next = taken
        # a row reads what it has left, and then what it has taken
        shifts = self._at.copy()
        shifts[takers] = begins - self._counts[takers]
        columns = np.arange(steps)
        at = np.where(columns < self._counts[:, None], self._at[:, None], shifts[:, None])
        at += columns
        self._at, self._counts = self._at + steps, self._counts - steps
        self._at[takers] = begins + needs
        self._counts[takers] = stops - self._at[takers]
        self._text.inputs.take(at, out=inputs, mode="clip")  # the mode in which nothing is copied twice
        self._text.targets.take(at, out=targets, mode="clip")

    def position(self) -> Callable[[], EncodedDirection]:
        """A function that returns the position of now; it may be called when the rows have been read on."""
        text, at, counts, following = self._text, self._at, self._counts, self._next
        return lambda: EncodedDirection(_sentences_read(text, following), self._left(text, at, counts))

    def _take(self, needs: list[int]) -> tuple[np.ndarray, np.ndarray, int] | None:
        """Lets rows take whole sentences, one row after the other, until each has the inputs that it needs.

        Args:
            needs: the inputs that each row needs at least; all are above 0.

        Returns:
            Where the inputs of each row begin, where they end, and the next sentence; None if the text is too short.
        """
        ends, sentence = self._ends, self._next
        begin = first = ends[sentence - 1]
        stops = []
        try:
            for need in needs:
                need += begin
                while ends[sentence] < need:
                    sentence += 1
                begin = ends[sentence]
                stops.append(begin)
                sentence += 1
        except IndexError:
            return None
        return np.array([first, *stops[:-1]], np.int64), np.array(stops, np.int64), sentence

    def _load(self) -> None:
        """Puts the next pool behind what the rows have left and the sentences that are unread."""
        text, following, counts = self._text, self._next, self._counts
        begin, ends = int(text.ends[following - 1]), np.cumsum(counts)
        left = np.arange(ends[-1]) + np.repeat(self._at - ends + counts, counts)
        pools = [(first - following, epoch, pool) for first, epoch, pool in text.pools]
        rows = PackedText(text.inputs[left], text.targets[left], ends, self._places(text, self._at))
        unread = PackedText(
            text.inputs[begin:],
            text.targets[begin:],
            text.ends[following:] - begin,
            text.places[following:],
            tuple(pools[max(0, sum(first < 0 for first, *_ in pools) - 1) :]),
        )
        self._use(PackedText.join([rows, unread, self._next_pool()]), counts)

    def _next_pool(self) -> PackedText:
        """The next pool of the order, without the sentences of it that the position counts as read."""
        if self._pool == len(self._pools):
            self._epoch, self._pool = self._epoch + 1, 0
            self._pools = self._shuffle.pools(self._epoch)
        blocks = [self._blocks[block.path, block.start] for block in self._pools[self._pool]]
        parts = [self._encoded.block(number) for number in blocks]
        lengths = np.concatenate([part for _, part in parts]).astype(np.int64)
        starts = np.cumsum(lengths) - lengths
        order = self._shuffle.order(self._epoch, self._pool, len(lengths))[self._skip :]
        # the places in the text of the first token of each block, as seen from those in the pool
        sizes = np.array([len(tokens) for tokens, _ in parts], np.int64)
        shifts = self._encoded.starts[blocks] - np.cumsum(sizes) + sizes
        shifts = np.repeat(shifts, [len(part) for _, part in parts])
        if self._sign < 0:
            starts += lengths - 1
        starts, shifts, counts = starts[order], shifts[order], lengths[order] - 1
        ends = np.cumsum(counts)
        at = np.repeat(starts - self._sign * (ends - counts), counts)
        at += self._sign * np.arange(len(at))
        tokens = np.concatenate([tokens for tokens, _ in parts])
        inputs = self._numbers.read(tokens.take(at))
        at += self._sign
        text = PackedText(
            inputs,
            self._numbers.known(tokens.take(at)),
            ends,
            starts + shifts,
            ((-self._skip, self._epoch, self._pool),),
        )
        self._pool, self._skip = self._pool + 1, 0
        return text

    def _places(self, text: PackedText, at: np.ndarray) -> np.ndarray:
        """The places in the text of some inputs; anything where there is no input."""
        sentences = np.minimum(np.searchsorted(text.ends, at, "right"), len(text.ends) - 1)
        begins = np.where(sentences > 0, text.ends[sentences - 1], 0)
        places = text.places[sentences]
        return np.where(places == _NO_PLACE, _NO_PLACE, places + self._sign * (at - begins))

    def _left(self, text: PackedText, at: np.ndarray, counts: np.ndarray) -> list[tuple[int, int] | list[str]]:
        """What each row has left, as a position says it."""
        left: list[tuple[int, int] | list[str]] = []
        for place, first, count in zip(self._places(text, at).tolist(), at.tolist(), counts.tolist(), strict=True):
            if count and place == _NO_PLACE:
                left.append(self._numbers.spell(text.inputs[first : first + count], self._sign < 0))
            else:
                left.append((place, count + 1) if count else [])
        return left

    def _left_text(self, row: tuple[int, int] | list[str]) -> PackedText:
        """Reverses `_left` for one row."""
        if isinstance(row, tuple):
            place, count = row
            tokens = self._encoded.tokens(place if self._sign > 0 else place - count + 1, count)[:: self._sign]
        else:
            place, tokens = _NO_PLACE, self._numbers.numbers(row)
        inputs = self._numbers.read(tokens[:-1])
        return PackedText(inputs, self._numbers.known(tokens[1:]), np.array([len(inputs)]), np.array([place]))


def _sentences_read(text: PackedText, following: int) -> tuple[int, int, int]:
    """Epoch, pool, and the number of its sentences that have been read, up to the sentence before `following`."""
    begun = [pool for pool in text.pools if pool[0] < following]
    first, epoch, pool = begun[-1] if begun else text.pools[0]
    return epoch, pool, following - first
