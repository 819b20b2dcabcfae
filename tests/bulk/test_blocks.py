"""The input: its sentences, its blocks, its shares, whatever the file."""

import gzip
import io
import os
import sys
import threading

import pytest
from refusals import refused

from elmo_tf.bulk.blocks import Place, Share
from elmo_tf.bulk.conllu import add_word
from elmo_tf.bulk.input_text import InputText

LINES = ["the cat", "", "sat on", "x" * 90, "  the\tmat . ", "", "", "øl 日本語", "a / b", "y " * 40, "z", "last"]
TEXT = "\n".join(LINES) + "\n"
TREE = (
    "# text = vámonos\n1-2\tvámonos\t_\t_\t_\t_\t_\t_\t_\t_\n1\tvamos\t_\t_\t_\t_\t_\t_\t_\t_\n"
    "2\tnos\t_\t_\t_\t_\t_\t_\t_\t_\n2.1\tempty\t_\t_\t_\t_\t_\t_\t_\t_\n\n"
)
TREES = TREE + "\n" + "".join(f"1\tw{number}\t_\t_\t_\t_\t_\t_\t_\t_\n\n" for number in range(9))
TREE_SENTENCES = [["vamos", "nos"], *([f"w{number}"] for number in range(9))]


def text_file(path, text=TEXT, pack=bytes):
    path.write_bytes(pack(text.encode()))
    return str(path)


def sentences_of(share):
    return [sentence for block in share.blocks() for sentence in block.sentences]


def of_lines(lines):
    return [line.split() for line in lines]


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "packed"])
@pytest.mark.parametrize("text", [TEXT, TEXT[:-1], TEXT.replace("\n", "\r\n"), "\ufeff" + TEXT])
def test_every_line_is_a_sentence_whatever_the_blocks(tmp_path, pack, text):
    path = text_file(tmp_path / "text", text, pack)
    for block_bytes in (1, 7, 64, 1 << 20):
        assert sentences_of(Share([path], "text", block_bytes)) == of_lines(LINES)


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "packed"])
@pytest.mark.parametrize("text", [TREES, TREES.rstrip("\n"), TREES.replace("\n", "\r\n"), "\n \n" + TREES])
def test_the_words_of_conllu_are_sentences_whatever_the_blocks(tmp_path, pack, text):
    path = text_file(tmp_path / "trees", text, pack)
    for block_bytes in (1, 7, 64, 1 << 20):
        assert sentences_of(Share([path], "conllu", block_bytes)) == TREE_SENTENCES


@pytest.mark.parametrize(
    ("text", "form", "wanted"), [(TEXT, "text", of_lines(LINES)), (TREES, "conllu", TREE_SENTENCES)]
)
@pytest.mark.parametrize("block_bytes", [1, 5, 64, 1000])
@pytest.mark.parametrize("count", [1, 2, 3, 7, 40])
def test_shares_hold_every_sentence_once_and_in_order(tmp_path, text, form, wanted, block_bytes, count):
    paths = [text_file(tmp_path / "a", text), text_file(tmp_path / "b", "")]
    paths += [text_file(tmp_path / "c.gz", text, gzip.compress), text_file(tmp_path / "d", text)]
    shares = [Share(paths, form, block_bytes, count, index) for index in range(count)]
    assert [sentence for share in shares for sentence in sentences_of(share)] == wanted * 3
    sizes = [share.bytes_total for share in shares]
    assert sum(sizes) == sum(map(os.path.getsize, paths))


@pytest.mark.parametrize("form", ["text", "conllu"])
def test_shares_form_the_blocks_of_the_whole(tmp_path, form):
    paths = [text_file(tmp_path / name, (TEXT if form == "text" else TREES) * 5) for name in "ab"]
    whole = list(Share(paths, form, 50).blocks())
    assert [block for index in range(4) for block in Share(paths, form, 50, 4, index).blocks()] == whole


