import collections
import gzip

import pytest

from elmo_tf.data.vocabulary import SPECIALS, Vocabulary
from elmo_tf.data.word_counts import CorpusReport, build_vocabulary, count_corpus
from elmo_tf.errors import InputError


def test_counts_are_summed_over_all_files_plain_and_gzip(tmp_path):
    (tmp_path / "a.txt").write_text("the cat\n\n  the\tdog \n", "utf-8")
    (tmp_path / "b.txt.gz").write_bytes(gzip.compress("the\u00a0end\r\n \n".encode()))
    paths = [str(tmp_path / "a.txt"), str(tmp_path / "b.txt.gz")]
    counts, sentences = count_corpus(paths)
    assert counts == {"the": 3, "cat": 1, "dog": 1, "end": 1}
    assert sentences == 3
    assert isinstance(counts, collections.Counter)


COUNTS = {"b": 2, "a": 2, "é": 2, "B": 2, "rare": 1, "the": 5, "<S>": 9, "<UNK>": 3}


@pytest.mark.parametrize(
    ("max_vocab", "min_count", "words"),
    [
        (100, 1, ["the", "B", "a", "b", "é", "rare"]),
        (100, 2, ["the", "B", "a", "b", "é"]),
        (100, 3, ["the"]),
        (6, 1, ["the", "B", "a"]),
        (4, 1, ["the"]),
    ],
)
def test_words_are_the_specials_then_sorted_by_falling_counts_and_code_points(max_vocab, min_count, words):
    assert build_vocabulary(COUNTS, max_vocab, min_count).words == (*SPECIALS, *words)


def test_the_order_of_counting_does_not_matter():
    backwards = dict(reversed(COUNTS.items()))
    assert build_vocabulary(COUNTS) == build_vocabulary(backwards)


@pytest.mark.parametrize(
    ("counts", "max_vocab", "min_count", "message"),
    [
        (COUNTS, 3, 1, "max_vocab is 3; expected at least 4"),
        (COUNTS, 100, 6, "no word comes min_count=6 times; the most frequent comes 5 times"),
        ({"<S>": 9}, 100, 1, "the most frequent comes 0 times"),
    ],
)
def test_a_vocabulary_without_words_is_refused(counts, max_vocab, min_count, message):
    with pytest.raises(InputError, match=message):
        build_vocabulary(counts, max_vocab, min_count)


def test_report_counts_tokens_types_and_shares():
    counts = {"the": 5, "cat": 2, "<UNK>": 1, "overlong": 2}
    report = CorpusReport.of(counts, 4, Vocabulary((*SPECIALS, "the", "overlong")), max_characters=9)
    assert report == CorpusReport(
        tokens=10,
        types=4,
        sentences=4,
        vocabulary_size=5,
        coverage=0.7,
        max_characters=9,
        tokens_cut=0.2,
        types_cut=0.25,
    )


def test_report_reads_as_four_lines():
    report = CorpusReport(1_234_567, 1000, 50_000, 900, 0.999999, 50, 0.000001, 0.0345)
    assert report.describe().splitlines() == [
        "corpus       1,234,567 tokens, 1,000 distinct words, 50,000 sentences",
        "vocabulary   900 words, with <S>, </S> and <UNK>",
        "coverage     over 99.99 % of tokens are in the vocabulary",
        "cut          under 0.01 % of tokens, 3.45 % of distinct words are longer than 48 bytes",
    ]


def test_a_report_without_words_has_no_division_by_zero():
    assert CorpusReport.of({}, 0, Vocabulary(SPECIALS), 50).coverage == 0
