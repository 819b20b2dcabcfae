"""The corpus: its counts, its blocks, which hold the sentences of the files in any order, and files that it refuses."""

import gzip
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from text_files import NUMBERS, PACKINGS, cut_short, damaged, lines_of, written

from elmo_tf.data.corpus import Corpus, is_same_text
from elmo_tf.data.shuffle import group_into_pools, sequential_runs
from elmo_tf.data.text import iterate_lines
from elmo_tf.data.text_blocks import BLOCK_BYTES, Block
from elmo_tf.errors import InputError

MARK = b"\xef\xbb\xbf"


@PACKINGS
@pytest.mark.parametrize(
    ("content", "sentences", "words"),
    [
        (b"a b c\nd\n", ["a b c", "d"], 4),
        (b"a b c\nd", ["a b c", "d"], 4),
        (b"\n\na\n \t\n\nb c\n\n", ["a", "b c"], 3),
        (b"a b\r\n\r\nc\r\n", ["a b", "c"], 3),
        (MARK + b"a b\nc\n", ["a b", "c"], 3),
        (MARK + b"\na\n", ["a"], 1),
        ("blåbær  på\t日本語\u00a0🤘\n".encode(), ["blåbær  på\t日本語\u00a0🤘"], 4),
        ("a\u2028b\x0bc\u0085d\n".encode(), ["a\u2028b\x0bc\u0085d"], 4),
        (b"<S> a </S>\n", ["<S> a </S>"], 3),
    ],
    ids=["usual", "no line end", "blank", "CRLF", "mark", "mark on a blank line", "scripts", "odd space", "specials"],
)
def test_sentences_and_words_are_counted_and_read(tmp_path, pack, content, sentences, words):
    corpus = Corpus.scan(written(tmp_path, content, pack=pack))
    assert (corpus.sentences, corpus.words) == (len(sentences), words)
    assert corpus.predictions == len(sentences) + words
    assert lines_of(corpus.blocks) == sentences
    assert [block.is_gzip for block in corpus.blocks] == [pack is gzip.compress]


@PACKINGS
@pytest.mark.parametrize("block_bytes", [1, 7, 40, 1000])
def test_small_blocks_hold_the_same_sentences_in_whatever_order_they_are_read(tmp_path, pack, block_bytes):
    lines = [f"{number} " + "wört " * (number % 5) for number in range(60)]
    lines[20:23] = ["", "   ", ""]
    paths = written(
        tmp_path, MARK + "\n".join(lines[:25]).encode(), b"\n", "\r\n".join(lines[25:]).encode() + b"\r\n", pack=pack
    )
    whole = Corpus.scan(paths)
    corpus = Corpus.scan(paths, block_bytes)
    assert len(whole.blocks) == 2
    assert len(corpus.blocks) > 2 or block_bytes == 1000
    assert (corpus.sentences, corpus.words) == (whole.sentences, whole.words)
    sentences = [line.strip() for line in lines if line.strip()]
    assert lines_of(corpus.blocks) == sentences

    by_block = [lines_of([block]) for block in corpus.blocks]
    assert [line for part in by_block for line in part] == sentences
    backwards = lines_of(reversed(corpus.blocks))
    assert backwards == [line for part in reversed(by_block) for line in part]
    mixed = [number * 7 % len(by_block) for number in range(2 * len(by_block))]
    assert lines_of(corpus.blocks[number] for number in mixed) == [line for n in mixed for line in by_block[n]]


@settings(max_examples=60, deadline=None)
@given(
    contents=st.lists(st.text(st.sampled_from("ab é\u00a0\r\t\u2028🤘\n\n"), max_size=40), min_size=1, max_size=3),
    packed=st.booleans(),
    block_bytes=st.integers(1, 30),
)
def test_the_blocks_together_hold_all_lines_of_a_file(tmp_path_factory, contents, packed, block_bytes):
    sentences = [line.split() for content in contents for line in content.split("\n") if line.split()]
    folder = tmp_path_factory.mktemp("corpus")
    pack = gzip.compress if packed else bytes
    paths = written(folder, *[content.encode() for content in contents], pack=pack)
    if not sentences:
        with pytest.raises(InputError, match="no text in it"):
            Corpus.scan(paths, block_bytes)
        return
    corpus = Corpus.scan(paths, block_bytes)
    assert [line.split() for line in lines_of(corpus.blocks)] == sentences
    assert corpus.words == sum(map(len, sentences))
    assert [block.sentences for block in corpus.blocks] == [len(lines_of([block])) for block in corpus.blocks]
    assert sum(block.words for block in corpus.blocks) == corpus.words


