"""A batch of sentences as its distinct words, and the places where each word stands."""

from typing import NamedTuple

import tensorflow as tf

from elmo_tf.data.characters import BEGIN_WORD, N_CHARACTERS, encode_words
from elmo_tf.data.vocabulary import BEGIN_SENTENCE, END_SENTENCE
from elmo_tf.layers.compilation import in_xla
from elmo_tf.layers.host import on_host

_BOUNDARIES = (BEGIN_SENTENCE, END_SENTENCE)


class Sentences(NamedTuple):
    """A batch as the biLM reads it: the tokens of every row on the left, between `<S>` and `</S>`.

    Args:
        words: the distinct words: strings `(U,)`, or character ids `(U, C)`, 0 to 260. The first two are `<S>` and
            `</S>`, or the model's own boundaries.
        index: int32 `(B, S)`: the word at each step. Step 0 is `<S>`, the tokens follow, then `</S>`, then padding.
        lengths: int32 `(B,)`: the steps of each row, both boundaries included, so at least 2.
    """

    words: tf.Tensor
    index: tf.Tensor
    lengths: tf.Tensor


def sentences_of_tokens(tokens: tf.Tensor, counts: tf.Tensor, boundaries: tuple[str, str] = _BOUNDARIES) -> Sentences:
    """Finds the distinct words of tokens that follow one another without padding.

    Args:
        tokens: strings `(N,)`: the tokens of all rows in order.
        counts: int32 `(B,)`: how many of them each row has; the sum is N.
        boundaries: the words of the model for the begin and the end of a sentence.

    Example:

    >>> sentences = sentences_of_tokens(tf.constant(["a", "b", "a"]), tf.constant([3, 0]))
    >>> sentences.words.numpy().tolist(), sentences.index.numpy().tolist(), sentences.lengths.numpy().tolist()
    ([b'<S>', b'</S>', b'a', b'b'], [[0, 2, 3, 2, 1], [0, 1, 0, 0, 0]], [5, 2])
    """
    words, numbers = tf.unique(tf.concat([tf.constant(boundaries), tokens], 0))
    return _add_boundaries(words, _rows(numbers[2:], counts), counts)


def sentences_of_batch(tokens: tf.Tensor, present: tf.Tensor, boundaries: tuple[str, str] = _BOUNDARIES) -> Sentences:
    """Finds the distinct words of a batch in which padding may stand anywhere.

    Under XLA, which knows no sizes that depend on values, every place counts as a distinct word.

    Args:
        tokens: strings `(B, T)`, or int32 character ids `(B, T, C)` in the form of prediction: 1 to 261, padding 0.
        present: bool `(B, T)`: True on tokens, False on padding.
        boundaries: the words of the model for the begin and the end of a sentence; character ids have their own.

    Raises:
        ValueError: eagerly, a token's character ids are not in the form of prediction.
        tf.errors.InvalidArgumentError: the same in a graph, when it runs.
    """
    counts = tf.reduce_sum(tf.cast(present, tf.int32), 1)
    if tokens.dtype == tf.string:
        return sentences_of_tokens(tf.boolean_mask(tokens, present), counts, boundaries)
    if in_xla():
        words, index = _every_token(tokens, present)
    else:
        words, index = _distinct_ids(tf.boolean_mask(tokens, present), counts)
    return _add_boundaries(words, index, counts)


def _add_boundaries(words: tf.Tensor, index: tf.Tensor, counts: tf.Tensor) -> Sentences:
    index = tf.pad(index, [[0, 0], [1, 1]])  # <S> is word 0
    steps = tf.range(tf.shape(index)[1])
    return Sentences(words, tf.where(steps == counts[:, None] + 1, 1, index), counts + 2)


def _rows(numbers: tf.Tensor, counts: tf.Tensor) -> tf.Tensor:
    """Numbers `(N,)` as rows `(B, longest)`, padded behind by 0."""
    with on_host():  # a GPU has no kernel for it
        return tf.RaggedTensor.from_row_lengths(numbers, counts, validate=False).to_tensor(0, shape=[None, None])


def _distinct_ids(ids: tf.Tensor, counts: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """The distinct rows of character ids `(N, C)`, and the number of each row where it stands, `(B, longest)`."""
    with_boundaries = tf.concat([_boundary_ids(ids.shape[1]), _check_ids(ids) - 1], 0)
    with on_host():  # a GPU has no kernel for it
        words, numbers = tf.raw_ops.UniqueV2(x=with_boundaries, axis=[0])
    words.set_shape([None, ids.shape[1]])
    return words, _rows(numbers[2:], counts)


def _every_token(tokens: tf.Tensor, present: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Character ids `(2 + B * T, C)` of the boundaries and of every place, and the tokens' numbers `(B, T)`."""
    shape = tf.shape(tokens)
    flat = tf.reshape(tokens, [-1, tokens.shape[2]])
    words = tf.concat([_boundary_ids(tokens.shape[2]), tf.maximum(flat - 1, 0)], 0)
    to_the_left = tf.argsort(tf.cast(~present, tf.int32), axis=1, stable=True)  # [B, T]
    return words, 2 + tf.range(shape[0])[:, None] * shape[1] + to_the_left


def _boundary_ids(max_characters: int) -> tf.Tensor:
    return tf.constant(encode_words(_BOUNDARIES, max_characters))


def _check_ids(ids: tf.Tensor) -> tf.Tensor:
    """The character ids `(N, C)` as they are; fails with the first row that is not in the form of prediction."""
    is_right = tf.reduce_all((ids >= 1) & (ids <= N_CHARACTERS), 1) & (ids[:, 0] == BEGIN_WORD + 1)
    message = (
        f"inputs: expected character ids of prediction, a token's row of 1 to {N_CHARACTERS} that begins with "
        f"{BEGIN_WORD + 1}, and rows of 0 for padding; got the row"
    )
    are_right = tf.reduce_all(is_right)
    if tf.executing_eagerly():
        if not are_right:
            raise ValueError(f"{message} {tf.boolean_mask(ids, ~is_right)[0].numpy().tolist()}")
        return ids
    wrong = tf.boolean_mask(ids, ~is_right)[:1]
    with tf.control_dependencies([tf.debugging.Assert(are_right, [message, wrong], summarize=50)]):
        return tf.identity(ids)
