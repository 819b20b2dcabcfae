"""The encoded text is found again by its content, made anew where it is damaged, and whole or not there at all."""

import gzip
import os
import pathlib

import numpy as np
import pytest
from full_disk import largest_file
from hypothesis import given, settings
from hypothesis import strategies as st

from elmo_tf.data import corpus_cache
from elmo_tf.data.corpus import Corpus
from elmo_tf.data.corpus_cache import CorpusCache, content_key
from elmo_tf.data.encoded_corpus import CorpusEncoder, DamagedFileError, EncodedCorpus
from elmo_tf.data.sentences import WordNumbers, sentences_in_file_order
from elmo_tf.data.vocabulary import Vocabulary
from elmo_tf.errors import InputError

VOCABULARY = Vocabulary(("<S>", "</S>", "<UNK>", "a", "b"))
LINES = "a b zebra\n\nb øl zebra\na\n"


@pytest.fixture
def text(tmp_path):
    """A text of two files, one a .gz."""
    (tmp_path / "1.txt").write_text("\ufeff" + LINES)
    (tmp_path / "2.gz").write_bytes(gzip.compress((LINES + "b b\n").encode()))
    return [str(tmp_path / "1.txt"), str(tmp_path / "2.gz")]


def encode(folder, paths, vocabulary=VOCABULARY):
    """Encodes and keeps a text; returns it and the lines that were reported."""
    lines = []
    with CorpusCache(str(folder), lines.append) as cache:
        encoded = cache.encode(paths, vocabulary)
        cache.keep()
    return encoded, lines


def made(monkeypatch):
    """Counts how often a text is encoded, in a list that grows."""
    times = []
    real = CorpusEncoder.__init__

    def begin(self, *arguments):
        times.append(1)
        real(self, *arguments)

    monkeypatch.setattr(CorpusEncoder, "__init__", begin)
    return times


def test_the_encoded_text_holds_the_sentences_and_counts_of_the_text(tmp_path, text):
    for _ in range(2):  # encoded, and found again
        encoded, lines = encode(tmp_path / "cache", text)
        assert encoded.corpus == Corpus.scan(text)
        assert lines == []
        numbers = WordNumbers(VOCABULARY, by_characters=True)
        expected = [numbers.sentence(words).tolist() for words in sentences_in_file_order(encoded.corpus)]
        came, whole = [], []
        for block in range(2):
            tokens, lengths = encoded.block(block)
            came += [part.tolist() for part in np.split(tokens, np.cumsum(lengths)[:-1])]
            whole += tokens.tolist()
        assert came == expected
        assert [other.decode() for other in encoded.others] == numbers.others == ["zebra", "øl"]
        assert encoded.starts.tolist() == [0, sum(map(len, expected[:3]))]
        assert [encoded.tokens(place, 2).tolist() for place in (0, 15, 17)] == [whole[p : p + 2] for p in (0, 15, 17)]


def test_a_known_text_is_not_encoded_again_whatever_its_files_are_called(tmp_path, text, monkeypatch):
    times = made(monkeypatch)
    first, _ = encode(tmp_path / "cache", text)
    os.rename(text[0], tmp_path / "0.txt")
    os.utime(tmp_path / "0.txt", (1, 1))
    pathlib.Path(tmp_path / "3.txt").write_bytes(gzip.decompress(pathlib.Path(text[1]).read_bytes()))
    again, _ = encode(tmp_path / "cache", [str(tmp_path / "0.txt"), str(tmp_path / "3.txt")])
    assert len(times) == 1
    assert again.path == first.path
    assert [block.path for block in again.corpus.blocks] == [str(tmp_path / "0.txt"), str(tmp_path / "3.txt")]
    assert [block.is_gzip for block in again.corpus.blocks] == [False, False]
    assert again.corpus.fingerprint() == first.corpus.fingerprint()


