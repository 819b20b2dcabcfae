"""Character ids of words, computed with TensorFlow; equal to those of `elmo_tf.data.characters` for every word."""

import tensorflow as tf

from elmo_tf.data.characters import BEGIN_WORD, END_WORD, PADDING, SPECIAL_IDS, byte_limit


def encode_words_tf(words: tf.Tensor, max_characters: int) -> tf.Tensor:
    """Computes the character ids of words with TensorFlow operations, eagerly, in a `tf.function` or in `Dataset.map`.

    Args:
        words: string tensor of any shape `[...]`, which need not be known; the strings are bytes in UTF-8.
        max_characters: C, the number of ids of a word; at least 3. Longer words are cut.

    Returns:
        int32 `[..., C]`, the same ids as those of `encode_words`.

    Raises:
        InputError: `max_characters` is below 3.

    >>> encode_words_tf([["a", "</S>"]], 4).numpy().tolist()
    [[[258, 97, 259, 260], [258, 257, 259, 260]]]
    """
    limit = byte_limit(max_characters)
    words = tf.convert_to_tensor(words, tf.string)
    lengths = tf.expand_dims(tf.minimum(tf.strings.length(words, unit="BYTE"), limit), -1)  # [..., 1]
    letters = tf.cast(tf.io.decode_raw(words, tf.uint8, fixed_length=max_characters - 1), tf.int32)  # [..., C - 1]
    for word, number in SPECIAL_IDS.items():
        is_special = tf.expand_dims(tf.equal(words, word), -1)
        letters = tf.where(is_special, number, letters)
        lengths = tf.where(is_special, 1, lengths)
    position = tf.range(max_characters - 1)
    after = tf.where(tf.equal(position, lengths), END_WORD, PADDING)
    rest = tf.where(position < lengths, letters, after)
    ids = tf.concat([tf.fill(tf.shape(lengths), BEGIN_WORD), rest], axis=-1)
    return tf.ensure_shape(ids, words.shape.concatenate(max_characters))


def shift_for_prediction_tf(character_ids: tf.Tensor, is_token: tf.Tensor) -> tf.Tensor:
    """Computes `shift_for_prediction` in TensorFlow: int32 `[..., C]` and bool `[...]` -> int32 `[..., C]`."""
    return tf.where(tf.expand_dims(is_token, -1), character_ids + 1, 0)


def character_ids(tokens: tf.Tensor, max_characters: int = 50) -> tf.Tensor:
    """Turns padded strings into the character ids that `ElmoLayer` accepts.

    Use it in `Dataset.map` where a model cannot take strings: with `jit_compile`, because XLA has no strings, and in
    `fit` with several replicas, because Keras first averages a batch over the replicas.

    Args:
        tokens: strings `(...)`, "" for padding.
        max_characters: C, the model's `max_characters_per_token`.

    Returns:
        int32 `(..., C)`: ids from 1 to 261, and rows of 0 for padding.

    Example:

    >>> character_ids(tf.constant(["a", ""]), max_characters=4).numpy()
    array([[259,  98, 260, 261],
           [  0,   0,   0,   0]], dtype=int32)
    """
    tokens = tf.convert_to_tensor(tokens)
    return shift_for_prediction_tf(encode_words_tf(tokens, max_characters), tokens != "")