def test_a_share_reads_little_beyond_its_part(tmp_path, monkeypatch):
    path = text_file(tmp_path / "text", "a b c\n" * 100_000)
    share = Share([path], "text", 1000, 10, 4)
    counted = []
    lines = InputText._lines

    def count(self, start):
        for found in lines(self, start):
            counted.append(found)
            yield found

    monkeypatch.setattr(InputText, "_lines", count)
    assert len(counted) == 0
    assert len(sentences_of(share)) == pytest.approx(10_000, rel=0.02)
    assert len(counted) <= len(sentences_of(share)) + 2


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "packed"])
@pytest.mark.parametrize("form", ["text", "conllu"])
def test_blocks_go_on_behind_any_that_is_done(tmp_path, pack, form):
    paths = [text_file(tmp_path / name, TEXT if form == "text" else TREES, pack) for name in "ab"]
    whole = list(Share(paths, form, 30).blocks())
    assert len(whole) > 4
    for number, block in enumerate(whole):
        assert list(Share(paths, form, 30).blocks(block.place)) == whole[number + 1 :]
    assert whole[0].place == Place(0, 0)


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "packed"])
def test_progress_goes_from_nothing_to_all_bytes(tmp_path, pack):
    paths = [text_file(tmp_path / name, TEXT, pack) for name in "ab"]
    share = Share(paths, "text", 30)
    read = [share.bytes_read for _ in share.blocks()]
    assert read == sorted(read)
    assert share.bytes_read == share.bytes_total == sum(map(os.path.getsize, paths))


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "packed"])
def test_standard_input_is_read_as_a_file_is(monkeypatch, pack):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(pack(TEXT.encode()))))
    share = Share(["-"], "text", 30)
    assert share.bytes_total is None
    assert share.is_stream
    assert sentences_of(share) == of_lines(LINES)
    assert not sys.stdin.buffer.closed


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "packed"])
def test_a_named_pipe_is_read_once(tmp_path, pack):
    os.mkfifo(tmp_path / "pipe")
    writer = threading.Thread(target=text_file, args=(tmp_path / "pipe", TEXT, pack))
    writer.start()
    assert sentences_of(Share([str(tmp_path / "pipe")], "text", 30)) == of_lines(LINES)
    writer.join()


def test_the_digest_is_that_of_what_the_share_reads(tmp_path):
    text = "a b c\n" * 100
    path = tmp_path / "text"

    def digests():
        return [Share([str(path)], "text", 60, 2, index).digest() for index in range(2)]

    text_file(path, text)
    before = digests()
    text_file(path, text[:-3] + "d\n\n")
    after = digests()
    assert before[0] == after[0]
    assert before[1] != after[1]
    text_file(path, text + "a")
    assert digests()[0] != before[0]


@pytest.mark.parametrize(
    ("text", "form", "message"),
    [
        (b"a\n" * 20 + b"bl\xe5b\xe6r\n", "text", "text, line 21: not UTF-8 text"),
        (gzip.compress(b"a\n" * 20 + b"bl\xe5b\xe6r\n"), "text", "text, line 21: not UTF-8 text"),
        (TREE.encode() * 4 + b"1\tthree\tcolumns\n", "conllu", "text, line 25: expected 10 columns"),
        (TREE.encode() * 4 + TREE.encode()[17:].replace(b"2\tnos", b"3\tnos"), "conllu", "expected word 2 of the"),
        (
            gzip.compress(os.urandom(999).hex(" ", 9).replace(" ", "\n").encode())[:700],
            "text",
            "text cannot be read past line",
        ),
    ],
    ids=["not UTF-8", "packed, not UTF-8", "CoNLL-U columns", "CoNLL-U numbers", "packed, cut short"],
)
def test_what_is_wrong_has_its_line_wherever_reading_began(tmp_path, text, form, message):
    path = tmp_path / "text"
    path.write_bytes(text)
    whole = Share([str(path)], form, 8)
    assert message in refused(lambda: sentences_of(whole)).replace(f"{tmp_path}/", "")
    for number in range(3):
        told = refused(lambda number=number: list(Share([str(path)], form, 8).blocks(Place(0, number))))
        assert message in told.replace(f"{tmp_path}/", "")


def test_shares_that_cannot_be_are_refused(tmp_path):
    path = text_file(tmp_path / "text")
    assert refused(Share, [path], "text", 9, 0, 0) == "num_shards: expected a number from 1, got 0"
    assert refused(Share, [path], "text", 9, 3, 3) == "shard_index: expected a number from 0 to 2, got 3"
    assert "for a stream cannot be divided" in refused(Share, ["-"], "text", 9, 3, 0)
    assert "none cannot be read: No such file" in refused(Share, [str(tmp_path / "none")], "text", 9)


def test_a_word_needs_a_form():
    assert refused(add_word, [], "1\t" + "\t" * 8) == "expected a word in column 2, got nothing"
