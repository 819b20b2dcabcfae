"""One run over a share of the input: block after block, each embedded while the one before it is written."""

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np

from elmo_tf.bulk.blocks import Block, Place, Share
from elmo_tf.bulk.embed import BlockEmbedder
from elmo_tf.bulk.join import join
from elmo_tf.bulk.parts import Part, Parts
from elmo_tf.bulk.settings import EmbedSettings
from elmo_tf.bulk.vector_file import VectorFile
from elmo_tf.data.vocabulary import BEGIN_SENTENCE, END_SENTENCE


class Progress(NamedTuple):
    """How far a run is.

    Args:
        lines: sentences embedded, those of an earlier run counted.
        tokens: of these sentences.
        tokens_now: of the sentences that this run has embedded itself.
        bytes_read: of the input, as it lies on disk.
        bytes_total: of the input; None of a stream.
    """

    lines: int
    tokens: int
    tokens_now: int
    bytes_read: int
    bytes_total: int | None


class Run:
    """Embeds a share.

    Args:
        share: the input.
        embed: the model.
        settings: what to compute and to write.
        progress: called after every block that is written.
    """

    def __init__(
        self,
        share: Share,
        embed: BlockEmbedder,
        settings: EmbedSettings,
        progress: Callable[[Progress], None] | None = None,
    ) -> None:
        self._share, self._embed, self._settings, self._progress = share, embed, settings, progress
        self.lines = self.tokens = self._tokens_now = 0

    def write_all(self, file: VectorFile) -> None:
        """Embeds the share straight into a file."""
        for block, vectors in self._embedded(None):
            self._fill(file, block, vectors)
            self._count(block)
        self._check_lines()

    def write_parts(self, output_file: str, identity: Mapping[str, Any]) -> None:
        """Embeds into parts what is not embedded yet, and joins them.

        Args:
            output_file: the file that appears at the end.
            identity: what the run is of; that of another one refuses its parts. Without a model or an input known, the
                parts go when the run ends, for none can go on from them.
        """
        parts = Parts(output_file, self._settings, identity)
        is_known = None not in identity.values()
        try:
            self._write_missing(parts)
            self._check_lines()
            manifest = {**identity, "lines": self.lines, "tokens": self.tokens}
            paths = [part.path for part in parts.finished()]
            join(paths, output_file, self._settings, manifest if self._share.num_shards > 1 else None)
        except BaseException:  # also on Ctrl-C
            if is_known:
                parts.remove_if_empty()
            else:
                parts.remove()
            raise
        parts.remove()

    def _write_missing(self, parts: Parts) -> None:
        finished = parts.finished()
        for part in finished:
            self.lines, self.tokens = self.lines + part.lines, self.tokens + part.tokens
        with ThreadPoolExecutor(1) as pool:
            writing: tuple[Block, Future[None]] | None = None
            for block, vectors in self._embedded(finished):
                self._wait(writing)
                writing = block, pool.submit(self._write_part, parts, block, vectors)
            self._wait(writing)

    def _wait(self, writing: tuple[Block, "Future[None]"] | None) -> None:
        """Waits until a part is written, and raises what happened there."""
        if writing is not None:
            block, future = writing
            future.result()
            self._count(block)

    def _write_part(self, parts: Parts, block: Block, vectors: list[np.ndarray]) -> None:
        with parts.write(block.place, len(block.sentences), sum(map(len, block.sentences))) as file:
            self._fill(file, block, vectors)

    def _fill(self, file: VectorFile, block: Block, vectors: list[np.ndarray]) -> None:
        for tokens, array in zip(block.sentences, vectors, strict=True):
            file.add([BEGIN_SENTENCE, *tokens, END_SENTENCE] if self._settings.keep_boundaries else tokens, array)

    def _embedded(self, finished: list[Part] | None) -> Iterator[tuple[Block, list[np.ndarray]]]:
        done: Place | None = finished[-1].place if finished else None
        for block in self._share.blocks(done):
            yield block, self._embed(block.sentences)

    def _count(self, block: Block) -> None:
        tokens = sum(map(len, block.sentences))
        self.lines, self.tokens = self.lines + len(block.sentences), self.tokens + tokens
        self._tokens_now += tokens
        if self._progress is not None:
            share = self._share
            self._progress(Progress(self.lines, self.tokens, self._tokens_now, share.bytes_read, share.bytes_total))

    def _check_lines(self) -> None:
        if not self.lines and self._share.num_shards == 1:
            raise self._share.empty()
