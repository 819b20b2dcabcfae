"""The demo on a slice of a text, as a user runs it."""

import pathlib
import re
import subprocess
import sys

import h5py
import pytest

DEMO = pathlib.Path(__file__).parents[1] / "examples" / "demo.py"


def run(*arguments):
    return subprocess.run(
        [sys.executable, str(DEMO), *arguments], capture_output=True, text=True, timeout=600, check=False
    )


def test_the_demo_goes_the_whole_way_on_a_users_text(tmp_path):
    gensim = pytest.importorskip("gensim.test.utils")
    text = pathlib.Path(gensim.datapath("lee_background.cor")).read_text(encoding="utf-8").splitlines()[:60]
    corpus = tmp_path / "news.txt"
    corpus.write_text("\n".join(text), encoding="utf-8")
    result = run(f"--corpus={corpus}", f"--output_dir={tmp_path / 'demo'}", "--max_steps=30")
    assert result.returncode == 0, result.stderr
    before, after = map(float, re.search(r"before training ([\d.]+), after it ([\d.]+) ", result.stdout).groups())
    assert after < 0.7 * before
    assert "layer 0 (the word alone): cosine 1.000" in result.stdout
    with h5py.File(tmp_path / "demo" / "embeddings.hdf5") as file:
        held = (tmp_path / "demo" / "held.txt").read_text(encoding="utf-8").splitlines()
        assert set(file) == {str(n) for n in range(len(held))}
        assert file["0"].shape == (3, len(held[0].split()), 128)


def test_a_corpus_that_is_not_there_is_one_sentence(tmp_path):
    result = run(f"--corpus={tmp_path / 'none.txt'}", f"--output_dir={tmp_path / 'demo'}")
    assert result.returncode == 1
    assert "no such file" in result.stderr
    assert "Traceback" not in result.stderr
