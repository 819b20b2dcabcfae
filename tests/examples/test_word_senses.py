"""`examples/word_senses.py` on a few sentences."""

import functools

import numpy as np
import pytest
import word_senses
from example_runs import is_png, model_and_text, one_sentence, run_on_text

run = functools.partial(run_on_text, "word_senses")

TEXT = ["the bank of the river", "a Bank lends money", "two words", "money in the bank", "the bank of the river ."]


@pytest.fixture
def folder(tmp_path):
    return model_and_text(tmp_path, TEXT)


def test_neighbours_are_printed_and_drawn(folder):
    pytest.importorskip("matplotlib")
    result = run(folder, "--word=bank", "--queries=2", "--neighbours=1", f"--picture={folder / 'bank.png'}")
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith("4 uses of 'bank' in ")
    assert result.stdout.count("\n  ") == 2
    assert is_png(folder / "bank.png")


def test_a_query_finds_its_own_sentence_first(folder):
    result = run(folder, "--word=bank", "--query=a Bank lends money", "--neighbours=3")
    assert result.returncode == 0, result.stderr
    (first, *others) = [line.split(None, 1) for line in result.stdout.splitlines() if line.startswith("  ")]
    assert (float(first[0]), first[1]) == (pytest.approx(1, abs=0.01), "a [Bank] lends money")
    assert float(first[0]) > max(float(other[0]) for other in others)


def test_uses_are_found_in_any_case_and_every_one_of_a_sentence():
    uses = word_senses.uses_of("a", [["A", "b", "a"], ["b"], ["a"]], 10)
    assert [(use.sentence, use.position) for use in uses] == [(["A", "b", "a"], 0), (["A", "b", "a"], 2), (["a"], 0)]
    assert len(word_senses.uses_of("a", [["a", "a", "a"]], 2)) == 2


def test_the_plane_holds_the_two_largest_components():
    random = np.random.default_rng(0)
    turned = np.linalg.qr(random.normal(size=(6, 6)))[0]
    vectors = random.normal(size=(40, 6)) * [9, 4, 1, 1, 1, 1] @ turned + 5
    values, axes = np.linalg.eigh(np.cov(vectors.T))
    expected = (vectors - vectors.mean(0)) @ axes[:, [-1, -2]]
    came = word_senses.plane(vectors)
    np.testing.assert_allclose(np.abs(came), np.abs(expected), atol=1e-9)
    np.testing.assert_allclose(came.var(0, ddof=1), values[[-1, -2]])
    assert word_senses.plane(np.ones((2, 1))).shape == (2, 2)


def test_queries_lie_apart():
    vectors = np.array([[0.0, 0.0], [0.1, 0.0], [9.0, 0.0], [9.0, 0.1], [0.0, 7.0]])
    assert set(word_senses.unlike(vectors, 3)) & {0, 1}
    assert {4} < set(word_senses.unlike(vectors, 3))
    assert len(word_senses.unlike(vectors, 10)) == 5


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--word=tree"], 1, "--word=tree: expected two uses or more"),
        (["--word=bank", "--query=no such word"], 1, "does not hold the word 'bank'"),
        (["--word=bank", "--picture=bank.xyz"], 1, "expected a name that ends in .png"),
        ([], 2, "--word is required"),
        (["--word=bank", "--neighbors=2"], 2, "neighbors"),
    ],
)
def test_mistakes_are_one_sentence(folder, arguments, code, message):
    assert message in one_sentence(run(folder, *arguments), code)


def test_files_that_are_not_there_are_one_sentence(folder):
    assert "none.txt cannot be read" in one_sentence(run(folder, "--word=bank", text="none.txt"))
    (folder / "options.json").unlink()
    assert "options.json" in one_sentence(run(folder, "--word=bank"))
