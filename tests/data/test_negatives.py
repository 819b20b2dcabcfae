"""The negatives of the sampled softmax: distinct, log-uniform, a function of (seed, step, direction)."""

import math

import numpy as np
import oracle
import pytest

from elmo_tf.data.negatives import draw_negatives


@pytest.mark.parametrize("count", [1, 7, 64, 99, 100])
@pytest.mark.parametrize("step", [0, 1, 10**9])
def test_the_ids_are_distinct_and_in_range(count, step):
    ids, tries = draw_negatives(count, 100, seed=3, step=step)
    assert ids.dtype == np.int32
    assert ids.shape == (count,)
    assert len(set(ids.tolist())) == count
    assert ids.min() >= 0
    assert ids.max() < 100
    assert isinstance(tries, int)
    assert tries >= count


def test_a_sample_of_the_whole_vocabulary_is_every_word():
    for size in (1, 2, 50, 700):
        ids, tries = draw_negatives(size, size, seed=1, step=2)
        assert sorted(ids.tolist()) == list(range(size))
        assert tries >= size


def test_more_negatives_than_words_are_refused():
    with pytest.raises(ValueError, match=r"count: expected at most 10, the words of the vocabulary, got 11"):
        draw_negatives(11, 10, seed=1, step=0)


def test_the_same_arguments_draw_the_same_ids():
    for _ in range(2):
        ids, tries = draw_negatives(20, 1000, seed=5, step=6, direction=1)
        again, tries_again = draw_negatives(20, 1000, seed=5, step=6, direction=1)
        np.testing.assert_array_equal(ids, again)
        assert tries == tries_again


def test_the_draws_do_not_change_between_versions():
    """A resumed run of a later version must draw what the earlier one drew."""
    ids, tries = draw_negatives(8, 1000, seed=1, step=2, direction=0)
    assert (ids.tolist(), tries) == ([6, 0, 159, 1, 8, 406, 375, 17], 9)


@pytest.mark.parametrize("other", [{"seed": 2}, {"step": 1}, {"direction": 1}, {"seed": 0, "step": 1}])
def test_another_seed_step_or_direction_draws_other_ids(other):
    usual = {"seed": 1, "step": 0, "direction": 0}
    ids, _ = draw_negatives(200, 100_000, **usual)
    others, _ = draw_negatives(200, 100_000, **{**usual, **other})
    assert np.mean(ids == others) < 0.1
    assert len(set(ids.tolist()) & set(others.tolist())) < 150  # frequent words come in both


def chi_square(observed, expected):
    return float(np.sum((observed - expected) ** 2 / expected))


def test_single_draws_are_log_uniform():
    size, draws = 30, 6000
    observed = np.zeros(size)
    for step in range(draws):
        ids, tries = draw_negatives(1, size, seed=7, step=step)
        observed[ids[0]] += 1
        assert tries == 1
    words = np.arange(size)
    expected = draws * np.log((words + 2) / (words + 1)) / math.log(size + 1)
    # 29 degrees of freedom: mean 29, deviation 7.6; a uniform distribution gives thousands
    assert chi_square(observed, expected) < 29 + 4 * 7.6
    assert chi_square(observed, np.full(size, draws / size)) > 1000


def test_a_word_is_in_the_sample_as_often_as_its_expected_count_says():
    size, count, steps, words = 400, 60, 1500, (0, 1, 2, 5, 20, 100, 399)
    seen, expected = np.zeros((steps, len(words))), np.zeros((steps, len(words)))
    for step in range(steps):
        ids, tries = draw_negatives(count, size, seed=11, step=step)
        seen[step] = np.isin(words, ids)
        expected[step] = [oracle.expected_count(word, tries, size) for word in words]
    for word, share, promised in zip(words, seen.mean(0), expected.mean(0), strict=True):
        deviation = math.sqrt(max(promised * (1 - promised), 1e-3) / steps)
        assert abs(share - promised) < 4 * deviation + 0.01, word


def test_tries_are_as_many_as_distinct_words_need():
    """In `tries` draws the expected number of distinct words is the sum of the expected counts: near `count`."""
    size, count = 300, 50
    sums = []
    for step in range(200):
        _, tries = draw_negatives(count, size, seed=13, step=step)
        sums.append(sum(oracle.expected_count(word, tries, size) for word in range(size)))
    assert abs(np.mean(sums) - count) < 1.0
