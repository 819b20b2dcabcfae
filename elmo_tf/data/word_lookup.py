"""Looks up all words of a piece of text in a vocabulary at once, with NumPy."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np

from elmo_tf.data.vocabulary import Vocabulary

WIDE_SPACES = "".join(map(chr, [0x85, 0xA0, 0x1680, *range(0x2000, 0x200B), 0x2028, 0x2029, 0x202F, 0x205F, 0x3000]))
"""White space outside ASCII, at which `str.split` divides words."""

_NEWLINE = ord("\n")
_KEY_BYTES = 16
"""Bytes of a word that its key holds: two integers of 64 bits. The few longer words are looked up one by one."""

_PART_BYTES = 1 << 18
"""Bytes that are looked up at once: the arrays then stay in the cache, which takes half the time of a megabyte."""

_MASKS = np.array([(1 << 8 * count) - 1 for count in range(9)], np.uint64)
_LOW = _MASKS[[min(count, 8) for count in range(_KEY_BYTES + 1)]]
_HIGH = _MASKS[[max(count - 8, 0) for count in range(_KEY_BYTES + 1)]]
_FACTORS = np.array([0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F], np.uint64)
"""Odd numbers that spread the bits of a key over its hash, those of xxHash and of Fibonacci hashing."""


class Words(NamedTuple):
    """The words of a piece of text.

    Args:
        numbers: the number of each word, int32 `(words,)`.
        lengths: the number of words of each sentence, int32 `(sentences,)`; a line without words is no sentence.
    """

    numbers: np.ndarray
    lengths: np.ndarray


class WordLookup:
    """The numbers of words: the vocabulary's ids, and for each other word, when it is first met, a number from V on.

    The numbers are those of `WordNumbers`, which looks words up one by one. A word of up to 16 bytes is a pair of
    integers here, which is compared with the pairs in a hash table; a look-up so is exact.

    Args:
        vocabulary: the vocabulary.

    Attributes:
        others: the words outside the vocabulary in UTF-8; word V + i is `others[i]`.

    Example:

    >>> lookup = WordLookup(Vocabulary(["<S>", "</S>", "<UNK>", "a"]))
    >>> numbers, lengths = lookup.words(b"a zebra\\n\\nzebra\\n", "a zebra\\n\\nzebra\\n")
    >>> numbers.tolist(), lengths.tolist(), lookup.others
    ([3, 4, 4], [2, 1], [b'zebra'])
    """

    def __init__(self, vocabulary: Vocabulary) -> None:
        encoded = [word.encode("utf-8", "surrogatepass") for word in vocabulary.words]
        self._lengths = np.fromiter(map(len, encoded), np.int64, len(encoded))
        starts = np.cumsum(self._lengths) - self._lengths + 1  # a space stands before the first
        low, high = _keys(_padded(b"".join(encoded)), starts, self._lengths)
        bits = max(4, (2 * len(encoded)).bit_length())
        self._last, self._shift = (1 << bits) - 1, np.uint64(64 - bits)
        self._ids = np.full(1 << bits, -1, np.int32)
        self._table = np.zeros((1 << bits, 2), np.uint64)
        self._insert(low, high)
        self._rest = _Rest(vocabulary)

    @property
    def others(self) -> list[bytes]:
        """The words outside the vocabulary that were met so far."""
        return self._rest.others

    def words(self, data: bytes, text: str) -> Words:
        """Looks up the words of some lines.

        Args:
            data: the lines in UTF-8.
            text: the same, decoded. Words are separated as by `str.split`, sentences by line feeds.
        """
        if len(text) != len(data) and any(space in text for space in WIDE_SPACES):
            data = "\n".join(" ".join(line.split()) for line in text.split("\n")).encode()
        parts = [self._words(part) for part in _parts(data)] or [self._words(b"")]
        return Words(*map(np.concatenate, zip(*parts, strict=True)))

    def _words(self, data: bytes) -> Words:
        """Looks up the words of some lines without white space outside ASCII."""
        buffer = _padded(data)
        # ASCII white space: 9 to 13 and 28 to 32; smaller numbers wrap around
        is_space = (buffer - np.uint8(9) < 5) | (buffer - np.uint8(28) < 5)
        edges = np.flatnonzero(is_space[1:] != is_space[:-1]) + 1
        starts, ends = np.ascontiguousarray(edges[::2]), np.ascontiguousarray(edges[1::2])
        numbers = self._find(buffer, starts, ends)
        lines = np.flatnonzero(buffer == _NEWLINE)
        before = np.append(np.searchsorted(starts, lines), len(starts))
        lengths = np.diff(before, prepend=0)
        return Words(numbers, lengths[lengths > 0].astype(np.int32))

    def _find(self, buffer: np.ndarray, starts: np.ndarray, ends: np.ndarray) -> np.ndarray:
        """The numbers of the words that stand between these places of the buffer."""
        lengths = ends - starts
        low, high = _keys(buffer, starts, lengths)
        slots = self._slots(low, high)
        found = self._ids.take(slots)
        wrong = np.flatnonzero(self._differs(slots, low, high) & (found >= 0))
        while len(wrong):
            slots[wrong] = (slots[wrong] + 1) & self._last
            there = slots[wrong]
            found[wrong] = self._ids[there]
            wrong = wrong[self._differs(there, low[wrong], high[wrong]) & (found[wrong] >= 0)]
        # a key does not tell "a" from "a\0", nor one long word from another
        unsure = np.flatnonzero((found < 0) | (self._lengths.take(found) != lengths) | (lengths > _KEY_BYTES))
        places = zip(starts[unsure].tolist(), ends[unsure].tolist(), strict=True)
        data = buffer.tobytes() if len(unsure) else b""
        found[unsure] = np.fromiter((self._rest[data[start:end]] for start, end in places), np.int32, len(unsure))
        return found

    def _insert(self, low: np.ndarray, high: np.ndarray) -> None:
        """Fills the table: every word goes to the first free slot from its hash on."""
        slots, waiting = self._slots(low, high), np.arange(len(low))
        while len(waiting):
            there = slots[waiting]
            is_free = self._ids[there] < 0
            # of several words the first, which is the most frequent one, gets the slot: the last assignment counts
            self._ids[there[is_free][::-1]] = waiting[is_free][::-1]
            is_in = self._ids[there] == waiting
            self._table[there[is_in]] = np.stack([low[waiting[is_in]], high[waiting[is_in]]], 1)
            waiting = waiting[~is_in]
            slots[waiting] = (slots[waiting] + 1) & self._last

    def _slots(self, low: np.ndarray, high: np.ndarray) -> np.ndarray:
        first, second = _FACTORS
        mixed = (low ^ (high * second)) * first
        return (((mixed ^ (mixed >> np.uint64(29))) * second) >> self._shift).astype(np.int64)

    def _differs(self, slots: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
        there = self._table.take(slots, 0)
        differs: np.ndarray = (there[:, 0] != low) | (there[:, 1] != high)
        return differs


class _Rest(dict[bytes, int]):
    """Numbers of the words that the table does not find: long ones of the vocabulary, and those outside it."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        super().__init__()
        self.others: list[bytes] = []
        self._vocabulary = vocabulary

    def __missing__(self, word: bytes) -> int:
        number = self._vocabulary.ids.get(word.decode("utf-8"))
        if number is None:
            number = len(self._vocabulary) + len(self.others)
            self.others.append(word)
        self[word] = number
        return number