@PACKINGS
def test_a_line_longer_than_a_block_makes_a_block_by_itself(tmp_path, pack):
    long = b"word " * 100
    corpus = Corpus.scan(written(tmp_path, b"a\n" + long + b"\nb\n", pack=pack), block_bytes=10)
    assert [block.words for block in corpus.blocks] == [101, 1]
    assert lines_of(corpus.blocks) == ["a", long.decode().strip(), "b"]


def test_blocks_are_about_a_megabyte():
    assert BLOCK_BYTES == 2**20


@PACKINGS
def test_blocks_of_blank_lines_are_left_out(tmp_path, pack):
    corpus = Corpus.scan(written(tmp_path, b"\n" * 50 + b"a\n" + b" \n" * 50 + b"b\n", pack=pack), block_bytes=10)
    assert [(block.sentences, block.words) for block in corpus.blocks] == [(1, 1), (1, 1)]
    assert lines_of(corpus.blocks) == ["a", "b"]


@PACKINGS
@pytest.mark.parametrize("block_bytes", [1, 3, 1000])
@pytest.mark.parametrize(
    ("content", "sentences"),
    [
        (b"\n\na\n \t\n\nb c\n\n", ["", "", "a", "", "", "b c", ""]),
        (b"a\r\n\r\nb", ["a", "", "b"]),
        (MARK + b"\na\n", ["", "a"]),
    ],
)
def test_blank_lines_count_as_sentences_without_words_on_request(tmp_path, pack, block_bytes, content, sentences):
    corpus = Corpus.scan(written(tmp_path, content, pack=pack), block_bytes, blank_lines=True)
    assert lines_of(corpus.blocks) == sentences
    assert corpus.predictions == len(sentences) + len(" ".join(sentences).split())


def test_a_file_of_blank_lines_is_refused_even_where_they_count_as_sentences(tmp_path):
    with pytest.raises(InputError, match=r"0\.txt: no text in it"):
        Corpus.scan(written(tmp_path, b"\n\n"), blank_lines=True)


@PACKINGS
@pytest.mark.parametrize("block_bytes", [5, 1000])
@pytest.mark.parametrize("mark", [b"", MARK])
def test_bytes_that_are_not_utf8_are_refused_with_file_line_and_byte_as_in_reading_lines(
    tmp_path, pack, block_bytes, mark
):
    for before, line in ((b"good\n\nfine\nmore\n", 5), (b"", 1)):
        content = mark + before + "blåbær\n".encode("latin-1") + b"end\n"
        paths = written(tmp_path, b"good\n", content, pack=pack)
        with pytest.raises(InputError, match=rf"1\.txt, line {line}: not UTF-8 text: .* at byte 2$") as caught:
            Corpus.scan(paths, block_bytes)
        with pytest.raises(InputError) as of_lines:
            list(iterate_lines(paths[1]))
        assert str(caught.value) == str(of_lines.value)


def wrong_checksum(packed):
    return packed[:-8] + b"\0" * 8


@pytest.mark.parametrize("damage", [cut_short, damaged, wrong_checksum])
@pytest.mark.parametrize("block_bytes", [100, 1 << 20])
def test_a_broken_gzip_file_is_refused_by_name(tmp_path, damage, block_bytes):
    path = tmp_path / "broken.gz"
    path.write_bytes(damage(gzip.compress(NUMBERS)))
    with pytest.raises(InputError, match=r"broken\.gz cannot be read to its end: ."):
        Corpus.scan([str(path)], block_bytes)


@PACKINGS
def test_an_empty_file_among_others_adds_nothing(tmp_path, pack):
    corpus = Corpus.scan(written(tmp_path, b"", b"a b\n", b"", pack=pack))
    assert (corpus.sentences, corpus.words, len(corpus.blocks)) == (1, 2, 1)


@PACKINGS
@pytest.mark.parametrize(
    ("contents", "message"),
    [
        ([b""], r"0\.txt: no text in it"),
        ([MARK], r"0\.txt: no text in it"),
        ([b"\n \r\n", b""], r"0\.txt and 1 more files: no text in it"),
    ],
)
def test_files_without_a_word_are_refused(tmp_path, pack, contents, message):
    with pytest.raises(InputError, match=message):
        Corpus.scan(written(tmp_path, *contents, pack=pack))


