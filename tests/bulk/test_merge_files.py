"""Shares merged have the bytes of one run; what does not belong together is refused."""

import gzip
import shutil

import h5py
import numpy as np
import pytest
from refusals import refused

from elmo_tf.bulk.embed_file import embed_file
from elmo_tf.bulk.merge_files import merge_files

LINES = [f"the cat {'sat on ' * (number % 5)} w{number % 11}" if number % 7 else "" for number in range(60)]
SETTINGS = {"block_bytes": 40}


pytestmark = pytest.mark.usefixtures("compiled_once")


@pytest.fixture
def texts(tmp_path):
    """Three files of a text, one of them packed."""
    (tmp_path / "a.txt").write_text("\n".join(LINES[:25]) + "\n")
    (tmp_path / "b.gz").write_bytes(gzip.compress(("\n".join(LINES[25:40]) + "\n").encode()))
    (tmp_path / "c.txt").write_text("\n".join(LINES[40:]))
    return [tmp_path / name for name in ("a.txt", "b.gz", "c.txt")]


def embed_shares(loaded, texts, folder, count, **settings):
    """The paths of all shares."""
    folder.mkdir()
    paths = [folder / f"{(number * 7) % 10}.share" for number in range(count)]  # in no order of names
    for number, path in enumerate(paths):
        embed_file(loaded, texts, path, num_shards=count, shard_index=number, **SETTINGS, **settings)
    return paths


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"keys": "sentence", "compression": "gzip"},
        {"sentence_to_index": True, "layers": "top"},
        {"output_format": "parquet", "compression": "zstd"},
        {"output_format": "npz", "layers": "0,1", "dtype": "float16"},
        {"output_format": "txt", "pooling": "mean"},
        {"output_format": "txt", "keep_boundaries": True, "layers": "mix", "mix_weights": "0.2,0.5,0.3"},
    ],
    ids=lambda settings: " ".join(map(str, settings.values())) or "plain",
)
def test_shares_merged_have_the_bytes_of_one_run(loaded, texts, tmp_path, settings):
    if settings.get("output_format") == "parquet":
        pytest.importorskip("pyarrow")
    whole = embed_file(loaded, texts, tmp_path / "whole", **SETTINGS, **settings)
    for count in (2, 5):
        embed_shares(loaded, texts, tmp_path / f"{count}", count, **settings)
        assert merge_files(sorted((tmp_path / f"{count}").iterdir()), tmp_path / f"{count}.merged") == whole
        assert (tmp_path / f"{count}.merged").read_bytes() == (tmp_path / "whole").read_bytes()


@pytest.mark.parametrize("settings", [{"sentence_to_index": True}, {"keys": "sentence"}])
def test_links_read_the_shares_as_one_wherever_their_folder_is(loaded, texts, tmp_path, settings):
    whole = embed_file(loaded, texts, tmp_path / "whole", **SETTINGS, **settings)
    (tmp_path / "made").mkdir()
    paths = embed_shares(loaded, texts, tmp_path / "made" / "shares", 3, **settings)
    assert merge_files(paths, tmp_path / "made" / "links", links=True) == whole
    shutil.move(tmp_path / "made", tmp_path / "moved")
    with h5py.File(tmp_path / "whole") as wanted, h5py.File(tmp_path / "moved" / "links") as links:
        assert list(links) == list(wanted)
        for key in wanted:
            np.testing.assert_array_equal(links[key][...], wanted[key][...])
    # the links take some hundred bytes a sentence, whatever the size of its vectors
    assert (tmp_path / "moved" / "links").stat().st_size < (tmp_path / "whole").stat().st_size


def test_links_are_for_hdf5_alone(loaded, texts, tmp_path):
    paths = embed_shares(loaded, texts, tmp_path / "shares", 2, output_format="txt")
    message = refused(merge_files, paths, tmp_path / "links", links=True)
    assert message.startswith("links: expected shares in the format hdf5, got txt")
    assert not (tmp_path / "links").exists()


def test_a_share_may_be_empty(loaded, tmp_path):
    (tmp_path / "text.txt").write_text("a b\n")
    for output_format in ("hdf5", "npz", "txt"):
        folder = tmp_path / output_format
        paths = embed_shares(loaded, [tmp_path / "text.txt"], folder, 3, output_format=output_format)
        embed_file(loaded, tmp_path / "text.txt", folder / "whole", output_format=output_format, **SETTINGS)
        assert merge_files(paths, folder / "merged") == (1, 2)
        assert (folder / "merged").read_bytes() == (folder / "whole").read_bytes()


def test_shares_that_do_not_make_a_whole_are_refused(loaded, texts, tmp_path):
    paths = embed_shares(loaded, texts, tmp_path / "shares", 3)
    out = tmp_path / "out"
    assert refused(merge_files, paths[:1] + paths[2:], out) == (f"{paths[0]} is one of 3 shares; shares missing: 1")
    copy = tmp_path / "copy"
    shutil.copy(paths[1], copy)
    assert f"{copy} has no copy.manifest.json beside it" in refused(merge_files, [*paths, copy], out)
    shutil.copy(f"{paths[1]}.manifest.json", f"{copy}.manifest.json")
    assert refused(merge_files, [*paths, copy], out) == (
        f"{copy} is share 1, and so is {paths[1]}; expected each share once"
    )
    for count, settings, name in ((3, {"layers": "top"}, "layers"), (4, {}, "num_shards")):
        embed_file(loaded, texts, copy, num_shards=count, shard_index=1, overwrite=True, **SETTINGS, **settings)
        message = refused(merge_files, [paths[0], copy, paths[2]], out)
        assert message == f"{copy} does not belong to {paths[0]}: they differ in {name}"
    paths[1].write_bytes(paths[1].read_bytes()[:-1])
    assert f"{paths[1]} is not complete: expected" in refused(merge_files, paths, out)
    paths[1].unlink()
    assert f"{paths[1]} cannot be read: No such file" in refused(merge_files, paths, out)
    assert "expected the outputs of elmo-tf embed with --num_shards, got none" in refused(merge_files, [], out)
    assert not out.exists()


def test_the_output_of_a_merge_is_a_new_file(loaded, texts, tmp_path):
    paths = embed_shares(loaded, texts, tmp_path / "shares", 2, layers="top")
    assert f"{paths[0]} is one of the shares" in refused(merge_files, paths, paths[0], overwrite=True)
    (tmp_path / "old").write_text("old")
    assert "exists; give --overwrite to replace it" in refused(merge_files, paths, tmp_path / "old")
    merge_files(paths, tmp_path / "old", overwrite=True)
    assert (tmp_path / "old").read_bytes() != b"old"
