"""Files of sentences to a file of vectors, in parts from which a run that was killed goes on."""

import os
from collections.abc import Callable, Sequence
from typing import Any

from elmo_tf.bulk.blocks import Share
from elmo_tf.bulk.embed import BlockEmbedder, embedder_of
from elmo_tf.bulk.fingerprint import identity
from elmo_tf.bulk.formats import check_installed, open_vector_file
from elmo_tf.bulk.input_text import STANDARD_INPUT
from elmo_tf.bulk.join import check_output
from elmo_tf.bulk.parts import remove_parts
from elmo_tf.bulk.progress import Embedded, Progress
from elmo_tf.bulk.run import Run
from elmo_tf.bulk.settings import EmbedSettings
from elmo_tf.bulk.text_vectors import STANDARD_OUTPUT
from elmo_tf.errors import InputError


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
    """Embeds every sentence of a text into a file, written whole or not at all.

    The text is embedded block by block. Each block's vectors lie in `OUTPUT.parts` until all are there and are joined;
    a run of the same settings that finds some of them goes on behind them, and its output has the same bytes. A run
    from a stream, or with a model that is given as an embedder, cannot go on: its parts go when it ends.

    Args:
        model: a model's folder, file or published name; or a `LoadedBiLM`; or a `SentenceEmbedder`.
        input_file: text, a tokenised sentence a line, or CoNLL-U; plain or .gz; "-" for standard input; or several, one
            behind the other.
        output_file: gets the vectors of each sentence, in order; a blank line is a sentence of 0 tokens. "-" is
            standard output, with the output format "txt" alone.
        batch_tokens: tokens of a batch, padding counted; a longer sentence is a batch of its own.
        progress: called after every block.
        num_shards: into how many shares the text is divided; with more than one a manifest `OUTPUT.manifest.json` says
            which share this is, for `elmo_tf.bulk.merge_files.merge_files`.
        shard_index: which share to embed, from 0.
        overwrite: whether to replace an output that exists, and to start over where parts of it do.
        settings: those of `elmo_tf.bulk.settings.EmbedSettings`: `layers="top"`, for one.

    Returns:
        Numbers of sentences and of tokens.

    Raises:
        InputError: the input cannot be read, is not UTF-8 or is empty; or the output is the input, exists or cannot be
            written; or a setting does not fit.
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
    embedder = embedder_of(model)
    chosen = chosen.with_mix_of(embedder.weights_file)
    run = Run(share, BlockEmbedder(embedder, chosen), chosen, progress)
    if output_file == STANDARD_OUTPUT:
        with open_vector_file(output_file, chosen) as file:
            run.write_all(file)
    else:
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
