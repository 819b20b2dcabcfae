"""The demo on a slice of a text, as a user runs it."""

import functools
import pathlib
import re

import h5py
import pytest
from demo import MARK, Made, prepare_folder
from example_runs import one_sentence
from example_runs import run as run_example
from model_folders import content_of

run = functools.partial(run_example, "demo")


def with_work(folder):
    """A folder with somebody's files under every name that the demo uses."""
    for name in Made():
        path = folder / name / "mine.txt" if "." not in name else folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("mine")
    return folder


def test_the_demo_runs_every_step_on_a_users_text(tmp_path):
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
    assert (tmp_path / "demo" / "training.png").read_bytes().startswith(b"\x89PNG")


def test_a_corpus_that_is_not_there_is_one_sentence(tmp_path):
    message = one_sentence(run(f"--corpus={tmp_path / 'none.txt'}", f"--output_dir={tmp_path / 'demo'}"))
    assert f"--corpus={tmp_path / 'none.txt'}: no such file" in message
    assert not (tmp_path / "demo").exists()


def test_a_folder_that_no_demo_made_is_refused_and_every_file_kept(tmp_path):
    (tmp_path / "news.txt").write_text("A short text.")
    before = content_of(with_work(tmp_path / "work"))
    message = one_sentence(run(f"--corpus={tmp_path / 'news.txt'}", f"--output_dir={tmp_path / 'work'}"))
    assert f"--output_dir={tmp_path / 'work'} holds files that are not known to be of a demo" in message
    assert content_of(tmp_path / "work") == before


@pytest.mark.parametrize("corpus", ["work/raw/mine.txt", "link/raw/mine.txt", "mine.txt"])
def test_a_corpus_in_the_demos_own_folder_is_refused_and_every_file_kept(tmp_path, corpus):
    work = with_work(tmp_path / "work")
    (work / MARK).touch()
    (tmp_path / "link").symlink_to(work)
    (tmp_path / "mine.txt").symlink_to(work / "corpus" / "mine.txt")
    before = content_of(work)
    message = one_sentence(run(f"--corpus={tmp_path / corpus}", f"--output_dir={work}"))
    assert f"--corpus={tmp_path / corpus} lies in --output_dir={work}" in message
    assert content_of(work) == before


def test_an_earlier_demo_is_removed_and_whatever_else_lies_there_kept(tmp_path):
    folder = with_work(tmp_path / "demo")
    (folder / MARK).touch()
    (folder / "notes.txt").write_text("mine")
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kept.txt").write_text("mine")
    (folder / Made().vocab).unlink()
    (folder / Made().vocab).symlink_to(outside)
    assert prepare_folder(str(folder)) == Made(*(str(folder / name) for name in Made()))
    assert sorted(path.name for path in folder.iterdir()) == [MARK, "notes.txt"]
    assert (outside / "kept.txt").exists()
