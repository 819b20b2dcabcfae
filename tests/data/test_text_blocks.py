"""Blocks that are read after a corpus was scanned; a file that has changed since is refused."""

import gzip

import pytest
from text_files import NUMBERS, PACKINGS, cut_short, damaged, lines_of, written

from elmo_tf.data import text
from elmo_tf.data.corpus import Corpus
from elmo_tf.data.text_blocks import BlockReader
from elmo_tf.errors import InputError


@PACKINGS
@pytest.mark.parametrize(
    "changed",
    [
        b"a b\nc d\n",
        b"a b\nc\ne\n",
        b"",
        b"a b\nc d\n\xff\xff\n",
        b"a b c d e\n\n",
        b"a b\nc d e \xe6\x97",
        b"a b\nc f\ne\n\n",
    ],
    ids=["shorter", "fewer words", "empty", "no longer UTF-8", "fewer sentences", "cut in a character", "same counts"],
)
def test_a_file_that_changed_after_the_scan_is_refused(tmp_path, pack, changed):
    paths = written(tmp_path, b"a b\nc d\ne\n\n", pack=pack)
    (block,) = Corpus.scan(paths).blocks
    written(tmp_path, changed, pack=pack)
    with pytest.raises(InputError, match=r"0\.txt has changed while it was in use") as caught:
        BlockReader().lines(block)
    assert "\n" not in str(caught.value)


@PACKINGS
def test_a_file_that_is_gone_after_the_scan_is_refused(tmp_path, pack):
    paths = written(tmp_path, b"a\n", pack=pack)
    (block,) = Corpus.scan(paths).blocks
    (tmp_path / "0.txt").unlink()
    with pytest.raises(InputError, match=r"0\.txt cannot be read: No such file"):
        BlockReader().lines(block)


@pytest.mark.parametrize("damage", [cut_short, damaged])
def test_a_gzip_file_that_broke_after_the_scan_is_refused(tmp_path, damage):
    path = tmp_path / "0.gz"
    path.write_bytes(gzip.compress(NUMBERS))
    blocks = Corpus.scan([str(path)], 1000).blocks
    path.write_bytes(damage(gzip.compress(NUMBERS)))
    with pytest.raises(InputError, match=r"0\.gz (cannot be read|has changed)"):  # here it seeks over the damage
        BlockReader().lines(blocks[-1])


def test_a_gzip_file_read_in_order_is_opened_once(tmp_path, monkeypatch):
    paths = written(tmp_path, b"a b c\n" * 50, b"d e f\n" * 50, pack=gzip.compress)
    blocks = Corpus.scan(paths, 30).blocks
    assert len(blocks) > 10
    opened = []
    monkeypatch.setattr(
        "elmo_tf.data.text_blocks.open_bytes", lambda path: opened.append(path) or text.open_bytes(path)
    )
    assert lines_of(blocks) == ["a b c"] * 50 + ["d e f"] * 50
    assert opened == paths
