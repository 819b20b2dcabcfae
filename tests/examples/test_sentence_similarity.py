"""`examples/sentence_similarity.py` on a few sentences."""

import functools
import re

import example_runs
import pytest
import sentence_similarity
from example_runs import is_png, model_and_text, one_sentence, run_on_text

run = functools.partial(run_on_text, "sentence_similarity")

TEXT = ["tar taken moppel", "tar taken moppel .", "liv zux ker", "tar taken moppel", "", "zux"]


@pytest.fixture
def folder(tmp_path):
    return model_and_text(tmp_path, TEXT)


def test_pairs_are_printed_and_drawn(folder):
    pytest.importorskip("matplotlib")
    result = run(folder, "--neighbours=2", f"--picture={folder / 'alike.png'}")
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith("4 sentences of ")  # each once, without the blank line
    cosines = [float(text) for text in re.findall(r"^ {2,}(-?\d\.\d{3}) ", result.stdout, re.MULTILINE)]
    assert len(cosines) == 2
    assert cosines[0] >= cosines[1]
    assert is_png(folder / "alike.png")


@pytest.mark.parametrize("pooling", ["mean", "max"])
def test_a_query_finds_the_same_sentence_with_cosine_1(folder, pooling):
    result = run(folder, "--query=liv zux ker", f"--pooling={pooling}")
    assert result.returncode == 0, result.stderr
    lines = [line for line in result.stdout.splitlines() if line.startswith("  ")]
    assert lines[0].split(None, 1) == ["1.000", "liv zux ker"]
    assert len(lines) == 4


def test_sentences_count_once():
    assert sentence_similarity.distinct([["a"], ["b"], ["a"], ["c"]], 2) == [["a"], ["b"]]


def test_mistakes_are_one_sentence(folder):
    assert "--query is empty" in one_sentence(run(folder, "--query="))
    (folder / "one.txt").write_text("same\nsame\n")
    assert "expected two different sentences" in one_sentence(run(folder, text="one.txt"))
    (folder / "empty.txt").write_text("\n")
    assert "empty.txt is empty" in one_sentence(run(folder, text="empty.txt"))
    assert "--text is required" in one_sentence(example_runs.run("sentence_similarity", f"--elmo={folder}"), 2)
