"""Embeds files of sentences into a file of vectors, in parts, so that a run that was killed can be resumed."""

import os
from collections.abc import Callable, Sequence
from typing import Any

from elmo_tf.bulk.blocks import Share
from elmo_tf.bulk.embed import BlockEmbedder, embedder_of
from elmo_tf.bulk.fingerprint import identity
from elmo_tf.bulk.formats import check_installed, open_vector_file
from elmo_tf.bulk.input_text import STANDARD_INPUT
from elmo_tf.bulk.parts import only_writer, remove_parts
from elmo_tf.bulk.progress import Embedded, Progress
from elmo_tf.bulk.run import Run
from elmo_tf.bulk.settings import EmbedSettings
from elmo_tf.bulk.text_vectors import STANDARD_OUTPUT
from elmo_tf.errors import InputError
from elmo_tf.system.atomic_files import check_output


def embed_file(
    model: Any,
    input_file: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    output_file: str | os.PathLike[str],
    batch_tokens: int = EmbedSettings.batch_tokens,
    progress: Callable[[Progress], None] | None = None,
    *,
    num_shards: int = 1,
    shard_index: int = 0,
    overwrite: bool = False,
    **settings: Any,
) -> Embedded:
    """Embeds every sentence of a text into a file, which is written completely or not at all.

    The text is embedded block by block. The vectors of each block are kept in the folder `OUTPUT.parts` until all
    blocks are embedded; then they are joined. If a run is killed, a run with the same settings embeds only the blocks
    that are missing, and its output has the same bytes as that of an uninterrupted run. A run that reads a stream, or
    whose model is given as an embedder, cannot be resumed: its parts are removed when it ends.

    Args:
        model: a model's folder, file or published name; or a `LoadedBiLM`; or a `SentenceEmbedder`.
        input_file: text with one tokenised sentence per line, or CoNLL-U; plain or .gz; "-" for standard input. A list
            of files is read as one text, in the order of the list.
        output_file: the file for the vectors of each sentence, in order; a blank line is a sentence of 0 tokens. "-" is
            standard output, which only the output format "txt" allows.
        batch_tokens: the most tokens in a batch, including padding; a longer sentence is a batch of its own.
        progress: a function that is called after every block.
        num_shards: the number of shares into which the text is divided. If there is more than one, a manifest
            `OUTPUT.manifest.json` describes this share for `elmo_tf.bulk.merge_files.merge_files`.
        shard_index: the number of the share to embed, from 0.
        overwrite: whether to replace an output that exists, and to discard the parts of an unfinished run.
        settings: further fields of `elmo_tf.bulk.settings.EmbedSettings`, for example `layers="top"`.

    Returns:
        The numbers of sentences and of tokens in the output.

    Raises:
        InputError: the input cannot be read, is not UTF-8 or is empty; or the output is one of the input files, exists,
            is being written by another process or cannot be written; or a setting does not fit.
    """
    chosen = EmbedSettings(batch_tokens=batch_tokens, **settings)
    check_installed(chosen)
    output_file = os.fspath(output_file)
    share = Share(_paths(input_file), chosen.input_format, chosen.block_bytes, num_shards, shard_index)
    share.check_output(output_file)
    if share.is_empty_input:
        raise share.empty()
    if output_file != STANDARD_OUTPUT:
        check_output(output_file, overwrite)
    elif chosen.output_format != "txt" or num_shards > 1:
        raise InputError(
            "output_file: expected the output format txt, and one share, with standard output", option="output_file"
        )
    embedder = embedder_of(model, chosen)
    chosen = chosen.with_mix_of(embedder.weights_file)
    run = Run(share, BlockEmbedder(embedder, chosen), chosen, progress)
    if output_file == STANDARD_OUTPUT:
        with open_vector_file(output_file, chosen) as file:
            run.write_all(file)
    else:
        with only_writer(output_file):
            if overwrite:
                remove_parts(output_file)
            run.write_parts(output_file, identity(share, embedder.loaded, chosen))
    return Embedded(run.lines, run.tokens)


def _paths(given: str | os.PathLike[str] | Sequence[str | os.PathLike[str]]) -> list[str]:
    paths = [os.fspath(path) for path in ([given] if isinstance(given, (str, os.PathLike)) else given)]
    if not paths or (STANDARD_INPUT in paths and len(paths) > 1):
        raise InputError(
            f"input_file: expected files, or - alone for standard input, got {', '.join(paths) or 'none'}",
            option="input_file",
        )
    return paths
