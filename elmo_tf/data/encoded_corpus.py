"""A corpus as a file of word numbers, so that training reads them without splitting and looking up words again.

The file holds, for each block of the text in order, the tokens of its sentences, `<S> w1 .. wn </S>`, and then the
number of tokens of each sentence, all as int32. Behind them come the words outside the vocabulary and a description in
JSON. A header says where the description lies; hashes of all parts show damage.
"""

import hashlib
import json
import os
import struct
from collections.abc import Sequence
from typing import Any, BinaryIO

import numpy as np

from elmo_tf.data.corpus import Corpus
from elmo_tf.data.text import is_gzip
from elmo_tf.data.text_blocks import Block, Piece
from elmo_tf.data.vocabulary import Vocabulary
from elmo_tf.data.word_lookup import WordLookup, join_words, split_words
from elmo_tf.errors import InputError

_MAGIC = b"elmo_tf corpus 1"
_HEADER = struct.Struct("<16sQQ32s")
"""The header: the magic number, the offset and the size of the description, and its hash."""

_INTEGER = np.dtype("<i4")
_READ_BYTES = 1 << 24


class DamagedFileError(Exception):
    """The file of an encoded corpus is not whole; the message says what is wrong with it."""


class EncodedCorpus:
    """A corpus whose words are numbers in a file. One thread at a time may read it.

    Args:
        path: the file.
        corpus: the text.
        vocabulary: the vocabulary whose ids the numbers below V are.
        others: the words outside the vocabulary in UTF-8; word V + i is `others[i]`.
    """

    def __init__(self, path: str, corpus: Corpus, vocabulary: Vocabulary, others: Sequence[bytes]) -> None:
        self.path, self.corpus, self.vocabulary, self.others = path, corpus, vocabulary, others
        sentences = np.array([block.sentences for block in corpus.blocks], np.int64)
        tokens = np.array([block.words for block in corpus.blocks], np.int64) + 2 * sentences
        self.starts = np.cumsum(tokens) - tokens
        """The number of tokens before each block, int64."""
        self._offsets = _HEADER.size + _INTEGER.itemsize * (self.starts + np.cumsum(sentences) - sentences)
        self._file: BinaryIO | None = None

    @classmethod
    def open(cls, path: str, paths: Sequence[str], vocabulary: Vocabulary) -> "EncodedCorpus":
        """Opens a file that `CorpusEncoder` wrote, and checks it against its hashes.

        Args:
            path: the file.
            paths: the files of the text.
            vocabulary: the vocabulary with which it was encoded.

        Raises:
            DamagedFileError: the file is damaged or cut.
        """
        try:
            with open(path, "rb") as file:
                description = _read_description(file)
                _check_hash(file, _HEADER.size, description["body"])
                others = _read_hashed(file, description["body"][0] + _HEADER.size, description["others"])
            gzipped = [is_gzip(name) for name in paths]
            blocks = [
                Block(paths[file], start, size, sentences, words, gzipped[file], digest=bytes.fromhex(digest))
                for file, start, size, sentences, words, digest in description["blocks"]
            ]
        except OSError as error:
            raise DamagedFileError(error.strerror or str(error)) from error
        except (ValueError, KeyError, TypeError, IndexError, RecursionError) as error:
            raise DamagedFileError("its description cannot be read") from error
        return cls(path, Corpus.of(blocks), vocabulary, split_words(others))

    def block(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        """The tokens of a block, and the number of tokens of each of its sentences, int32.

        Raises:
            InputError: the file can no longer be read.
        """
        block = self.corpus.blocks[number]
        tokens = block.words + 2 * block.sentences
        both = self._read(int(self._offsets[number]), tokens + block.sentences)
        return both[:tokens], both[tokens:]

    def tokens(self, position: int, count: int) -> np.ndarray:
        """Some tokens of one sentence from a position on, which counts the tokens of the text in order."""
        number = int(np.searchsorted(self.starts, position, "right")) - 1
        return self._read(int(self._offsets[number] + _INTEGER.itemsize * (position - self.starts[number])), count)

    def _read(self, offset: int, count: int) -> np.ndarray:
        values = np.empty(count, _INTEGER)
        try:
            if self._file is None:
                self._file = open(self.path, "rb")  # noqa: SIM115 - it stays open while the text is read
            self._file.seek(offset)
            size = self._file.readinto(values.view(np.uint8))  # type: ignore[attr-defined]
        except OSError as error:
            raise InputError(f"{self.path} cannot be read: {error.strerror}", path=self.path) from error
        if size != values.nbytes:
            raise InputError(f"{self.path} was cut while it was in use: start again to encode anew", path=self.path)
        return values


class CorpusEncoder:
    """Writes the file of an encoded corpus while the text is counted.

    Args:
        file: the file to write, which is empty.
        vocabulary: the vocabulary.
    """

    def __init__(self, file: BinaryIO, vocabulary: Vocabulary) -> None:
        self._file, self._vocabulary = file, vocabulary
        self._lookup = WordLookup(vocabulary)
        self._size, self._hash = 0, _new_hash()
        file.write(bytes(_HEADER.size))

    @property
    def others(self) -> list[bytes]:
        """The words outside the vocabulary that were met so far."""
        return self._lookup.others

    def count(self, piece: Piece, text: str) -> tuple[int, int]:
        """Encodes a piece of the text; returns the number of its sentences and words, as `Corpus.scan` asks for."""
        numbers, lengths = self._lookup.words(piece.body, text)
        ends = np.cumsum(lengths + 2)
        tokens = np.empty(len(numbers) + 2 * len(lengths), _INTEGER)
        tokens[np.arange(len(numbers)) + np.repeat(1 + 2 * np.arange(len(lengths)), lengths)] = numbers
        tokens[ends - lengths - 2] = self._vocabulary.begin
        tokens[ends - 1] = self._vocabulary.end
        self._write(tokens.tobytes())
        self._write((lengths + 2).astype(_INTEGER).tobytes())
        return len(lengths), len(numbers)

    def finish(self, corpus: Corpus, paths: Sequence[str]) -> None:
        """Writes the rest of the file.

        Args:
            corpus: the counted text.
            paths: its files.
        """
        body = [self._size, self._hash.hexdigest()]
        others = join_words(self.others)
        number = {path: number for number, path in enumerate(paths)}
        blocks = [
            [number[block.path], block.start, block.size, block.sentences, block.words, block.digest.hex()]
            for block in corpus.blocks
        ]
        hashed = [len(others), _new_hash(others).hexdigest()]
        description = json.dumps({"body": body, "others": hashed, "blocks": blocks}).encode()
        offset = self._file.tell() + len(others)
        self._file.write(others + description)
        self._file.seek(0)
        self._file.write(_HEADER.pack(_MAGIC, offset, len(description), _new_hash(description).digest()))

    def _write(self, data: bytes) -> None:
        self._file.write(data)
        self._hash.update(data)
        self._size += len(data)


def _new_hash(data: bytes = b"") -> Any:
    return hashlib.blake2b(data, digest_size=32)


def _read_description(file: BinaryIO) -> dict[str, Any]:
    header = file.read(_HEADER.size)
    if len(header) < _HEADER.size or not header.startswith(_MAGIC):
        raise DamagedFileError("it does not begin as such a file")
    _, offset, size, digest = _HEADER.unpack(header)
    if os.fstat(file.fileno()).st_size != offset + size:
        raise DamagedFileError("it has not the size that its header names")
    file.seek(offset)
    text = file.read(size)
    if _new_hash(text).digest() != digest:
        raise DamagedFileError("its description has changed")
    description: dict[str, Any] = json.loads(text)
    return description


def _check_hash(file: BinaryIO, offset: int, expected: Sequence[Any]) -> None:
    """Checks a part of the file against its size and hash, a few megabytes at a time."""
    left, hashed = expected[0], _new_hash()
    file.seek(offset)
    while left and (data := file.read(min(left, _READ_BYTES))):
        hashed.update(data)
        left -= len(data)
    if left or hashed.hexdigest() != expected[1]:
        raise DamagedFileError("its words have changed")


def _read_hashed(file: BinaryIO, offset: int, expected: Sequence[Any]) -> bytes:
    _check_hash(file, offset, expected)
    file.seek(offset)
    return file.read(expected[0])
