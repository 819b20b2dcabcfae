"""A file of sentences to an HDF5 file of vectors."""

import os
from collections.abc import Callable

import h5py

from elmo_tf.data import text
from elmo_tf.errors import InputError
from elmo_tf.inference.length_batches import BATCH_TOKENS, embed_batches
from elmo_tf.inference.sentence_embedder import SentenceEmbedder
from elmo_tf.system.atomic_files import atomic_write


def embed_file(
    embed: SentenceEmbedder,
    input_file: str | os.PathLike[str],
    output_file: str | os.PathLike[str],
    batch_tokens: int = BATCH_TOKENS,
    progress: Callable[[int], None] | None = None,
) -> tuple[int, int]:
    """Embeds every line of a file into an HDF5 file, written whole or not at all.

    Args:
        embed: the model.
        input_file: a tokenised sentence a line, plain or .gz.
        output_file: gets for each line one float32 dataset `(L + 1, tokens, directions * D)`, under the line's number
            from 0; a blank line has 0 tokens.
        batch_tokens: tokens of a batch, padding included; a longer sentence is a batch of its own.
        progress: called after every batch with the number of lines that are written.

    Returns:
        The numbers of lines and of tokens.

    Raises:
        InputError: the input cannot be read, is not UTF-8 or is empty, or the output is the input or cannot be
            written.
    """
    input_file, output_file = os.fspath(input_file), os.fspath(output_file)
    if os.path.realpath(output_file) == os.path.realpath(input_file):
        raise InputError(f"{output_file} is the input; expected the name of a new file", path=output_file)
    lines = tokens = 0
    sentences = (line.split() for line in text.iterate_lines(input_file))
    try:
        # Through a file object: on a full disk h5py's own writing ends in errors that nobody can catch, or in a crash.
        with atomic_write(output_file) as temporary, open(temporary, "w+b") as raw, h5py.File(raw, "w") as file:
            for batch in embed_batches(embed, sentences, batch_tokens):
                for number, sentence, vectors in batch:
                    file.create_dataset(str(number), data=vectors)
                    lines, tokens = lines + 1, tokens + len(sentence)
                if progress is not None:
                    progress(lines)
            if not lines:
                raise InputError(f"{input_file} is empty: expected a tokenised sentence a line", path=input_file)
    except (OSError, SystemError) as error:  # h5py raises the second for a failed write from Python 3.13 on
        raise InputError(f"{output_file} cannot be written: {error}", path=output_file) from error
    return lines, tokens
