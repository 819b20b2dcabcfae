import gzip

import pytest

from elmo_tf.cli.main import main

pytest.importorskip("spacy")


@pytest.fixture
def raw(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "a.txt").write_text("One. Two!\n")
    (tmp_path / "raw" / "b.txt.gz").write_bytes(gzip.compress(b"It's three.\n"))
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "a.txt").write_text("Four.\n")
    return tmp_path


def run(*arguments):
    return main(["tokenize", *arguments])


def test_every_input_gets_its_file_and_its_line(raw, capsys):
    assert run("--input_files=raw/*", "--output_dir=corpus", "--language=en") == 0
    assert (raw / "corpus" / "a.txt").read_text() == "One .\nTwo !\n"
    assert (raw / "corpus" / "b.txt").read_text() == "It 's three .\n"
    assert capsys.readouterr().out.splitlines() == [
        "corpus/a.txt: 2 sentences, 4 tokens",
        "corpus/b.txt: 1 sentences, 4 tokens",
        "2 files: 3 sentences, 8 tokens",
    ]


def test_files_that_exist_are_replaced_where_that_is_asked_for(raw, capsys):
    (raw / "corpus").mkdir()
    (raw / "corpus" / "b.txt").write_text("old")
    arguments = ("--input_files=raw/*", "--output_dir=corpus", "--language=en")
    assert run(*arguments) == 1
    message = "elmo-tf tokenize: corpus/b.txt exists; give --overwrite to replace it (overwrite=True from Python)\n"
    assert capsys.readouterr().err == message
    assert [path.name for path in (raw / "corpus").iterdir()] == ["b.txt"]
    assert run(*arguments, "--overwrite") == 0
    assert (raw / "corpus" / "b.txt").read_text() == "It 's three .\n"


def test_its_output_is_what_vocab_takes(raw, capsys):
    assert run("--input_files=raw/a.txt", "--output_dir=corpus", "--language=en") == 0
    assert main(["vocab", "--train_files=corpus/*.txt", "--vocab_file=v.txt"]) == 0
    assert (raw / "v.txt").read_text().split()[3:] == ["!", ".", "One", "Two"]


def test_chinese_says_that_it_is_split_into_characters(raw, capsys):
    assert run("--input_files=raw/a.txt", "--output_dir=corpus", "--language=zh") == 0
    note = capsys.readouterr().out.splitlines()[0]
    assert note == "note: Chinese is split into characters; --chinese_words splits it into words"
    assert (raw / "corpus" / "a.txt").read_text() == "One .\nTwo !\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("--input_files=raw/*.md --output_dir=corpus --language=en", "--input_files=raw/*.md: no such file"),
        ("--input_files=raw/* --output_dir=raw --language=en", "would overwrite the input raw/a.txt"),
        ("--input_files=raw/*,more/* --output_dir=corpus --language=en", "would both be written to corpus/a.txt"),
        ("--input_files=raw/* --output_dir=corpus --language=qq", "does not know the language 'qq'"),
        ("--input_files=raw/* --output_dir=raw/a.txt/x --language=en", "the folder raw/a.txt/x cannot be made"),
    ],
)
def test_a_mistake_is_one_sentence_and_code_1_and_nothing_is_written(raw, capsys, arguments, message):
    assert run(*arguments.split()) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("elmo-tf tokenize: ")
    assert message in captured.err
    assert captured.err.count("\n") == 1
    assert not (raw / "corpus").exists()
    assert (raw / "raw" / "a.txt").read_text() == "One. Two!\n"


def test_a_folder_made_for_nothing_is_removed_but_one_with_files_or_one_that_existed_is_kept(raw, capsys):
    (raw / "raw" / "latin.txt").write_bytes(b"Fine.\nbl\xe5b\xe6r\n")
    latin = "--input_files=raw/latin.txt"
    assert run(latin, "--output_dir=made/corpus", "--language=en") == 1
    assert "raw/latin.txt, line 2: not UTF-8 text" in capsys.readouterr().err
    assert not (raw / "made").exists()
    (raw / "there").mkdir()
    assert run(latin, "--output_dir=there/corpus", "--language=en") == 1
    assert list((raw / "there").iterdir()) == []
    assert run("--input_files=raw/a.txt,raw/latin.txt", "--output_dir=corpus", "--language=en") == 1
    assert [path.name for path in (raw / "corpus").iterdir()] == ["a.txt"]
