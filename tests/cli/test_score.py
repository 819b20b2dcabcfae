"""`elmo-tf score`, `substitutes` and `tokens` from files and standard input; a mistake names its flag."""

import io
import json
import sys

import h5py
import pytest
from model_folders import WORDS, trained_folder

from elmo_tf.cli.main import main


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with a language model, a text and a list of words, which is the current one."""
    trained_folder(tmp_path / "model", best=False)
    (tmp_path / "text.txt").write_text("the cat sat\n\nthe unheard mat\n")
    (tmp_path / "words.txt").write_text("\n".join(WORDS) + "\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_scores_go_to_standard_output_and_the_summary_to_standard_error(folder, capsys):
    assert main(["score", "--model_dir=model", "--input_file=text.txt"]) == 0
    said = capsys.readouterr()
    rows = [line.split("\t") for line in said.out.splitlines()]
    assert [row[:3] for row in rows] == [
        ["line", "tokens", "unknown_tokens"],
        ["1", "3", "0"],
        ["2", "0", ""],
        ["3", "3", "1"],
    ]
    assert "2 sentences, 8 predictions in each direction, 1 unknown words, perplexity " in said.err


def test_scores_of_standard_input_as_json_lines(folder, capsys, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"the cat\n")))
    assert main(["score", "--model_dir=model", "--input_file=-", "--output_format=jsonl", "--per_token"]) == 0
    (line,) = map(json.loads, capsys.readouterr().out.splitlines())
    assert line["words"] == ["the", "cat"]
    assert len(line["forward"]) == len(line["backward"]) == 3


def test_substitutes_of_a_marked_word(folder, capsys):
    (folder / "marked.txt").write_text("the **cat** sat\n")
    assert main(["substitutes", "--model_dir=model", "--input_file=marked.txt", "--count=2"]) == 0
    said = capsys.readouterr()
    rows = [line.split("\t") for line in said.out.splitlines()]
    assert [row[:4] for row in rows[1:]] == [["1", "2", "cat", "1"], ["1", "2", "cat", "2"]]
    assert said.err.endswith("substitutes of 1 words\n")


@pytest.mark.parametrize(
    "line",
    [
        "score --input_file=text.txt",
        "substitutes --input_file=text.txt",
        "tokens --words_file=words.txt",
    ],
)
def test_an_output_that_exists_is_replaced_where_that_is_asked_for(folder, capsys, line):
    (folder / "out").write_text("old")
    words = [*line.split(), "--model_dir=model", "--output_file=out"]
    assert main(words) == 1
    assert "--output_file=out exists; give --overwrite to replace it" in capsys.readouterr().err
    assert (folder / "out").read_text() == "old"
    assert main([*words, "--overwrite"]) == 0
    assert (folder / "out").read_bytes() != b"old"


def test_the_sums_are_those_of_evaluate_with_fresh_states(folder, capsys):
    evaluate = ["evaluate", "--model_dir=model", "--test_files=text.txt"]
    assert main([*evaluate, "--fresh_states"]) == 0
    found = json.loads(capsys.readouterr().out)
    # both sentences have four predictions, so each fills a row of its own, and none takes a state from another
    assert main([*evaluate, "--batch_size=2", "--unroll_steps=4"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert found == {name: pytest.approx(value, rel=1e-5) for name, value in rows.items()}
    assert main(["score", "--model_dir=model", "--input_file=text.txt"]) == 0
    said = capsys.readouterr().out
    sums = [sum(float(row.split("\t")[column] or 0) for row in said.splitlines()[1:]) for column in (4, 5)]
    assert sums == pytest.approx([-8 * found["loss_forward"], -8 * found["loss_backward"]], rel=1e-5)
    assert main([*evaluate, "--fresh_states", "--bilm_tf_compatible"]) == 1
    assert "--fresh_states: expected without --bilm_tf_compatible" in capsys.readouterr().err


def test_vectors_of_a_word_list(folder, capsys):
    assert main(["tokens", "--model_dir=model", "--words_file=words.txt", "--output_file=words.hdf5"]) == 0
    with h5py.File("words.hdf5") as file:
        assert file["embedding"].shape == (len(WORDS), 4)
    assert capsys.readouterr().out.startswith(f"words.hdf5: {len(WORDS)} words, from model/")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("score --model_dir=model --input_file=none.txt", "--input_file=none.txt: no such file"),
        ("score --model_dir=model --input_file=-,text.txt", "--input_file: expected files, or - alone"),
        ("substitutes --model_dir=none --input_file=text.txt", "--model_dir=none: there is no such file or folder"),
        (
            "score --model_dir=model --input_file=text.txt --engine=ray",
            "--output_format=tsv: expected parquet with --engine=ray",
        ),
        (
            "score --model_dir=model --input_file=text.txt --engine=ray --output_format=parquet",
            "--engine=ray: expected files to read and a folder to write, got -",
        ),
        (
            "tokens --model_dir=model --words_file=empty.txt --output_file=o",
            "--words_file=empty.txt is empty;",
        ),
        (
            "tokens --model_dir=model --words_file=spaced.txt --output_file=o --output_format=word2vec",
            "--words_file=spaced.txt: 'two words' holds a space",
        ),
    ],
)
def test_a_mistake_is_one_sentence_that_names_the_flag(folder, capsys, line, message):
    (folder / "empty.txt").write_text("\n")
    (folder / "spaced.txt").write_text("two words\n")
    before = sorted(path.name for path in folder.iterdir())
    assert main(line.split()) == 1
    said = capsys.readouterr()
    assert said.err.startswith(f"elmo-tf {line.split()[0]}: {message}")
    assert said.err.count("\n") == 1
    assert sorted(path.name for path in folder.iterdir()) == before
