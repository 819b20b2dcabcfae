"""A job of Ray says what does not fit before anything is computed, and knows an unfinished job of its own."""

import os

import pytest
from model_folders import content_of
from refusals import refused

from elmo_tf.bulk.ray import Actors, _paths, _settings, embed
from elmo_tf.bulk.ray_job import Job

pytest.importorskip("pyarrow")


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.txt").write_text("a\n")
    (tmp_path / "a.parquet").write_text("no Parquet")
    return tmp_path


def begun(overwrite=False, **identity):
    """Begins a job and leaves it, as if it were killed."""
    with Job(["a.txt"], "out", overwrite).goes_on({"model": "m", "settings": {}, **identity}):
        pass


def test_an_unfinished_job_goes_on_if_it_is_the_same(here):
    begun()
    (here / "out.parts" / "data").mkdir()
    begun()
    assert (here / "out.parts" / "data").is_dir()
    assert "holds an unfinished run that differs in model; give --overwrite" in refused(begun, model="other")
    (here / "a.txt").write_text("b\n")
    assert "differs in input" in refused(begun)
    begun(overwrite=True)
    assert os.listdir("out.parts") == ["manifest.json"]


def test_a_job_that_fails_leaves_what_is_finished_and_else_nothing(here):
    def fail(finished):
        with Job(["a.txt"], "out", False).goes_on({"model": "m", "settings": {}}):
            for name in finished:
                (here / "out.parts" / "data").mkdir()
                (here / "out.parts" / "data" / name).touch()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail([])
    assert not (here / "out.parts").exists()
    with pytest.raises(KeyboardInterrupt):
        fail(["0.parquet"])
    assert (here / "out.parts" / "data" / "0.parquet").exists()


def test_folders_that_hold_other_files_are_never_replaced(here):
    (here / "out").mkdir()
    assert refused(Job, ["a.txt"], "out", False).startswith("out exists; give --overwrite to replace it")
    Job(["a.txt"], "out", True)
    (here / "out" / "mine.txt").write_text("mine")
    assert refused(Job, ["a.txt"], "out", True).startswith("out holds mine.txt; expected a new folder")


def test_files_that_do_not_fit_are_refused(here):
    before = content_of(here)
    assert refused(Job, ["none.txt"], "out", False).startswith("none.txt cannot be read: No such file")
    assert "expected text files or Parquet files, got both" in refused(Job, ["a.txt", "a.parquet"], "out", False)
    assert "expected text with Parquet files, got conllu" in refused(
        Job, ["a.parquet"], "out", False, input_format="conllu"
    )
    assert "input_format: expected text or conllu, got 'tree'" in refused(
        Job, ["a.txt"], "out", False, input_format="tree"
    )
    assert "expected files with Ray, got -" in refused(_paths, "-")
    assert "output_format: expected parquet with Ray, got hdf5" in refused(_settings, {"output_format": "hdf5"})
    assert "expected a cpus of at least 1, got 0" in refused(Actors, cpus=0)
    assert "expected it with files alone" in refused(embed, None, "model", input_format="conllu")
    message = "actors: expected a cluster with 6 cores and 0.5 GPUs or more, got one with 5 cores and 0 GPUs"
    assert refused(Actors(cpus=4, gpus=0.5).count, {"CPU": 5.0}) == message
    assert "a.parquet cannot be read as Parquet" in refused(Job(["a.parquet"], "out", False)._read, None)
    assert content_of(here) == before
