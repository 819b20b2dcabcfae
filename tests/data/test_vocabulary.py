import collections
import dataclasses
import gzip
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from elmo_tf.data.vocabulary import CorpusReport, Vocabulary, build_vocabulary, count_corpus
from elmo_tf.errors import InputError

SPECIALS = ("<S>", "</S>", "<UNK>")


@pytest.fixture
def write(tmp_path):
    def write_bytes(content):
        path = tmp_path / "vocab.txt"
        path.write_bytes(content)
        return str(path)

    return write_bytes


def test_line_number_is_the_id_wherever_the_specials_stand(write):
    vocabulary = Vocabulary.from_file(write(b"the\n</S>\ncat\n<UNK>\n<S>\n"))
    assert vocabulary.words == ("the", "</S>", "cat", "<UNK>", "<S>")
    assert vocabulary.ids == {"the": 0, "</S>": 1, "cat": 2, "<UNK>": 3, "<S>": 4}
    assert (vocabulary.begin, vocabulary.end, vocabulary.unknown) == (4, 1, 3)


def test_a_word_outside_has_the_id_of_unknown():
    vocabulary = Vocabulary((*SPECIALS, "the"))
    assert [vocabulary[word] for word in ("the", "The", "<UNK>", "<s>")] == [3, 2, 2, 2]
    assert "the" in vocabulary
    assert "The" not in vocabulary


def test_it_iterates_over_its_words_and_knows_its_size():
    vocabulary = Vocabulary((*SPECIALS, "the"))
    assert list(vocabulary) == [*SPECIALS, "the"]
    assert len(vocabulary) == 4
    assert repr(vocabulary) == "<Vocabulary of 4 words>"


def test_it_does_not_change():
    vocabulary = Vocabulary(SPECIALS)
    with pytest.raises(dataclasses.FrozenInstanceError):
        vocabulary.words = ("other",)


def test_equal_words_make_equal_vocabularies_also_through_pickle():
    vocabulary = Vocabulary((*SPECIALS, "the"))
    copy = pickle.loads(pickle.dumps(vocabulary))
    assert copy == vocabulary
    assert copy.ids == vocabulary.ids
    assert vocabulary != Vocabulary((*SPECIALS, "a"))


@pytest.mark.parametrize(
    "content",
    [
        b"<S>\r\n</S>\r\n<UNK>\r\n\xc3\xa6\r\n",
        b"\xef\xbb\xbf<S>\n</S>\n<UNK>\n\xc3\xa6\n",
        b"<S>\n</S>\n<UNK>\n\xc3\xa6",
        b"<S>\n</S>\n<UNK>\n\xc3\xa6\n\n\n",
        b"<S> \n</S>\n<UNK>\n\t\xc3\xa6 \n",
        gzip.compress(b"<S>\n</S>\n<UNK>\n\xc3\xa6\n"),
    ],
    ids=["carriage returns", "byte order mark", "no last line end", "empty lines at the end", "outer space", "gzip"],
)
def test_files_of_many_makes_read_the_same(write, content):
    assert Vocabulary.from_file(write(content)).words == (*SPECIALS, "æ")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "vocab.txt is empty; expected a vocabulary"),
        (b"\n\n", "vocab.txt is empty"),
        (b"<S>\n\n</S>\n<UNK>\n", "vocab.txt, line 2: the line is empty"),
        (b"<S>\n</S>\n \t\n<UNK>\n", "line 3: the line is empty"),
        (b"<S>\n</S>\n<UNK>\nthe 1234\n", "line 4: 'the 1234' has white space inside; expected one word a line"),
        (b"<S>\na b\n\n</S>\n<UNK>\n", "line 2: 'a b' has white space inside"),
        (b"<S>\na\nb\nb\na\n", "line 5: the word 'a' stands already on line 2; expected every word once"),
        (b"a\nb\nb\nb\n", "line 3: the word 'b' stands already on line 2"),
        (b"<S>\n</S>\nthe\n<UNK>\nthe\n", "line 5: the word 'the' stands already on line 3"),
        (b"<S>\nthe\n", "vocab.txt lacks </S> and <UNK>; expected <S>, </S> and <UNK>, .*elmo-tf vocab"),
        (b"<s>\n</S>\n<UNK>\n", "vocab.txt lacks <S>; expected"),
        (b"<S>\n</S>\n<unk>\n", "vocab.txt lacks <UNK>; expected"),
        (b"<S>\n</S>\n<UNK>\nna\xefve\n", "vocab.txt, line 4: not UTF-8 text"),
    ],
)
def test_a_file_that_is_no_vocabulary_is_refused_with_file_and_line(write, content, message):
    with pytest.raises(InputError, match=message):
        Vocabulary.from_file(write(content))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"none\.txt cannot be read: No such file"):
        Vocabulary.from_file(tmp_path / "none.txt")


def test_a_wrong_word_is_found_behind_one_that_has_no_utf8():
    with pytest.raises(InputError, match=r"^the vocabulary, line 5: 'a b' has white space inside"):
        Vocabulary((*SPECIALS, "\ud800", "a b"))


def test_an_error_without_a_file_names_the_source_given():
    with pytest.raises(InputError, match=r"^words of the test lacks <UNK>"):
        Vocabulary(("<S>", "</S>"), source="words of the test")


_word = st.text(st.characters(codec="utf-8"), min_size=1).map(lambda text: "".join(text.split())).filter(bool)


@given(st.lists(_word, unique=True))
def test_what_is_saved_reads_back(tmp_path_factory, words):
    vocabulary = Vocabulary((*SPECIALS, *(word for word in words if word not in SPECIALS)))
    path = tmp_path_factory.mktemp("saved") / "vocab.txt"
    vocabulary.save(path)
    # A file that begins with U+FEFF has a byte order mark; here <S> comes first, so no word is mistaken for one.
    assert Vocabulary.from_file(path) == vocabulary


def test_saved_file_has_one_word_a_line_and_only_line_feeds(tmp_path):
    Vocabulary((*SPECIALS, "æ")).save(tmp_path / "new" / "vocab.txt")
    assert (tmp_path / "new" / "vocab.txt").read_bytes() == b"<S>\n</S>\n<UNK>\n\xc3\xa6\n"


def test_the_vocabulary_of_wikitext_reads(shared):
    vocabulary = Vocabulary.from_file(shared / "data" / "wikitext2" / "vocab.txt")
    assert (len(vocabulary), vocabulary["the"], vocabulary.unknown) == (33_279, 3, 2)


def test_counting_adds_up_all_files_plain_and_packed(tmp_path):
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
def test_specials_then_falling_counts_then_code_points(max_vocab, min_count, words):
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


def test_report_on_nothing_has_no_division_by_zero():
    assert CorpusReport.of({}, 0, Vocabulary(SPECIALS), 50).coverage == 0


def test_a_foreign_vocabulary_may_hold_no_break_spaces(tmp_path):
    path = tmp_path / "vocab.txt"
    path.write_text("<S>\n</S>\n<UNK>\n10\u00a0000\nx\n", encoding="utf-8")
    assert Vocabulary.from_file(path).words[3:] == ("10\u00a0000", "x")
