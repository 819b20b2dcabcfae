"""A run that was killed goes on, and its output has the bytes of an unbroken one."""

import json
import pathlib
import subprocess
import sys

import pytest
from kill_snapshots import kill_snapshots, restore
from model_folders import content_of, trained_folder
from refusals import refused

from elmo_tf.bulk.embed_file import embed_file
from elmo_tf.bulk.hdf5_vectors import Hdf5Vectors
from elmo_tf.bulk.npz_vectors import NpzVectors
from elmo_tf.bulk.parquet_vectors import ParquetVectors
from elmo_tf.bulk.parts import only_writer
from elmo_tf.bulk.text_vectors import TextVectors

LINES = [
    f"the cat {'sat on ' * (number % 5)}{'a mat' if number % 3 else ''} w{number % 11}"
    if number % 7
    else ("" if number % 2 else "the / cat")
    for number in range(120)
]
SETTINGS = {"block_bytes": 40}
FORMATS = ("hdf5", "parquet", "npz", "txt")


pytestmark = pytest.mark.usefixtures("compiled_once")


@pytest.fixture
def text(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text("\n".join(LINES) + "\n")
    return path


class Stopped(Exception):  # noqa: N818 - what stops it is no error
    """A run ends here."""


def stop_after(count):
    """A progress callback that stops a run after so many blocks."""
    left = iter(range(count - 1))

    def progress(_):
        if next(left, None) is None:
            raise Stopped

    return progress


def needs(output_format):
    if output_format == "parquet":
        pytest.importorskip("pyarrow")


@pytest.mark.parametrize("output_format", FORMATS)
@pytest.mark.parametrize("keys", ["number", "sentence"])
def test_a_run_stopped_again_and_again_gives_the_bytes_of_an_unbroken_one(loaded, text, tmp_path, output_format, keys):
    needs(output_format)
    if keys == "sentence" and output_format != "hdf5":
        pytest.skip("only HDF5 has keys")
    settings = {**SETTINGS, "output_format": output_format, "keys": keys}
    whole = embed_file(loaded, text, tmp_path / "whole", **settings)
    stops = 0
    for blocks in (1, 2, 5, 9, 1, 1, 17):
        with pytest.raises(Stopped):
            embed_file(loaded, text, tmp_path / "out", progress=stop_after(blocks), **settings)
        stops += blocks
        assert not (tmp_path / "out").exists()
        assert len(list((tmp_path / "out.parts").glob("*-lines.*"))) >= stops
    done = []
    assert embed_file(loaded, text, tmp_path / "out", progress=done.append, **settings) == whole
    assert done[0].lines > 20
    assert done[0].tokens_now < done[0].tokens / 2
    assert done[-1].lines == len(LINES)
    assert (tmp_path / "out").read_bytes() == (tmp_path / "whole").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "text.txt", "whole"]


KINDS = {"hdf5": Hdf5Vectors, "parquet": ParquetVectors, "npz": NpzVectors, "txt": TextVectors}


@pytest.mark.parametrize(
    ("output_format", "shares"),
    [pytest.param("hdf5", 1, marks=pytest.mark.exhaustive), ("parquet", 1), ("npz", 1), ("txt", 1), ("txt", 2)],
)
def test_a_run_killed_at_any_of_its_file_operations_goes_on_and_leaves_nothing(
    loaded, text, tmp_path, monkeypatch, output_format, shares
):
    needs(output_format)
    text.write_text("\n".join(LINES[:14]))
    settings = {"output_format": output_format, "block_bytes": 80, "num_shards": shares, "layers": "top"}
    calls = [(KINDS[output_format], name) for name in ("add", "append", "close")]
    with kill_snapshots(monkeypatch, tmp_path / "first", calls) as points:
        embed_file(loaded, text, tmp_path / "first" / "out", **settings)
    whole = content_of(tmp_path / "first")
    assert len(points) >= 20
    kinds = [("out" in point, any("/." in name for name in point)) for point in points]
    assert set(kinds) == {(False, False), (False, True), (True, False)}
    for number, point in enumerate(points):
        for torn in {False, any("/." in name and data for name, data in point.items())}:
            again = tmp_path / f"{number}-{torn}"
            restore(point, again, torn)
            if "out" in point:  # what was left to do is to remove the parts
                assert point["out"] == whole["out"]
                assert "out exists; give --overwrite" in refused(embed_file, loaded, text, again / "out", **settings)
                (again / "out").unlink()
            embed_file(loaded, text, again / "out", **settings)
            assert content_of(again) == whole, (number, torn, sorted(point))


def test_at_no_moment_an_old_share_has_the_manifest_of_the_new_one(loaded, text, tmp_path, monkeypatch):
    settings = {"output_format": "txt", "num_shards": 2, "layers": "1"}
    embed_file(loaded, text, tmp_path / "first" / "out", **settings)
    old = content_of(tmp_path / "first")
    with kill_snapshots(monkeypatch, tmp_path / "first") as points:
        embed_file(loaded, text, tmp_path / "first" / "out", overwrite=True, **{**settings, "layers": "top"})
    new = content_of(tmp_path / "first")
    assert (set(old), old["out"] == new["out"]) == ({"out", "out.manifest.json"}, False)
    pairs = [(point.get("out"), point["out.manifest.json"]) for point in points]
    assert (old["out"], new["out.manifest.json"]) not in pairs
    assert {(old["out"], old["out.manifest.json"]), (new["out"], new["out.manifest.json"])} <= set(pairs)