@pytest.mark.parametrize("change", ["same size", "blank line", "order", "a file more", "vocabulary"])
def test_any_change_is_noticed(tmp_path, text, monkeypatch, change):
    times = made(monkeypatch)
    encode(tmp_path / "cache", text)
    path, paths, vocabulary = pathlib.Path(text[0]), text, VOCABULARY
    before = path.stat()
    if change == "same size":
        path.write_text(path.read_text().replace("b øl", "a øl"))
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    elif change == "blank line":
        path.write_text(path.read_text().replace("\n\n", "\n \n"))
    elif change == "order":
        paths = text[::-1]
    elif change == "a file more":
        paths = [*text, str(tmp_path / "3.txt")]
        (tmp_path / "3.txt").write_text("a\n")
    else:
        vocabulary = Vocabulary(("<S>", "</S>", "<UNK>", "b", "a"))
    encoded, lines = encode(tmp_path / "cache", paths, vocabulary)
    assert (len(times), lines) == (2, [])
    assert encoded.corpus == Corpus.scan(paths)
    assert encoded.path.endswith(f"corpus-{content_key(paths, vocabulary)}.words")
    assert len(os.listdir(tmp_path / "cache")) == 2


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_damaged_file_is_noticed_wherever_the_damage_is(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("damaged")
    (folder / "1.txt").write_text(LINES)
    encoded, _ = encode(folder / "cache", [str(folder / "1.txt")])
    path = pathlib.Path(encoded.path)
    good = path.read_bytes()
    place = data.draw(st.integers(0, len(good) - 1))
    bad = data.draw(
        st.sampled_from(
            [good[:place], good[:place] + bytes([good[place] ^ 1 << place % 8]) + good[place + 1 :], good + b"\n"]
        )
    )
    path.write_bytes(bad)
    with pytest.raises(DamagedFileError):
        EncodedCorpus.open(str(path), [str(folder / "1.txt")], VOCABULARY)
    _, lines = encode(folder / "cache", [str(folder / "1.txt")])
    (line,) = lines
    assert line.startswith(f"note: {path} is damaged (")
    assert line.endswith("), so the text is encoded anew")
    assert path.read_bytes() == good
    assert os.listdir(folder / "cache") == [path.name]


def test_a_text_that_is_refused_leaves_nothing(tmp_path):
    (tmp_path / "1.txt").write_bytes(b"a\n" * 1000 + b"\xff\n")
    with (
        pytest.raises(InputError, match=r"1\.txt, line 1001: not UTF-8"),
        CorpusCache(str(tmp_path / "cache")) as cache,
    ):
        cache.encode([str(tmp_path / "1.txt")], VOCABULARY)
    assert os.listdir(tmp_path / "cache") == []


def test_what_was_not_kept_is_removed(tmp_path, text):
    with CorpusCache(str(tmp_path / "cache")) as cache:
        cache.encode(text, VOCABULARY)
        assert len(os.listdir(tmp_path / "cache")) == 1
    assert os.listdir(tmp_path / "cache") == []


def test_a_full_disk_ends_in_one_sentence_and_leaves_nothing(tmp_path, text):
    with (
        largest_file(100),
        pytest.raises(
            InputError,
            match=r"the encoded text cannot be written \(give another folder as --corpus_cache\): File too large$",
        ) as caught,
        CorpusCache(str(tmp_path / "cache")) as cache,
    ):
        cache.encode(text, VOCABULARY)
    assert caught.value.begins_with(str(tmp_path / "cache"))  # so that the command names the flag
    assert os.listdir(tmp_path / "cache") == []


def test_an_unfinished_file_is_removed_if_its_process_was_killed_long_ago(tmp_path, text):
    folder = tmp_path / "cache"
    with CorpusCache(str(folder)) as halted:
        halted.encode(text, VOCABULARY)
        (living,) = folder.iterdir()
        killed, recent = folder / ".corpus.killed.words", folder / ".corpus.recent.words"
        for path in (killed, recent):
            path.write_bytes(b"half")
        for path in (killed, living):
            os.utime(path, (1, 1))
        encode(folder, text)
        assert {path.name for path in folder.iterdir() if path.name.startswith(".")} == {living.name, recent.name}
        halted.keep()
    os.utime(recent, (1, 1))
    encode(folder, text)  # found, not encoded
    assert [path.name for path in folder.iterdir()] == [f"corpus-{content_key(text, VOCABULARY)}.words"]


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_the_room_that_it_takes_is_said_beforehand_and_checked(tmp_path, monkeypatch, pack):
    (tmp_path / "1.txt").write_bytes(pack(b"a zebra b\n" * 120_000))
    paths, folder = [str(tmp_path / "1.txt")], str(tmp_path / "cache")
    encoded, lines = encode(folder, paths)
    size = os.path.getsize(encoded.path)
    assert lines == [f"note: encoding the text takes about {round(size / 1e6)} MB in {folder}"]
    os.remove(encoded.path)
    usage = type("Usage", (), {"free": 2_000_000})
    monkeypatch.setattr(corpus_cache.shutil, "disk_usage", lambda path: usage)
    with pytest.raises(
        InputError, match=r"has 2 MB free, and the encoded text takes about 3 MB: give .* as --corpus_cache$"
    ) as caught:
        encode(folder, paths)
    assert caught.value.option == "corpus_cache"


def test_two_that_encode_at_one_time_both_find_a_whole_file(tmp_path, text):
    with CorpusCache(str(tmp_path / "cache")) as one, CorpusCache(str(tmp_path / "cache")) as other:
        both = [cache.encode(text, VOCABULARY) for cache in (one, other)]
        one.keep()
        tokens = both[0].block(0)[0].tolist()
        other.keep()
    assert both[0].path == both[1].path
    assert [encoded.block(1)[0].tolist() for encoded in both] == [both[1].block(1)[0].tolist()] * 2
    assert both[1].block(0)[0].tolist() == tokens
    assert len(os.listdir(tmp_path / "cache")) == 1
