"""The LSTM outputs from which a language model predicts every token of a sentence, read from the zero state."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from elmo_tf.data.characters import encode_words
from elmo_tf.data.vocabulary import BEGIN_SENTENCE, END_SENTENCE, Vocabulary
from elmo_tf.errors import InputError
from elmo_tf.inference.token_checks import check_not_text, check_token
from elmo_tf.inference.word_vectors import encode_characters
from elmo_tf.models.language_model import LanguageModel


class SentenceBatch(NamedTuple):
    """Sentences with their `<S>` and `</S>`, as arrays; each distinct word stands in `words` once."""

    words: np.ndarray
    """Character ids int32 `(U, C)`, or word ids `(U,)` for a model with word input."""
    positions: np.ndarray
    """int32 `(B, S)`: the position in `words` of every token; 0 on padding."""
    lengths: np.ndarray
    """int32 `(B,)`: tokens of each sentence, with `<S>` and `</S>`, so at least 2."""
    ids: np.ndarray
    """int32 `(U,)`: the vocabulary's id of each distinct word; that of `<UNK>` for a word outside the vocabulary."""


def make_batch(sentences: Sequence[Sequence[str]], vocabulary: Vocabulary, max_characters: int | None) -> SentenceBatch:
    """Makes a batch of tokenised sentences.

    Args:
        sentences: lists of tokens; a list may be empty.
        vocabulary: the language model's.
        max_characters: C of the model; None for a model with word input.

    Raises:
        ValueError: a sentence is a text that has not been split, or a token is no string.

    Example:

    >>> vocabulary = Vocabulary(("<S>", "</S>", "<UNK>", "a", "b"))
    >>> batch = make_batch([["a", "b", "a"], ["new"]], vocabulary, max_characters=None)
    >>> batch.positions.tolist(), batch.lengths.tolist(), batch.ids.tolist()
    ([[0, 1, 2, 1, 3], [0, 4, 3, 0, 0]], [5, 3], [0, 3, 4, 1, 2])
    """
    numbers: dict[str, int] = {}
    rows = []
    for sentence in sentences:
        rows.append(
            [numbers.setdefault(word, len(numbers)) for word in (BEGIN_SENTENCE, *token_list(sentence), END_SENTENCE)]
        )
    positions = np.zeros((len(rows), max(map(len, rows))), np.int32)
    for row, values in zip(positions, rows, strict=True):
        row[: len(values)] = values
    ids = np.array([vocabulary[word] for word in numbers], np.int32)
    words = ids if max_characters is None else encode_words(list(numbers), max_characters)
    return SentenceBatch(words, positions, np.array([len(row) for row in rows], np.int32), ids)


def token_list(sentence: Sequence[str]) -> list[str]:
    """Returns a sentence as a list after checking its tokens; raises a `ValueError` if they are not tokens."""
    check_not_text(sentence)
    return [check_token(token) for token in sentence]


def prepare(model: LanguageModel, vocabulary: Vocabulary) -> int | None:
    """Builds a model if it has no weights yet, and checks that the vocabulary has its words.

    Returns:
        C, the character ids of a word; None for a model with word input.

    Raises:
        InputError: the vocabulary has another number of words than the model.
    """
    if model.options.n_tokens_vocab != len(vocabulary):
        raise InputError(
            f"vocabulary: expected the {model.options.n_tokens_vocab} words of the model, got {len(vocabulary)}"
        )
    if not model.built:
        model.build()
    char_cnn = model.options.char_cnn
    return None if char_cnn is None else char_cnn.max_characters_per_token


def batch_signature(max_characters: int | None) -> tuple[tf.TensorSpec, ...]:
    """The types and shapes of the words, positions and lengths of a `SentenceBatch`."""
    words = tf.TensorSpec([None] if max_characters is None else [None, max_characters], tf.int32)
    return words, tf.TensorSpec([None, None], tf.int32), tf.TensorSpec([None], tf.int32)


def prediction_states(
    model: LanguageModel, words: tf.Tensor, positions: tf.Tensor, lengths: tf.Tensor
) -> tuple[tf.Tensor, ...]:
    """Computes the top layer's outputs of each direction, one row for each prediction.

    A sentence of n words has n + 1 predictions a direction. Row p of a sentence is, forward, the output after its
    tokens 0 to p, which predicts token p + 1 (a word, or at last `</S>`); backward, the output after its tokens from
    the last down to p + 1, which predicts token p (a word, or at last `<S>`).

    Args:
        model: the language model.
        words, positions, lengths: those of `SentenceBatch`.

    Returns:
        By direction a tensor `(N, D)`, N the sum of `lengths - 1`: all rows of the first sentence, then of the second.
    """
    bilm = model.bilm
    vectors = bilm.encoder(words) if words.shape.rank == 1 else encode_characters(bilm.encoder, words)
    counts = lengths - 1
    mask = tf.sequence_mask(counts, tf.shape(positions)[1] - 1)
    states = []
    for direction, stack in enumerate(bilm.stacks):
        read = tf.reverse_sequence(positions, lengths, seq_axis=1, batch_axis=0) if direction else positions
        outputs, _ = stack(tf.gather(vectors, read[:, :-1]), mask=mask)
        top = outputs[-1]
        if direction:
            top = tf.reverse_sequence(top, counts, seq_axis=1, batch_axis=0)
        states.append(tf.boolean_mask(top, mask))
    return tuple(states)
