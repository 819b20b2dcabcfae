"""Sentences to vectors, in bulk: each distinct word of a batch is encoded once, padding costs little."""

import itertools
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import h5py
import numpy as np
import tensorflow as tf

from elmo_tf.bilm import BiLM
from elmo_tf.data import text
from elmo_tf.data.characters import encode_words
from elmo_tf.data.vocabulary import BEGIN_SENTENCE, END_SENTENCE, Vocabulary
from elmo_tf.errors import InputError
from elmo_tf.files import replacing

_SORTED_TOGETHER = 1024
"""Lines among which batches of like length are formed."""

BATCH_TOKENS = 4096


class SentenceEmbedder:
    """All layers of a biLM for tokenised sentences, each from zero state, so that its neighbours do not matter.

    Args:
        bilm: the model.
        vocabulary: its words; needed where the model reads word ids.
        compiled: whether to compile the model at the first call, which takes longer than a few sentences do.

    Example:

    >>> bilm = BiLM({"lstm": {"dim": 8, "projection_dim": 4}, "n_tokens_vocab": 4})
    >>> embed = SentenceEmbedder(bilm, Vocabulary(["<S>", "</S>", "<UNK>", "a"]))
    >>> [vectors.shape for vectors in embed([["a", "b", "a"], []])]
    [(2, 3, 8), (2, 0, 8)]
    """

    def __init__(self, bilm: BiLM, vocabulary: Vocabulary | None = None, compiled: bool = True) -> None:
        self._bilm, self._vocabulary = bilm, vocabulary
        self._char_cnn = bilm.options.char_cnn
        if self._char_cnn is None and vocabulary is None:
            raise ValueError("vocabulary: expected one, for the model reads word ids, got None")
        words = tf.TensorSpec([None, None] if self._char_cnn else [None], tf.int32)
        signature = (words, tf.TensorSpec([None, None], tf.int32), tf.TensorSpec([None], tf.int32))
        self._function: Any = self._layers
        if compiled:
            self._function = tf.function(self._layers, input_signature=signature, autograph=False)

    def __call__(self, sentences: Sequence[Sequence[str]]) -> list[np.ndarray]:
        """Embeds one batch.

        Args:
            sentences: lists of tokens, any length, none included.

        Returns:
            For each sentence float32 `(L + 1, tokens, directions * D)`, without `<S>` and `</S>`.

        Raises:
            ValueError: a sentence is a text that is not split yet, or a token is no string.
        """
        _check_not_text(sentences)
        if not sentences:
            return []
        numbers: dict[str, int] = {}
        for sentence in sentences:
            _check_not_text(sentence)
        rows = [
            [numbers.setdefault(word, len(numbers)) for word in (BEGIN_SENTENCE, *sentence, END_SENTENCE)]
            for sentence in sentences
        ]
        lengths = np.array([len(row) for row in rows], np.int32)
        index = np.zeros((len(rows), max(map(len, rows))), np.int32)
        for row, values in zip(index, rows, strict=True):
            row[: len(values)] = values
        layers = self._function(self._words(list(numbers)), index, lengths).numpy()
        return [
            values[:, 1 : length - 1].astype(np.float32)
            for values, length in zip(layers, lengths.tolist(), strict=True)
        ]

    def _words(self, words: Sequence[str]) -> np.ndarray:
        for word in words:
            if not isinstance(word, str):
                raise ValueError(f"sentences: expected lists of tokens that are strings, got {word!r}")
        if self._char_cnn is not None:
            return encode_words(words, self._char_cnn.max_characters_per_token)
        if self._vocabulary is None:
            raise ValueError("vocabulary: expected one, for the model reads word ids, got None")
        return np.array([self._vocabulary[word] for word in words], np.int32)

    def _layers(self, words: tf.Tensor, index: tf.Tensor, lengths: tf.Tensor) -> tf.Tensor:
        tokens = tf.gather(self._bilm.encoder(words), index)
        return self._bilm.contextualize(tokens, mask=tf.sequence_mask(lengths))[0]


def _check_not_text(sentence: Sequence[Any]) -> None:
    """A text is a sequence too, and its letters would count as sentences, or as tokens."""
    if isinstance(sentence, (str, bytes)):
        raise ValueError(f"sentences: expected lists of tokens, got the text {sentence!r}; split it first")


def embed_file(
    embed: SentenceEmbedder,
    input_file: str | os.PathLike[str],
    output_file: str | os.PathLike[str],
    batch_tokens: int = BATCH_TOKENS,
    progress: Callable[[int], None] | None = None,
) -> tuple[int, int]:
    """Embeds every line of a file into an HDF5 file, written whole or not at all.

    Args:
        embed: the model.
        input_file: a tokenised sentence a line, plain or .gz.
        output_file: gets one float32 dataset `(L + 1, tokens, directions * D)` a line, its key the line's number from
            0; a blank line has 0 tokens.
        batch_tokens: tokens of a batch, padding counted; a longer sentence is a batch of its own.
        progress: called with the number of lines done.

    Returns:
        Numbers of lines and of tokens.

    Raises:
        InputError: the input cannot be read, is not UTF-8 or is empty, or the output is the input or cannot be
            written.
    """
    input_file, output_file = os.fspath(input_file), os.fspath(output_file)
    if os.path.realpath(output_file) == os.path.realpath(input_file):
        raise InputError(f"{output_file} is the input; expected the name of a new file")
    lines = tokens = 0
    numbered = enumerate(line.split() for line in text.iterate_lines(input_file))
    try:
        # through a file object: on a full disk h5py's own writing ends in errors that nobody can catch, or in a crash
        with replacing(output_file) as temporary, open(temporary, "w+b") as raw, h5py.File(raw, "w") as file:
            for batch in batches(numbered, batch_tokens):
                for (number, sentence), vectors in zip(batch, embed([tokens for _, tokens in batch]), strict=True):
                    file.create_dataset(str(number), data=vectors)
                    lines, tokens = lines + 1, tokens + len(sentence)
                if progress is not None:
                    progress(lines)
            if not lines:
                raise InputError(f"{input_file} is empty: expected a tokenised sentence a line")
    except (OSError, SystemError) as error:  # the second is how h5py tells of a failed write from Python 3.13 on
        raise InputError(f"{output_file} cannot be written: {error}") from error
    return lines, tokens


def batches(numbered: Iterable[tuple[int, list[str]]], batch_tokens: int) -> Iterator[list[tuple[int, list[str]]]]:
    """Groups sentences of like length, so that little is padded.

    Args:
        numbered: sentences with their numbers.
        batch_tokens: the most tokens of a group, counting each sentence as long as the longest, boundaries included.

    Example:

    >>> [[n for n, _ in batch] for batch in batches(enumerate([["a"] * 5, ["a"], ["a"] * 4, ["a"]]), batch_tokens=15)]
    [[1, 3], [2, 0]]
    """
    iterator = iter(numbered)
    while some := list(itertools.islice(iterator, _SORTED_TOGETHER)):
        some.sort(key=lambda item: len(item[1]))
        batch: list[tuple[int, list[str]]] = []
        for item in some:
            if batch and (len(batch) + 1) * (len(item[1]) + 2) > batch_tokens:
                yield batch
                batch = []
            batch.append(item)
        yield batch
