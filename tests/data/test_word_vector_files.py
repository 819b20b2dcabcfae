"""Files of word vectors in all formats, and files of other kinds."""

import gzip
import zlib

import numpy as np
import pytest

from elmo_tf.data.word_vector_files import read_word_vectors
from elmo_tf.errors import InputError

WORDS = ["the", "øl", "日本", "cat"]
VECTORS = np.random.default_rng(0).normal(size=(4, 7)).astype("float32")


def as_text(header, words=WORDS):
    rows = [f"{word} {' '.join(repr(float(value)) for value in row)}" for word, row in zip(words, VECTORS, strict=True)]
    return ("\n".join([*([f"{len(words)} 7"] if header else []), *rows]) + "\n").encode()


def as_binary(end=b"\n", words=WORDS):
    parts = [word.encode() + b" " + row.astype("<f4").tobytes() + end for word, row in zip(words, VECTORS, strict=True)]
    return f"{len(words)} 7\n".encode() + b"".join(parts)


FORMS = {
    "word2vec text": as_text(True),
    "GloVe": as_text(False),
    "text with CRLF and no last line end": as_text(True).replace(b"\n", b"\r\n").rstrip(),
    "binary of word2vec": as_binary(),
    "binary without line ends, as of gensim": as_binary(b""),
    "packed": gzip.compress(as_binary(b"")),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_format_is_read(form, tmp_path):
    (tmp_path / "vectors").write_bytes(FORMS[form])
    words, vectors = read_word_vectors(tmp_path / "vectors")
    assert words == WORDS
    assert vectors.dtype == np.float32
    np.testing.assert_array_equal(vectors, VECTORS)
    words, vectors = read_word_vectors(tmp_path / "vectors", limit=2)
    assert (words, vectors.shape) == (WORDS[:2], (2, 7))


def test_no_more_words_than_the_limit_are_read(tmp_path):
    (tmp_path / "vectors").write_bytes(as_binary() + b"more")
    assert read_word_vectors(tmp_path / "vectors", limit=3)[0] == WORDS[:3]


@pytest.mark.parametrize("binary", [True, False])
def test_files_written_by_gensim_are_read(binary, tmp_path):
    models = pytest.importorskip("gensim.models")
    keyed = models.KeyedVectors(7)
    keyed.add_vectors(WORDS, VECTORS)
    keyed.save_word2vec_format(str(tmp_path / "vectors"), binary=binary)
    words, vectors = read_word_vectors(tmp_path / "vectors")
    np.testing.assert_array_equal(vectors, [keyed[word] for word in words])
    assert sorted(words) == sorted(WORDS)


@pytest.mark.parametrize("first", [b"\n\n\n\n", b"12\n\0", b"1 2\n", b" \n7 ", "12\n€".encode()[:4]])
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_binary_numbers_that_look_like_a_line_of_text_are_read(first, pack, tmp_path):
    numbers = first + np.array([0.5, -2.0], "<f4").tobytes()
    (tmp_path / "vectors").write_bytes(pack(b"1 3\nword " + numbers))
    words, vectors = read_word_vectors(tmp_path / "vectors")
    assert words == ["word"]
    assert vectors.tobytes() == numbers


def test_a_binary_file_larger_than_one_read_is_read_whole(tmp_path):
    vectors = np.random.default_rng(1).normal(size=(3000, 50)).astype("<f4")
    parts = [f"word{n} ".encode() + row.tobytes() for n, row in enumerate(vectors)]
    (tmp_path / "vectors").write_bytes(b"3000 50\n" + b"".join(parts))
    words, came = read_word_vectors(tmp_path / "vectors")
    assert words == [f"word{n}" for n in range(3000)]
    np.testing.assert_array_equal(came, vectors)


def test_words_may_hold_spaces_repeat_or_not_be_utf8(tmp_path):
    (tmp_path / "text").write_bytes(b"2 2\n. . . 1 2\na 3 4\na 5 6\n\xff 7 8\n")
    words, vectors = read_word_vectors(tmp_path / "text")
    assert words == [". . .", "a", "\ufffd"]
    np.testing.assert_array_equal(vectors, [[1, 2], [3, 4], [7, 8]])


WRONG = {
    "an empty file": (b"", "line 1: expected a word and its numbers"),
    "no numbers": (b"word\n", "line 1: expected a word and its numbers"),
    "a word too few numbers": (b"a 1 2\nb 1\n", "line 2: expected a word and 2 numbers"),
    "letters for numbers": (b"a 1 2\nb x 2\n", "line 2: expected a word and 2 numbers"),
    "text whose first row is short": (
        b"3 4\nthe 1 2 3\ncat 0 1 0 1\n",
        "line 2: expected a word and 4 numbers, got b'the ",
    ),
    "text whose first row is long": (b"3 2\nthe 1 x 3\ncat 0 1\n", "line 2: expected a word and 2 numbers"),
    "text whose first row is a word": ("3 4\nthe\nøl 0 1 0 1\n".encode(), "line 2: expected a word and 4 numbers"),
    "text with tabs": (b"1 2\nthe\t1\t2\n", "line 2: expected a word and 2 numbers"),
    "text that is another's": ("2 9\nthe 1 2\nblåbær 0 1\n".encode(), "line 2: expected a word and 9 numbers"),
    "binary cut short": (as_binary()[:-10], "word 4: expected 4 words with 7 float32 numbers each; cut short"),
    "binary cut in a word": (as_binary()[: len(as_binary()) - 31], "word 4: expected 4 words"),
    "binary that goes on": (as_binary() + b"more", "expected 4 words with 7 float32 numbers each, got more"),
    "a header alone": (b"3 7\n", "word 1: expected 3 words"),
    "no words": (b"0 7\n", "holds no words"),
    "not finite": (b"1 2\na nan 1\n", "the vector of 'a' is not finite"),
    "a packed file cut short": (gzip.compress(as_text(True))[:-12], "cannot be read"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_file_of_another_kind_is_one_clear_error(case, tmp_path):
    content, message = WRONG[case]
    (tmp_path / "vectors").write_bytes(content)
    with pytest.raises(InputError, match=message) as caught:
        read_word_vectors(tmp_path / "vectors")
    assert str(tmp_path / "vectors") in str(caught.value)


def test_a_missing_file_is_one_clear_error(tmp_path):
    with pytest.raises(InputError, match="nothing cannot be read"):
        read_word_vectors(tmp_path / "nothing")


@pytest.mark.parametrize("form", [as_text(True), as_text(False), as_binary()], ids=["text", "GloVe", "binary"])
def test_a_gzip_file_with_a_flipped_bit_is_read_right_or_is_one_clear_error(form, tmp_path):
    packed, causes = gzip.compress(form, mtime=0), set()
    for bit in range(8 * len(packed)):
        damaged = bytearray(packed)
        damaged[bit // 8] ^= 1 << bit % 8
        (tmp_path / "vectors").write_bytes(damaged)
        try:
            words, vectors = read_word_vectors(tmp_path / "vectors")  # some bits of the gzip header have no effect
        except InputError as error:
            causes.add(type(error.__cause__))
        else:
            assert words == WORDS
            np.testing.assert_array_equal(vectors, VECTORS)
    assert {zlib.error, EOFError, gzip.BadGzipFile} <= causes
