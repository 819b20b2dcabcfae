"""The evaluation's input: every sentence once, in bilm-tf's packing in plain Python."""

import json

import numpy as np
import pytest
from stream_cases import INPUTS, expected_windows, options_of, pairs_of

from elmo_tf.data.corpus import Corpus
from elmo_tf.data.evaluation_windows import evaluation_windows
from elmo_tf.data.sentences import sentences_in_file_order
from elmo_tf.data.vocabulary import Vocabulary


def check_evaluation(corpus, vocabulary, options, rows, steps, drop_remainder=False):
    """Compares the windows with bilm-tf's packing of the sentences in file order; gives the tokens of a direction."""
    by_characters = options.char_cnn is not None
    expected = [
        expected_windows(sentences_in_file_order(corpus), direction, rows, steps, vocabulary, by_characters)
        for direction in range(options.directions)
    ]
    tokens = 0
    for window, mask in evaluation_windows(corpus, vocabulary, options, rows, steps, drop_remainder):
        assert mask.shape == window.inputs.shape == window.targets.shape == (options.directions, rows, steps)
        assert mask.dtype == np.bool_
        for direction, windows in enumerate(expected):
            came = [row[: mask[direction, n].sum()] for n, row in enumerate(pairs_of(window, direction))]
            assert came == next(windows)
            assert (mask[direction] == (np.arange(steps) < mask[direction].sum(1, keepdims=True))).all()
        if drop_remainder:
            assert mask.all()
        tokens += int(mask[0].sum())
    rest = [next(windows, None) for windows in expected]
    if drop_remainder:
        assert all(window is None or any(len(row) < steps for row in window) for window in rest)
    else:
        assert rest == [None] * options.directions
        assert tokens == corpus.predictions
    return tokens


@INPUTS
@pytest.mark.parametrize("bidirectional", [True, False])
@pytest.mark.parametrize("drop_remainder", [False, True])
@pytest.mark.parametrize(("rows", "steps"), [(1, 1), (1, 20), (4, 7), (32, 5), (60, 3)])
def test_evaluation_scores_every_token_once_in_bilm_tfs_packing(
    made, by_characters, bidirectional, drop_remainder, rows, steps
):
    check_evaluation(*made, options_of(by_characters, bidirectional), rows, steps, drop_remainder)


def test_evaluation_of_a_real_text_is_bilm_tfs_packing(real):
    assert check_evaluation(*real, options_of(), rows=32, steps=100) == real[0].predictions


def test_evaluation_without_the_remainder_counts_the_tokens_that_bilm_tf_did(shared):
    folder = shared / "parity" / "bilm-tf-trained" / "char_2layer"
    counts = json.loads((folder / "perplexity.json").read_text())
    corpus, vocabulary = Corpus.scan([str(folder / "heldout.txt")]), Vocabulary.from_file(folder / "vocab.txt")
    rows = counts["batch_size"]
    tokens = check_evaluation(corpus, vocabulary, options_of(), rows, steps=1, drop_remainder=True)
    assert tokens == counts["tokens_per_direction"] == rows * counts["n_batches"]
    assert tokens < corpus.predictions


@pytest.mark.parametrize("drop_remainder", [False, True])
def test_more_rows_than_sentences_leave_rows_empty(tmp_path, drop_remainder):
    (tmp_path / "two.txt").write_text("a b\nzebra\n")
    corpus = Corpus.scan([str(tmp_path / "two.txt")])
    vocabulary = Vocabulary(("<S>", "</S>", "<UNK>", "a", "b"))
    windows = list(evaluation_windows(corpus, vocabulary, options_of(), 4, 3, drop_remainder))
    if drop_remainder:
        assert windows == []
    else:
        assert [mask.sum(-1).tolist() for _, mask in windows] == [[[3, 2, 0, 0], [3, 2, 0, 0]]]
