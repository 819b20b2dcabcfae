"""The cache of word vectors: each word is encoded once while it is kept, and the least recently used goes first."""

import numpy as np
import pytest

from elmo_tf.inference.word_cache import WordCache


class Encoder:
    """Gives a word its first byte as a vector, and remembers what it was asked for."""

    def __init__(self):
        self.asked = []

    def __call__(self, words):
        self.asked.append(list(words))
        return np.array([[word[0], 1] for word in words], np.float32)


def test_a_word_is_encoded_once_while_it_is_kept():
    cache, encode = WordCache(3), Encoder()
    for words in ([b"a", b"b"], [b"b", b"a"], [b"c", b"a"]):
        np.testing.assert_array_equal(cache(words, encode), [[word[0], 1] for word in words])
    assert encode.asked == [[b"a", b"b"], [b"c"]]
    assert (cache.encoded_words, len(cache)) == (3, 3)


def test_the_least_recently_used_word_goes_first():
    cache, encode = WordCache(2), Encoder()
    for words in ([b"a", b"b"], [b"a"], [b"c"], [b"a"], [b"b"]):
        cache(words, encode)
    assert encode.asked == [[b"a", b"b"], [b"c"], [b"b"]]


def test_a_batch_of_more_words_than_are_kept_gets_all_its_vectors():
    cache, encode = WordCache(2), Encoder()
    words = [bytes([number]) for number in range(9)]
    for _ in range(2):
        np.testing.assert_array_equal(cache(words, encode)[:, 0], range(9))
    assert len(cache) == 2
    assert cache.encoded_words == 9 + 7


def test_what_is_kept_does_not_hold_the_batch_in_memory_nor_change_with_it():
    cache, made = WordCache(2), np.ones([2, 2], np.float32)
    cache([b"a", b"b"], lambda words: made)
    made[:] = 5
    np.testing.assert_array_equal(cache([b"a"], Encoder()), [[1, 1]])


def test_a_cache_of_no_words_is_refused():
    with pytest.raises(ValueError, match="size: expected at least one word, got 0"):
        WordCache(0)
