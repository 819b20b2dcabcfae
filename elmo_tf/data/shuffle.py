"""The order in which a direction of the model reads the sentences of a corpus: blocks in pools, shuffled by a seed."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from elmo_tf.data.corpus import Corpus
from elmo_tf.data.text_blocks import Block

POOL_BYTES = 16 << 20
"""Size of a pool. Blocks of all files are shuffled before, so that a pool is a sample of the whole corpus."""


@dataclass(frozen=True)
class Shuffle:
    """The order of a direction, a function of (seed, direction, epoch).

    The blocks of all files are shuffled and grouped into pools of some megabytes, and the sentences of each pool are
    shuffled.

    Args:
        corpus: the text.
        seed: the seed of the run.
        direction: 0 forward, 1 backward; each has another order.
        pool_bytes: size of a pool.
        gzip_in_order: whether the blocks of a .gz file stay in order, because it can be read from front to back alone.
    """

    corpus: Corpus
    seed: int
    direction: int
    pool_bytes: int = POOL_BYTES
    gzip_in_order: bool = True

    def pools(self, epoch: int) -> list[list[Block]]:
        """The pools of an epoch, each with its blocks."""
        runs = sequential_runs(self.corpus) if self.gzip_in_order else [[block] for block in self.corpus.blocks]
        order = self._random(epoch).permutation(len(runs))
        return group_into_pools(runs, order.tolist(), self.pool_bytes)

    def order(self, epoch: int, pool: int, sentences: int) -> np.ndarray:
        """The order of the sentences of a pool, a permutation of their numbers."""
        return self._random(epoch, pool).permutation(sentences)

    def _random(self, *numbers: int) -> np.random.Generator:
        seeds = np.random.SeedSequence([self.seed, self.direction, *numbers])
        return np.random.Generator(np.random.Philox(seeds))


def group_into_pools(runs: Sequence[list[Block]], order: Sequence[int], pool_bytes: int) -> list[list[Block]]:
    """Groups blocks into pools of about `pool_bytes`; the sentences of a pool are shuffled together.

    Args:
        runs: runs of blocks that stay in order.
        order: the order of the runs, a permutation of their indices.
        pool_bytes: size of a pool.
    """
    pools: list[list[Block]] = []
    filled = pool_bytes
    for block in (block for number in order for block in runs[number]):
        if filled >= pool_bytes:
            pools.append([])
            filled = 0
        pools[-1].append(block)
        filled += block.size
    return pools


def sequential_runs(corpus: Corpus) -> list[list[Block]]:
    """The runs of blocks that are read in order: all blocks of a .gz file are one run, each other block is one."""
    found: list[list[Block]] = []
    for block in corpus.blocks:
        if block.is_gzip and found and found[-1][0].path == block.path:
            found[-1].append(block)
        else:
            found.append([block])
    return found