def test_a_second_process_that_writes_the_same_output_is_refused(loaded, text, tmp_path):
    with only_writer(str(tmp_path / "out")):
        for overwrite in (False, True):
            message = refused(embed_file, loaded, text, tmp_path / "out", overwrite=overwrite, **SETTINGS)
            assert message.startswith(f"{tmp_path}/out is in use by process ")
    assert sorted(content_of(tmp_path)) == ["text.txt"]
    embed_file(loaded, text, tmp_path / "out", **SETTINGS)


def killed_run(model, text, folder, output_format, kills):
    script = pathlib.Path(__file__).parents[1] / "bulk_resume_run.py"
    command = [sys.executable, script, model, text, folder, output_format, str(kills)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=3600, check=True)
    return int(done.stdout)


def test_a_process_killed_at_random_moments_goes_on(model, loaded, text, tmp_path):
    embed_file(loaded, text, tmp_path / "whole", **SETTINGS)
    assert killed_run(model, text, tmp_path, "hdf5", 3) == 3
    assert (tmp_path / "out").read_bytes() == (tmp_path / "whole").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "text.txt", "whole"]


@pytest.mark.exhaustive
@pytest.mark.parametrize("output_format", FORMATS)
def test_a_process_killed_at_fifty_random_moments_goes_on(model, loaded, text, tmp_path, output_format):
    needs(output_format)
    text.write_text(text.read_text() * 5)
    embed_file(loaded, text, tmp_path / "whole", output_format=output_format, **SETTINGS)
    assert killed_run(model, text, tmp_path, output_format, 50) >= 40
    assert (tmp_path / "out").read_bytes() == (tmp_path / "whole").read_bytes()


def stopped(model, text, output, **settings):
    with pytest.raises(Stopped):
        embed_file(model, text, output, progress=stop_after(4), **{**SETTINGS, **settings})


def test_a_run_goes_on_with_the_same_model_input_and_settings_alone(loaded, text, tmp_path, model):
    out = tmp_path / "out"
    stopped(loaded, text, out)
    before = content_of(tmp_path)
    told = f"{out}.parts holds an unfinished run that differs in "
    assert refused(embed_file, loaded, text, out, **SETTINGS, layers="top", dtype="float16").startswith(
        f"{told}layers, dtype; give --overwrite to start over"
    )
    assert refused(embed_file, loaded, text, out, 99, **SETTINGS).startswith(f"{told}batch_tokens; ")
    assert refused(embed_file, loaded, text, out, **SETTINGS, num_shards=2).startswith(f"{told}input, share; ")
    other = tmp_path / "other"
    trained_folder(other, best=False)
    assert refused(embed_file, other, text, out, **SETTINGS).startswith(f"{told}model; ")
    text.write_text(text.read_text() + "more\n")
    assert refused(embed_file, loaded, text, out, **SETTINGS).startswith(f"{told}input; ")
    after = content_of(tmp_path)
    assert {name: content for name, content in after.items() if ".parts" in name} == {
        name: content for name, content in before.items() if ".parts" in name
    }


def test_a_run_of_an_earlier_release_goes_on_whose_manifest_names_fewer_settings(loaded, text, tmp_path):
    stopped(loaded, text, tmp_path / "out")
    manifest = tmp_path / "out.parts" / "manifest.json"
    values = json.loads(manifest.read_text())
    for name in ("precision", "word_cache", "vocab_to_cache"):
        del values["settings"][name]
    manifest.write_text(json.dumps(values))
    done = []
    embed_file(loaded, text, tmp_path / "out", progress=done.append, **SETTINGS)
    assert done[0].tokens_now < done[0].tokens  # the others are those of the earlier run


def test_a_model_moved_elsewhere_is_the_same_and_overwrite_starts_over(loaded, text, tmp_path):
    out = tmp_path / "out"
    stopped(loaded, text, out)
    trained_folder(tmp_path / "moved", latest=False)
    (tmp_path / "elsewhere.txt").write_bytes(text.read_bytes())
    done = []
    embed_file(tmp_path / "moved", tmp_path / "elsewhere.txt", out, progress=done.append, **SETTINGS)
    assert done[0].lines > 4
    out.unlink()
    stopped(loaded, text, out)
    done = []
    embed_file(loaded, text, out, progress=done.append, overwrite=True, layers="top", **SETTINGS)
    assert done[0].tokens == done[0].tokens_now
    assert not (tmp_path / "out.parts").exists()


def test_an_overwriting_run_keeps_the_old_output_until_its_own_is_whole(loaded, text, tmp_path):
    (tmp_path / "out").write_text("old")
    stopped(loaded, text, tmp_path / "out", overwrite=True)
    assert (tmp_path / "out").read_text() == "old"


def test_a_model_that_is_a_function_leaves_no_parts(stored_embedder, text, tmp_path):
    stopped(stored_embedder, text, tmp_path / "out")
    assert sorted(content_of(tmp_path)) == ["text.txt"]


def test_a_bad_line_keeps_what_is_finished(loaded, text, tmp_path):
    text.write_bytes(text.read_bytes() + b"bl\xe5\n")
    assert "not UTF-8" in refused(embed_file, loaded, text, tmp_path / "out", **SETTINGS)
    assert (tmp_path / "out.parts").is_dir()
    text.write_bytes(b"bl\xe5\n")
    assert "not UTF-8" in refused(embed_file, loaded, text, tmp_path / "other", **SETTINGS)
    assert not (tmp_path / "other.parts").exists()
