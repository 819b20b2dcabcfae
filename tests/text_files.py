"""Text files for tests of a corpus and of its blocks: plain, packed and damaged ones."""

import gzip

import pytest

from elmo_tf.data.text_blocks import BlockReader

PACKINGS = pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "packed"])

NUMBERS = "".join(f"line {number} {number * 7919 % 1009}\n" for number in range(3000)).encode()
"""Three thousand different lines, which gzip cannot make very small."""


def written(folder, *contents, pack=bytes):
    """Writes files with these contents; returns their paths."""
    paths = [folder / f"{number}.txt" for number in range(len(contents))]
    for path, content in zip(paths, contents, strict=True):
        path.write_bytes(pack(content))
    return list(map(str, paths))


def lines_of(blocks):
    """The sentences of blocks, read by one reader in the order of the blocks."""
    reader = BlockReader()
    lines = [line.strip() for block in blocks for line in reader.lines(block)]
    reader.close()
    return lines


def cut_short(packed):
    return packed[: len(packed) // 2]


def damaged(packed):
    return packed[:40] + b"\xff" * 40 + packed[80:]