@pytest.mark.parametrize(("name", "why"), [("none.txt", "No such file"), ("", "Is a directory")])
def test_a_path_that_cannot_be_opened_is_refused_by_name(tmp_path, name, why):
    with pytest.raises(InputError, match=f"{name} cannot be read: {why}"):
        Corpus.scan([str(tmp_path / name)])


def test_the_fingerprint_depends_on_the_text_but_not_on_the_folder(tmp_path):
    for name in ("x", "y"):
        (tmp_path / name).mkdir()
    here, there = (Corpus.scan(written(tmp_path / name, b"a b\n", b"c\n")) for name in ("x", "y"))
    assert here.fingerprint() == there.fingerprint()
    assert re.fullmatch(r"2 files, 6 bytes, 2 sentences, 3 words, content [0-9a-f]{16}", here.fingerprint())
    for others in (
        [b"a b\n"],
        [b"a b\n", b"cc\n"],
        [b"a b\nc\n"],
        [b"a b\n", b"\xc3\xa5\n"],
        [b"a  \n", b"c\n"],
        [b"a b\n", b"d\n"],
        [b"c b\n", b"a\n"],
        [b"b a\n", b"c\n"],
    ):
        assert Corpus.scan(written(tmp_path, *others)).fingerprint() != here.fingerprint()


def test_fingerprints_of_the_same_text_are_told_apart_from_others_and_earlier_ones_have_no_hash(tmp_path):
    here, there = (Corpus.scan(written(tmp_path, content)).fingerprint() for content in (b"a b\n", b"a c\n"))
    earlier = "1 files, 4 bytes, 1 sentences, 2 words"
    assert is_same_text(here, here)
    assert not is_same_text(here, there)
    assert is_same_text(earlier, here)
    assert not is_same_text("1 files, 5 bytes, 1 sentences, 2 words", here)


@pytest.mark.parametrize("blocks", [1, 3, 8, 100])
def test_a_sample_is_spread_over_the_corpus(tmp_path, blocks):
    paths = written(tmp_path, b"".join(b"w%d\n" % number for number in range(50)))
    corpus = Corpus.scan(paths, block_bytes=1)
    assert len(corpus.blocks) == 50
    numbers = [int(word[1:]) for word in corpus.sample(blocks)]
    assert len(numbers) == min(blocks, 50)
    assert numbers == sorted(set(numbers))
    assert numbers[0] == 0
    if blocks > 1:
        assert numbers[-1] >= 25


def corpus_of(*files):
    """A corpus of `(path, packed, sizes of its blocks)`; no file is read."""
    return Corpus(
        tuple(
            Block(path, sum(sizes[:number]), size, 1, 1, packed)
            for path, packed, sizes in files
            for number, size in enumerate(sizes)
        )
    )


def names(groups):
    return [[f"{block.path}{block.start}" for block in group] for group in groups]


def test_each_plain_block_is_a_run_and_all_blocks_of_a_gzip_file_are_one_run():
    corpus = corpus_of(("p", False, [5, 5]), ("q", True, [5, 5]), ("r", True, [5]), ("s", False, [5]))
    assert names(sequential_runs(corpus)) == [["p0"], ["p5"], ["q0", "q5"], ["r0"], ["s0"]]


@pytest.mark.parametrize(
    ("order", "pool_bytes", "pools"),
    [
        ([0, 1, 2, 3], 1, [["p0"], ["p5"], ["q0"], ["q5"], ["s0"]]),
        ([0, 1, 2, 3], 10, [["p0", "p5"], ["q0", "q5"], ["s0"]]),
        ([3, 2, 1, 0], 10, [["s0", "q0"], ["q5", "p5"], ["p0"]]),
        ([2, 0, 3, 1], 11, [["q0", "q5", "p0"], ["s0", "p5"]]),
        ([1, 3, 2, 0], 1000, [["p5", "s0", "q0", "q5", "p0"]]),
    ],
)
def test_pools_take_runs_in_the_order_given_until_they_are_full(order, pool_bytes, pools):
    corpus = corpus_of(("p", False, [5, 5]), ("q", True, [5, 5]), ("s", False, [5]))
    assert names(group_into_pools(sequential_runs(corpus), order, pool_bytes)) == pools
