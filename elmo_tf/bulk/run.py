"""Runs the embedding of a share of the input: embeds each block while the block before it is being written."""

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np

from elmo_tf.bulk.blocks import Block, Place, Share
from elmo_tf.bulk.join import join
from elmo_tf.bulk.parts import Part, Parts
from elmo_tf.bulk.progress import Progress
from elmo_tf.bulk.settings import EmbedSettings
from elmo_tf.bulk.vector_file import VectorFile
from elmo_tf.data.vocabulary import BEGIN_SENTENCE, END_SENTENCE


class Run:
    """One run that embeds a share of the input.

    Args:
        share: the share of the input.
        embed: a function that computes the vectors of the sentences of a block.
        settings: the settings that say what to compute and how to write it.
        progress: a function that is called after every block that has been written.
    """

    def __init__(
        self,
        share: Share,
        embed: Callable[[list[list[str]]], list[np.ndarray]],
        settings: EmbedSettings,
        progress: Callable[[Progress], None] | None = None,
    ) -> None:
        self._share, self._embed, self._settings, self._progress = share, embed, settings, progress
        self.lines = self.tokens = self._tokens_now = 0

    def write_all(self, file: VectorFile) -> None:
        """Embeds the share directly into an open file, without parts."""
        for block, vectors in self._embedded(None):
            self._fill(file, block, vectors)
            self._count(block)
        self._check_lines()

    def write_parts(self, output_file: str, identity: Mapping[str, Any]) -> None:
        """Embeds the blocks that have no finished part yet, and joins all parts into the output.

        Args:
            output_file: the path of the output, which appears when everything is embedded.
            identity: the identity of the run, from `elmo_tf.bulk.fingerprint.identity`. If it differs from that of the
                parts on disk, an `InputError` is raised. If it contains None, because the model or the input is not
                known, the parts are removed when the run ends: no later run could resume from them.
        """
        parts = Parts(output_file, self._settings, identity)
        is_known = None not in identity.values()
        try:
            self._write_missing(parts)
            self._check_lines()
            self._join(parts, output_file, {**identity, "lines": self.lines, "tokens": self.tokens})
        except BaseException:  # also on Ctrl-C
            if is_known:
                parts.remove_if_empty()
            else:
                parts.remove()
            raise
        parts.remove()

    def _join(self, parts: Parts, output_file: str, manifest: Mapping[str, Any]) -> None:
        paths = [part.path for part in parts.finished()]
        own_manifest = manifest if self._share.num_shards > 1 else None
        join(paths, output_file, self._settings, own_manifest, temporary_folder=parts.folder)

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
        """Waits until a part has been written; raises the error of the writing thread, if there was one."""
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
