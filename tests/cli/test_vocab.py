import os
import sys

import pytest

from elmo_tf.cli.main import main
from elmo_tf.data.vocabulary import Vocabulary


@pytest.fixture
def corpus(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.txt").write_text("the cat saw the dog\n")
    (tmp_path / "b.txt").write_text("the <UNK> saw\n\nan incomprehensibility\n")
    (tmp_path / "empty.txt").write_text("\n \n")
    return tmp_path


def run(*arguments):
    return main(["vocab", *arguments])


def test_the_vocabulary_is_written_and_the_report_printed(corpus, capsys):
    code = run("--train_files=a.txt,b.txt", "--vocab_file=out/v.txt", "--min_count=2", "--max_characters_per_token=12")
    assert code == 0
    assert (corpus / "out" / "v.txt").read_text() == "<S>\n</S>\n<UNK>\nthe\nsaw\n"
    assert os.listdir(corpus / "out") == ["v.txt"]
    captured = capsys.readouterr()
    assert captured.err == ""
    assert captured.out.splitlines() == [
        "corpus       10 tokens, 7 distinct words, 3 sentences",
        "vocabulary   5 words, with <S>, </S> and <UNK>",
        "coverage     50.00 % of tokens are in the vocabulary",
        "cut          10.00 % of tokens, 14.29 % of distinct words are longer than 10 bytes",
        "written to   out/v.txt",
    ]


def test_max_vocab_counts_the_specials(corpus, capsys):
    assert run("--train_files=*.txt", "--vocab_file=v.txt", "--max_vocab=4") == 0
    assert Vocabulary.from_file("v.txt").words == ("<S>", "</S>", "<UNK>", "the")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("--train_files=none*.txt --vocab_file=v.txt", "--train_files=none*.txt: no such file"),
        ("--train_files=empty.txt --vocab_file=v.txt", "--train_files: no words in empty.txt"),
        ("--train_files=a.txt --vocab_file=v.txt --min_count=4", "no word comes min_count=4 times"),
        ("--train_files=*.txt --vocab_file=./a.txt", "--vocab_file=./a.txt is one of --train_files"),
        ("--train_files=a.txt --vocab_file=.", ". is a folder"),
    ],
)
def test_a_mistake_is_one_sentence_and_code_1_and_nothing_is_written(corpus, capsys, arguments, message):
    before = sorted(os.listdir(corpus))
    assert run(*arguments.split()) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("elmo-tf vocab: ")
    assert message in captured.err
    assert captured.err.count("\n") == 1
    assert sorted(os.listdir(corpus)) == before


def test_several_empty_files_are_named_by_first_and_last(corpus, capsys):
    (corpus / "empty2.txt").write_text("")
    assert run("--train_files=empty*.txt", "--vocab_file=v.txt") == 1
    assert "no words in these 2 files, from empty.txt to empty2.txt" in capsys.readouterr().err


def test_a_failure_keeps_the_vocabulary_that_was_there(corpus, capsys):
    (corpus / "old.vocab").write_text("old")
    assert run("--train_files=empty.txt", "--vocab_file=old.vocab", "--overwrite") == 1
    assert "no words in empty.txt" in capsys.readouterr().err
    assert (corpus / "old.vocab").read_text() == "old"


def test_a_vocabulary_that_exists_is_replaced_where_that_is_asked_for(corpus, capsys):
    (corpus / "old.vocab").write_text("old")
    assert run("--train_files=a.txt", "--vocab_file=old.vocab") == 1
    message = (
        "elmo-tf vocab: --vocab_file=old.vocab exists; give --overwrite to replace it (overwrite=True from Python)"
    )
    assert capsys.readouterr().err == f"{message}\n"
    assert (corpus / "old.vocab").read_text() == "old"
    assert run("--train_files=a.txt", "--vocab_file=old.vocab", "--overwrite") == 0
    assert Vocabulary.from_file("old.vocab").words[3] == "the"


def test_a_terminal_is_told_which_file_is_read(corpus, capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert run("--train_files=a.txt,b.txt", "--vocab_file=v.txt") == 0
    assert capsys.readouterr().err.splitlines() == ["reading a.txt (1 of 2)", "reading b.txt (2 of 2)"]


def test_vocabulary_of_wikitext_is_the_reference_one(shared, tmp_path, capsys):
    folder = shared / "data" / "wikitext2"
    assert run(f"--train_files={folder}/train/*.txt", f"--vocab_file={tmp_path}/v.txt") == 0
    words = Vocabulary.from_file(tmp_path / "v.txt")
    reference = Vocabulary.from_file(folder / "vocab.txt")
    assert set(words) == set(reference)
    assert words.words[:20] == reference.words[:20]


@pytest.mark.parametrize(
    ("files", "flags", "noted"),
    [
        ("a.txt", (), True),
        ("a.txt", ("--min_count=2",), False),
        ("a.txt", ("--max_vocab=6",), False),
        ("a.txt,b.txt", (), False),  # the text itself says <UNK>
    ],
)
def test_a_vocabulary_that_leaves_nothing_to_unk_is_noted(corpus, capsys, files, flags, noted):
    assert run(f"--train_files={files}", "--vocab_file=v.txt", *flags) == 0
    assert ("--min_count=2 turns rare words into <UNK>" in capsys.readouterr().err) is noted
