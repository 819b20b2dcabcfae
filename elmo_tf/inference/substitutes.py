"""The words that a language model finds most probable in the place of a word, from both sides of it."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from elmo_tf.data.vocabulary import SPECIALS, Vocabulary
from elmo_tf.inference.prediction_states import batch_signature, make_batch, prediction_states, prepare
from elmo_tf.layers.cross_entropy import CHUNK
from elmo_tf.models.language_model import LanguageModel


class Substitute(NamedTuple):
    """One word that could stand in the place of another.

    Args:
        word: the substitute.
        score: the sum of the two log-probabilities, in nats: the logarithm of a product of experts (Hinton 2002), up
            to a constant that is the same for all substitutes of one place.
        forward: log-probability of the substitute given the words before the place.
        backward: log-probability given the words after it; 0 for a model that reads forwards only.
    """

    word: str
    score: float
    forward: float
    backward: float


class SubstituteFinder:
    """Finds the most probable words for places in sentences.

    Args:
        model: the language model, with its weights.
        vocabulary: the words that it predicts, among which the substitutes are; `<S>`, `</S>` and `<UNK>` are left out.

    Example:

    >>> model = LanguageModel({"lstm": {"dim": 8, "projection_dim": 4}, "n_tokens_vocab": 5})
    >>> find = SubstituteFinder(model, Vocabulary(("<S>", "</S>", "<UNK>", "a", "b")))
    >>> [sorted(one.word for one in place) for place in find(["a", "word"], count=2)]
    [['a', 'b'], ['a', 'b']]
    """

    def __init__(self, model: LanguageModel, vocabulary: Vocabulary) -> None:
        self._model, self._vocabulary = model, vocabulary
        self._max_characters = prepare(model, vocabulary)
        self._excluded = tf.constant([vocabulary[word] for word in SPECIALS], tf.int32)
        places, count = tf.TensorSpec([None], tf.int32), tf.TensorSpec([], tf.int32)
        signature = (*batch_signature(self._max_characters), places, count)
        self._function = tf.function(self._top, input_signature=signature, autograph=False)

    def __call__(
        self, tokens: Sequence[str], count: int = 10, places: Sequence[int] | None = None
    ) -> list[list[Substitute]]:
        """Finds substitutes in one sentence, which is read from the zero state.

        Args:
            tokens: the sentence.
            count: how many substitutes of each place.
            places: positions of words, from 0; all if left out.

        Returns:
            For each place its substitutes, the most probable first; the word itself may be among them.

        Raises:
            ValueError: a place is not in the sentence, or `count` is below 1.
        """
        places = range(len(tokens)) if places is None else places
        if count < 1:
            raise ValueError(f"count: expected a number from 1, got {count}")
        for place in places:
            if not 0 <= place < len(tokens):
                raise ValueError(f"places: expected positions from 0 to {len(tokens) - 1}, got {place}")
        if not len(places):
            return []
        count = min(count, len(self._vocabulary) - len(SPECIALS))
        batch = make_batch([tokens], self._vocabulary, self._max_characters)
        rows = np.array(places, np.int32)
        ids, by_direction = self._function(batch.words, batch.positions, batch.lengths, rows, count)
        values = [part.numpy() for part in by_direction]
        return [
            [
                self._substitute(word, *(float(part[row, rank]) for part in values))
                for rank, word in enumerate(of_place.tolist())
            ]
            for row, of_place in enumerate(ids.numpy())
        ]

    def _substitute(self, word: int, forward: float, backward: float = 0.0) -> Substitute:
        return Substitute(self._vocabulary.words[word], forward + backward, forward, backward)

    def _top(
        self, words: tf.Tensor, positions: tf.Tensor, lengths: tf.Tensor, places: tf.Tensor, count: tf.Tensor
    ) -> tuple[tf.Tensor, list[tf.Tensor]]:
        states = prediction_states(self._model, words, positions, lengths)
        # the word at place p is token p + 1: row p predicts it forward, row p + 1 backward
        hidden = [tf.gather(rows, places + direction) for direction, rows in enumerate(states)]
        kernel, bias = self._model.softmax_weights()
        return top_words(hidden, kernel, bias, count, self._excluded)


def top_words(
    hidden: Sequence[tf.Tensor], kernel: tf.Tensor, bias: tf.Tensor, count: tf.Tensor, excluded: tf.Tensor
) -> tuple[tf.Tensor, list[tf.Tensor]]:
    """Finds the words with the highest sum of log-probabilities, with the logits of `CHUNK` words at a time.

    Args:
        hidden: by direction `(N, D)`.
        kernel: softmax weights `(V, D)`.
        bias: `(V,)`.
        count: how many words of each row; at most V less the excluded ones.
        excluded: ids of words to leave out.

    Returns:
        Word ids int32 `(N, count)`, and by direction the log-probabilities `(N, count)` of these words.
    """
    hidden = [tf.cast(rows, kernel.dtype) for rows in hidden]
    n_rows, n_words = tf.shape(hidden[0])[0], tf.shape(kernel)[0]
    bar = tf.tensor_scatter_nd_update(
        tf.zeros_like(bias), excluded[:, None], tf.fill([tf.shape(excluded)[0]], tf.constant(-np.inf, bias.dtype))
    )

    def body(start: tf.Tensor, totals: list[tf.Tensor], best: tf.Tensor, ids: tf.Tensor) -> tuple[tf.Tensor, ...]:
        part = slice(start, start + CHUNK)
        logits = [tf.matmul(rows, kernel[part], transpose_b=True) + bias[part] for rows in hidden]
        totals = [
            tf.reduce_logsumexp(tf.stack([total, tf.reduce_logsumexp(one, 1)]), 0)
            for total, one in zip(totals, logits, strict=True)
        ]
        scores = tf.concat([best, tf.add_n(logits) + bar[part]], 1)
        here = start + tf.range(tf.shape(logits[0])[1])
        all_ids = tf.concat([ids, tf.broadcast_to(here, [n_rows, tf.shape(here)[0]])], 1)
        best, places = tf.math.top_k(scores, tf.minimum(count, tf.shape(scores)[1]))
        return start + CHUNK, totals, best, tf.gather(all_ids, places, batch_dims=1)

    first = tf.fill([n_rows], tf.constant(-np.inf, kernel.dtype))
    start = (
        tf.constant(0),
        [first] * len(hidden),
        tf.zeros([n_rows, 0], kernel.dtype),
        tf.zeros([n_rows, 0], tf.int32),
    )
    row = tf.TensorShape([None])
    invariants = (tf.TensorShape([]), [row] * len(hidden), *[tf.TensorShape([None, None])] * 2)
    _, totals, _, ids = tf.while_loop(lambda start, *_: start < n_words, body, start, shape_invariants=invariants)
    chosen, biases = tf.gather(kernel, ids), tf.gather(bias, ids)
    by_direction = [
        tf.einsum("nd,nkd->nk", rows, chosen) + biases - total[:, None]
        for rows, total in zip(hidden, totals, strict=True)
    ]
    return ids, by_direction
