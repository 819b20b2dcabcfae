"""A Ray cluster on this machine gives the vectors and scores of one process, when actors and whole jobs are killed."""

import os
import pathlib
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from model_folders import trained_folder
from refusals import refused

import elmo_tf
from elmo_tf.bulk.embed_file import embed_file
from elmo_tf.bulk.ray import Actors
from elmo_tf.cli.main import main

pytest.importorskip("pyarrow.parquet")
LINES = [f"the cat {'sat on ' * (number % 5)}w{number % 11} {'.' * (number % 2)}" for number in range(3_000)]
BAD = 1234
EMPTY = "\t_" * 8
"""The columns of CoNLL-U after the word."""

SETTINGS = {"layers": "0,2", "block_bytes": 200}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with a model and a text, in which one line is not UTF-8."""
    folder = tmp_path_factory.mktemp("ray")
    trained_folder(folder / "model", latest=False)
    lines = [line.encode() for line in LINES]
    (folder / "text.txt").write_bytes(b"\n".join([*lines[:BAD], b"bl\xe5", *lines[BAD + 1 :]]) + b"\n")
    (folder / "good.txt").write_text("\n".join([*LINES[:BAD], "", *LINES[BAD + 1 :]]) + "\n")
    return folder


def rows(path):
    """The rows of Parquet files in the order of their ids."""
    return sorted(pytest.importorskip("pyarrow.parquet").read_table(path).to_pylist(), key=lambda row: row["id"])


def are_rows_of_one_process(came, wanted):
    assert [row["id"] for row in came] == list(range(len(LINES)))
    assert came[BAD] == {"id": BAD, "tokens": [], "vectors": None, "error": came[BAD]["error"]}
    assert came[BAD]["error"].startswith("not UTF-8 text: ")
    for row, right in zip(came, wanted, strict=True):
        if row["id"] != BAD:
            assert (row["tokens"], row["error"]) == (right["tokens"], None)
            np.testing.assert_allclose(row["vectors"], right["vectors"], rtol=0, atol=1e-6)


def kill_an_actor(parts):
    """Kills an actor when it has finished something."""
    while len(list(parts.glob("data/*.parquet"))) < 2:
        time.sleep(0.05)
    for status in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if b"ray::MapWorker" in status.read_bytes():
                os.kill(int(status.parent.name), signal.SIGKILL)
                return True
        except OSError:
            continue
    return False


@pytest.mark.exhaustive
def test_killed_actors_and_killed_jobs_give_the_rows_of_one_process(folder, monkeypatch):
    pytest.importorskip("ray", reason="Ray is not installed")
    monkeypatch.chdir(folder)
    embed_file(folder / "model", "good.txt", "one.parquet", output_format="parquet", **SETTINGS)
    wanted = rows("one.parquet")

    killed = []
    thread = threading.Thread(target=lambda: killed.append(kill_an_actor(folder / "out.parts")))
    thread.start()
    done = elmo_tf.ray.embed_file("model", "text.txt", "out", actors=Actors(2), **SETTINGS)
    thread.join()
    assert killed == [True]
    assert (done.rows, done.bad, done.errors[0][0]) == (len(LINES), 1, BAD)
    are_rows_of_one_process(rows("out"), wanted)
    assert not (folder / "out.parts").exists()

    line = "embed --model_dir=model --input_file=text.txt --output_file=again --output_format=parquet --layers=0,2"
    command = [sys.executable, "-m", "elmo_tf", *line.split(), "--engine=ray", "--block_bytes=200", "--ray_actors=2"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while len(list((folder / "again.parts").glob("ids/*.parquet"))) < 2:
        time.sleep(0.05)
        assert process.poll() is None
    process.kill()
    process.wait()
    assert not (folder / "again").exists()
    finished = {name.name for name in (folder / "again.parts" / "data").iterdir()}
    assert "holds an unfinished run that differs in dtype" in refused(
        elmo_tf.ray.embed_file, "model", "text.txt", "again", dtype="float16", **SETTINGS
    )
    subprocess.run(command, check=True, capture_output=True)
    assert len(finished & set(os.listdir("again"))) >= len(finished) - 3  # those that were just written, not yet noted
    are_rows_of_one_process(rows("again"), wanted)


@pytest.mark.exhaustive
def test_parquet_is_embedded_and_scored_and_datasets_are_mapped(folder, monkeypatch):
    ray = pytest.importorskip("ray", reason="Ray is not installed")
    import pyarrow.parquet

    from elmo_tf.bulk.embed import embed
    from elmo_tf.inference.scorer import Scorer
    from elmo_tf.store.load_model import load_language_model

    monkeypatch.chdir(folder)
    tokens = [["the", "cat"], None, [], ["sat", None], ["a", "new", "mat"]]
    ids = [7, 3, 5, 1, 2]
    pyarrow.parquet.write_table(pyarrow.table({"id": ids, "tokens": tokens, "other": ids}), "in.parquet")
    sentences = [tokens[0], tokens[2], tokens[4]]
    loaded = load_language_model("model")
    scores = Scorer(loaded.model, loaded.vocabulary)(sentences)
    vectors = embed(sentences, "model", layers="top", pooling="mean")
    with elmo_tf.ray.cluster(None):
        done = elmo_tf.ray.embed_file("model", "in.parquet", "pooled", layers="top", pooling="mean")
        assert (done.rows, done.bad) == (5, 2)
        assert [key for key, _ in done.errors] == [1, 3]
        found = {row["id"]: row for row in rows("pooled")}
        for key, right in zip([7, 5, 2], vectors, strict=True):
            np.testing.assert_allclose(found[key]["vectors"], right, rtol=0, atol=1e-6)
        assert (found[3]["vectors"], found[1]["vectors"]) == (None, None)
        assert elmo_tf.ray.score_file("model", "in.parquet", "scored", per_token=True)[:2] == (5, 2)
        found = {row["id"]: row for row in rows("scored")}
        for key, right in zip([7, 5, 2], scores, strict=True):
            if right.tokens:
                assert found[key]["log_probability"] == pytest.approx(right.log_probability, abs=1e-5)
                assert found[key]["backward"] == pytest.approx(right.backward.tolist(), abs=1e-5)
                assert found[key]["unknown"] == right.unknown.tolist()
            else:
                assert (found[key]["tokens"], found[key]["perplexity"]) == (None, None)
        dataset = elmo_tf.ray.embed(ray.data.from_items([{"text": "the cat", "more": 1}]), "model", layers="top")
        (row,) = dataset.take_all()
        assert sorted(row) == ["error", "more", "tokens", "vectors"]
        assert np.asarray(row["vectors"]).shape == (2, 8)
        message = refused(elmo_tf.ray.embed_file, "model", "in.parquet", "pooled")
        assert message == "pooled exists; give --overwrite to replace it (overwrite=True from Python)"


TREES = "".join(
    f"# {text}\n" + "".join(f"{place}\t{word}{EMPTY}\n" for place, word in enumerate(text.split(), 1)) + "\n"
    for text in LINES[:40]
)
"""The first lines as CoNLL-U."""


@pytest.mark.exhaustive
def test_conllu_is_embedded_and_scored_as_by_one_process(folder, monkeypatch, capsys):
    pytest.importorskip("ray", reason="Ray is not installed")
    monkeypatch.chdir(folder)
    (folder / "a.conllu").write_text(f"\n1-2\tdelcat{EMPTY}\n1\tdel{EMPTY}\n2\tcat{EMPTY}\n2.1\tx{EMPTY}\n\n{TREES}")
    (folder / "b.conllu").write_text(TREES.rstrip("\n"))
    (folder / "bad.conllu").write_text(f"{TREES}1\tcat\n")
    embed = "embed --model_dir=model --input_file=a.conllu,b.conllu --input_format=conllu --output_format=parquet"
    settings = "--layers=top --block_bytes=10"
    assert main([*embed.split(), *settings.split(), "--output_file=trees.parquet"]) == 0
    wanted = rows("trees.parquet")
    assert (len(wanted), wanted[0]["tokens"]) == (81, ["del", "cat"])
    with elmo_tf.ray.cluster(None):
        assert main([*embed.split(), *settings.split(), "--output_file=trees", "--engine=ray"]) == 0
        assert "trees: 81 rows, 0 of them bad" in capsys.readouterr().out
        for row, right in zip(rows("trees"), wanted, strict=True):
            assert (row["id"], row["tokens"], row["error"]) == (right["id"], right["tokens"], None)
            np.testing.assert_allclose(row["vectors"], right["vectors"], rtol=0, atol=1e-6)
        done = elmo_tf.ray.score_file("model", "a.conllu", "scored_trees", input_format="conllu")
        assert (done, rows("scored_trees")[0]["words"]) == ((41, 0, []), ["del", "cat"])
        message = refused(elmo_tf.ray.embed_file, "model", "bad.conllu", "bad", input_format="conllu")
        assert message.startswith(f"{folder}/bad.conllu, line {TREES.count(chr(10)) + 1}: expected 10 columns")
        assert not list(folder.glob("bad*parts"))


def test_without_ray_it_is_said_in_one_sentence(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.chdir(folder)
    message = "Ray is not installed: pip install 'elmo_tf[ray]'"
    assert refused(elmo_tf.ray.embed_file, "model", "text.txt", "none", **SETTINGS) == message
    assert refused(elmo_tf.ray.embed, None, "model") == message
    assert not list(folder.glob("none*"))
