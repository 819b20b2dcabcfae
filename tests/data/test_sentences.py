"""Words as numbers, and the order of the sentences in each epoch."""

import gzip
import itertools
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elmo_tf.data.corpus import Corpus
from elmo_tf.data.sentences import ShuffledSentences, WordNumbers, sentences_in_file_order
from elmo_tf.data.vocabulary import Vocabulary

# the specials are not where a vocabulary usually has them
VOCABULARY = Vocabulary(("a", "<UNK>", "</S>", "b", "<S>"))


def test_words_of_the_vocabulary_have_its_ids_and_others_the_numbers_after_it_in_order():
    numbers = WordNumbers(VOCABULARY, by_characters=True)
    assert [numbers[word] for word in ("zebra", "b", "<S>", "øl", "zebra", "</S>", "<UNK>")] == [5, 3, 4, 6, 5, 2, 1]
    assert numbers.others == ["zebra", "øl"]
    assert [numbers.word(number) for number in range(7)] == ["a", "<UNK>", "</S>", "b", "<S>", "zebra", "øl"]


def test_with_word_input_a_word_outside_the_vocabulary_is_unknown_and_gets_no_number():
    numbers = WordNumbers(VOCABULARY, by_characters=False)
    assert [numbers[word] for word in ("a", "zebra", "øl", "b")] == [0, 1, 1, 3]
    assert numbers.others == []
    assert len(numbers) == len(VOCABULARY)


@pytest.mark.parametrize(
    ("words", "forward"), [("a zebra b", [4, 0, 5, 3, 2]), ("", [4, 2]), ("øl øl a", [4, 5, 5, 0, 2])]
)
def test_a_sentence_stands_between_its_boundaries_and_backward_is_the_reverse(words, forward):
    numbers = WordNumbers(VOCABULARY, by_characters=True)
    sentence = numbers.sentence(words.split())
    assert sentence.dtype == np.int32
    assert sentence.tolist() == forward
    assert numbers.sentence(words.split(), backward=True).tolist() == forward[::-1]


def test_after_forgetting_words_get_new_numbers_and_the_vocabulary_keeps_its_ids():
    numbers = WordNumbers(VOCABULARY, by_characters=True)
    numbers.sentence(["zebra", "øl", "a"])
    before = numbers.others
    numbers.forget()
    assert len(numbers) == len(VOCABULARY)
    assert numbers.others == []
    assert before == ["zebra", "øl"]  # who still refers to them keeps them
    assert (numbers["øl"], numbers["a"], numbers.word(5)) == (5, 0, "øl")


def test_the_vocabulary_itself_is_never_changed():
    ids = dict(VOCABULARY.ids)
    numbers = WordNumbers(VOCABULARY, by_characters=True)
    numbers.sentence(["zebra"])
    assert ids == VOCABULARY.ids


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """60 sentences, one of them twice, in 2 plain files and a .gz, in about 20 blocks."""
    folder = tmp_path_factory.mktemp("corpus")
    lines = [f"sentence {number}" for number in range(59)] + ["sentence 7"]
    for number, pack in enumerate((bytes, gzip.compress, bytes)):
        (folder / f"{number}.txt").write_bytes(pack("\n\n".join(lines[20 * number : 20 * number + 20]).encode()))
    return Corpus.scan([str(folder / f"{number}.txt") for number in range(3)], block_bytes=30)


N = 60
ALL = Counter({f"sentence {number}": 1 + (number == 7) for number in range(59)})


def read(stream, count):
    """The next `count` sentences, as text."""
    return [" ".join(words) for words in itertools.islice(stream, count)]


POOLS = pytest.mark.parametrize("pool_bytes", [1, 100, 333, 1 << 20])


@POOLS
def test_every_epoch_reads_each_sentence_once_in_a_different_order(corpus, pool_bytes):
    stream = ShuffledSentences(corpus, seed=3, direction=0, pool_bytes=pool_bytes)
    epochs = [read(stream, N) for _ in range(4)]
    assert all(Counter(epoch) == ALL for epoch in epochs)
    assert len(set(map(tuple, epochs))) == 4
    assert [" ".join(words) for words in sentences_in_file_order(corpus)] not in epochs


@POOLS
def test_the_order_is_a_function_of_seed_epoch_and_direction_and_of_each_of_them(corpus, pool_bytes):
    def epochs(seed, direction):
        stream = ShuffledSentences(corpus, seed, direction, pool_bytes=pool_bytes)
        return [tuple(read(stream, N)) for _ in range(3)]

    found = {key: epochs(*key) for key in itertools.product((0, 1, 2**40), (0, 1))}
    assert all(epochs(*key) == came for key, came in found.items())
    assert len({order for came in found.values() for order in came}) == 6 * 3


def test_every_pool_of_every_epoch_is_shuffled_differently(tmp_path):
    (tmp_path / "0.gz").write_bytes(gzip.compress(b"".join(b"%d\n" % number for number in range(10, 70))))
    corpus = Corpus.scan([str(tmp_path / "0.gz")], block_bytes=28)  # six blocks of ten sentences, which stay in order
    assert [block.sentences for block in corpus.blocks] == [10] * 6
    shuffles = set()
    for direction in (0, 1):
        stream = ShuffledSentences(corpus, 1, direction, pool_bytes=28)
        for tens in [1, 2, 3, 4, 5, 6] * 2:
            numbers = [int(line) - 10 * tens for line in read(stream, 10)]
            assert sorted(numbers) == list(range(10))
            shuffles.add(tuple(numbers))
    assert len(shuffles) == 2 * 2 * 6


def test_one_pool_of_all_files_mixes_sentences_that_are_far_apart(corpus):
    order = [int(line.split()[1]) for line in read(ShuffledSentences(corpus, 1, 0), N)]
    assert np.mean(np.abs(np.diff(order))) > 10


def test_a_pool_is_about_as_large_as_asked(corpus):
    stream = ShuffledSentences(corpus, seed=1, direction=0, pool_bytes=200)
    pools = Counter()
    for _ in range(N):
        next(stream)
        pools[stream.position[1]] += 1
    size = corpus.blocks[0].size / corpus.blocks[0].sentences
    assert len(pools) > 3
    assert all(size * count < 200 + 2 * corpus.blocks[0].size for count in pools.values())


@POOLS
@settings(max_examples=40, deadline=None)
@given(start=st.integers(0, 3 * N), count=st.integers(1, N + 5), seed=st.integers(0, 5), direction=st.integers(0, 1))
def test_reading_from_any_position_gives_the_same_sentences(corpus, pool_bytes, start, count, seed, direction):
    stream = ShuffledSentences(corpus, seed, direction, pool_bytes=pool_bytes)
    read(stream, start)
    position = stream.position
    again = ShuffledSentences(corpus, seed, direction, position, pool_bytes)
    assert again.position == position
    assert read(again, count) == read(stream, count)
    assert again.position == stream.position


def test_the_position_is_epoch_pool_and_sentences_of_the_pool(corpus):
    stream = ShuffledSentences(corpus, seed=1, direction=0)
    assert stream.position == (0, 0, 0)
    read(stream, 5)
    assert stream.position == (0, 0, 5)
    read(stream, N)
    assert stream.position == (1, 0, 5)
    assert all(type(part) is int for part in stream.position)


def test_sentences_in_file_order_are_those_of_the_files_every_time(corpus):
    expected = [f"sentence {number}" for number in range(59)] + ["sentence 7"]
    for _ in range(2):
        assert [" ".join(words) for words in sentences_in_file_order(corpus)] == expected
