import dataclasses
import gzip
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from elmo_tf.data.vocabulary import Vocabulary
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


def test_a_vocabulary_iterates_over_its_words_and_has_their_number_as_length():
    vocabulary = Vocabulary((*SPECIALS, "the"))
    assert list(vocabulary) == [*SPECIALS, "the"]
    assert len(vocabulary) == 4
    assert repr(vocabulary) == "<Vocabulary of 4 words>"


def test_a_vocabulary_cannot_be_changed():
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
        gzip.compress(b"<S>\n</S>\n<UNK>\n\xc3\xa6\n", mtime=0),
    ],
    ids=["carriage returns", "byte order mark", "no last line end", "empty lines at the end", "outer space", "gzip"],
)
def test_line_ends_marks_and_compression_make_no_difference(write, content):
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


def test_a_wrong_word_is_found_after_one_that_utf8_cannot_encode():
    with pytest.raises(InputError, match=r"^the vocabulary, line 5: 'a b' has white space inside"):
        Vocabulary((*SPECIALS, "\ud800", "a b"))


def test_an_error_without_a_file_names_the_source():
    with pytest.raises(InputError, match=r"^words of the test lacks <UNK>"):
        Vocabulary(("<S>", "</S>"), source="words of the test")


_word = st.text(st.characters(codec="utf-8"), min_size=1).map(lambda text: "".join(text.split())).filter(bool)


@given(st.lists(_word, unique=True))
def test_a_saved_vocabulary_reads_back_equal(tmp_path_factory, words):
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


def test_a_vocabulary_of_another_program_may_hold_no_break_spaces(tmp_path):
    path = tmp_path / "vocab.txt"
    path.write_text("<S>\n</S>\n<UNK>\n10\u00a0000\nx\n", encoding="utf-8")
    assert Vocabulary.from_file(path).words[3:] == ("10\u00a0000", "x")
