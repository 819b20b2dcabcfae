"""Reading CoNLL-U: words and tags, lines that are skipped, and errors."""

import doctest
import gzip
import importlib

import pytest
from conllu_reader import read_conllu

from elmo_tf.errors import InputError


def line(number, word, tag):
    return "\t".join([str(number), word, "_", tag, "_", "_", "0", "_", "_", "_"])


GOOD = "\n".join(
    [
        "# text = Don't go .",
        line("1-2", "Don't", "_"),
        line(1, "Do", "AUX"),
        line(2, "n't", "PART"),
        line("2.1", "ever", "_"),
        line(3, "go", "VERB"),
        "",
        "",
        line(1, "Øl 1 000", "NUM"),
    ]
)
SENTENCES = [(["Do", "n't", "go"], ["AUX", "PART", "VERB"]), (["Øl 1 000"], ["NUM"])]


def test_words_and_tags_without_multiword_tokens_and_empty_nodes(tmp_path):
    (tmp_path / "a.conllu").write_text(GOOD, encoding="utf-8")
    (tmp_path / "b.conllu").write_bytes(GOOD.replace("\n", "\r\n").encode())
    with gzip.open(tmp_path / "c.conllu.gz", "wt", encoding="utf-8") as file:
        file.write(GOOD + "\n\n")
    for path in sorted(tmp_path.iterdir()):
        assert [tuple(sentence) for sentence in read_conllu(str(path))] == SENTENCES


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1 The the DET", "line 1: expected 10 columns with tabs between them, got 1"),
        (line(1, "a", "X") + "\n" + line(3, "b", "X"), "line 2: expected word 2 of the sentence, got '3'"),
        ("# c\n" + line("one", "a", "X"), "line 2: expected word 1 of the sentence, got 'one'"),
        (line(1, "", "X"), "line 1: expected a word in column 2"),
        (line(1, "a", "_"), "line 1: expected a UPOS tag in column 4, got '_'"),
        ("# nothing\n\n", "holds no sentences"),
    ],
)
def test_other_files_than_conllu_are_refused_with_file_and_line(tmp_path, text, message):
    path = tmp_path / "bad.conllu"
    path.write_text(text)
    with pytest.raises(InputError, match=r"bad\.conllu") as caught:
        read_conllu(str(path))
    assert message in str(caught.value)


def test_the_whole_of_the_english_treebank_is_read(shared):
    sentences = read_conllu(str(shared / "data" / "ud-english-ewt" / "dev.conllu"))
    assert len(sentences) == 2001
    assert len({tag for sentence in sentences for tag in sentence.tags}) == 17


@pytest.mark.parametrize("name", ["common", "tagger", "word_senses", "sentence_similarity"])
def test_examples_in_docstrings_are_right(name):
    failed, tried = doctest.testmod(importlib.import_module(name))
    assert tried > 0
    assert failed == 0