def _parts(data: bytes) -> Iterator[bytes]:
    """Divides some lines into parts of about `_PART_BYTES`, which end with a line."""
    start = 0
    while start < len(data):
        end = data.find(b"\n", start + _PART_BYTES) + 1 or len(data)
        yield data[start:end]
        start = end


def _padded(data: bytes) -> np.ndarray:
    """The bytes between white space, so that each word has an edge on both sides and a whole key can be read at it."""
    return np.frombuffer(b"".join([b" ", data, b" " * (_KEY_BYTES + 1)]), np.uint8)


def _keys(buffer: np.ndarray, starts: np.ndarray, lengths: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The first 16 bytes of words as two integers each; zeros follow the end of a word."""
    integers = np.ndarray(len(buffer) - 7, "<u8", buffer, strides=(1,))  # the eight bytes from each place on
    counts = np.minimum(lengths, _KEY_BYTES)
    return integers[starts] & _LOW.take(counts), integers[starts + 8] & _HIGH.take(counts)


def join_words(words: Iterable[bytes]) -> bytes:
    """Writes words as one text, which `split_words` reads; a word holds no line feed.

    >>> split_words(join_words([b"a", b"zebra"])), split_words(join_words([]))
    ([b'a', b'zebra'], [])
    """
    return b"".join(word + b"\n" for word in words)


def split_words(text: bytes) -> list[bytes]:
    """Reverses `join_words`."""
    return text.split(b"\n")[:-1]
