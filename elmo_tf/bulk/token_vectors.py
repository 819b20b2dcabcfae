"""Computes and writes the context-free vectors of a list of words, like bilm-tf's `dump_token_embeddings`."""

import os
from collections.abc import Callable, Iterator, Sequence

import h5py
import numpy as np

from elmo_tf.bulk.projector import write_projector
from elmo_tf.data.characters import encode_words
from elmo_tf.data.vocabulary import Vocabulary
from elmo_tf.errors import InputError
from elmo_tf.inference.word_vectors import WORDS_TOGETHER, encode_characters
from elmo_tf.models.bilm import BiLM
from elmo_tf.store.known_words import DIGEST, EMBEDDING, WORDS, encoder_digest
from elmo_tf.system.atomic_files import atomic_write

FORMATS = ("hdf5", "word2vec", "projector")

_PROJECTOR_NAME = "words without context"
"""The name that TensorBoard shows beside the vectors."""

WORDS_AT_ONCE = WORDS_TOGETHER
"""The number of words that are encoded in one call, which bounds the memory."""


def token_vectors(
    bilm: BiLM, words: Sequence[str], vocabulary: Vocabulary | None = None
) -> Iterator[tuple[Sequence[str], np.ndarray]]:
    """Yields the vectors that the token encoder computes for words, up to `WORDS_AT_ONCE` words at a time.

    Args:
        bilm: the model, with its weights loaded.
        words: the words, such as those of a vocabulary; `<S>` and `</S>` get the vectors of the sentence boundaries,
            or `<bos>` and `<eos>` in a model of ELMoForManyLangs.
        vocabulary: the vocabulary of the model; needed for a model that reads word ids.

    Yields:
        Some of the words, and their float32 vectors `(words, D)`.

    Raises:
        ValueError: the model reads word ids, and `vocabulary` is None.

    Example:

    >>> bilm = BiLM({"lstm": {"dim": 8, "projection_dim": 4}, "n_tokens_vocab": 4})
    >>> [(some, found.shape) for some, found in token_vectors(bilm, ["a"], Vocabulary(("<S>", "</S>", "<UNK>", "a")))]
    [(['a'], (1, 4))]
    """
    char_cnn = bilm.options.char_cnn
    if bilm.reads_word_ids and vocabulary is None:
        raise ValueError("vocabulary: expected one, for the model reads word ids, got None")
    for start in range(0, len(words), WORDS_AT_ONCE):
        part = words[start : start + WORDS_AT_ONCE]
        if bilm.reads_words:
            vectors = encode_characters(
                bilm.encoder, np.array([word.encode("utf-8", "ignore") for word in part], object)
            )
        elif char_cnn is not None:
            ids = encode_words(part, char_cnn.max_characters_per_token)
            vectors = encode_characters(bilm.encoder, ids)
        elif vocabulary is not None:
            vectors = bilm.encoder(np.array([vocabulary[word] for word in part], np.int32))
        yield part, np.asarray(vectors, np.float32)


def write_token_vectors(
    bilm: BiLM,
    words: Sequence[str],
    output_file: str | os.PathLike[str],
    output_format: str = "hdf5",
    vocabulary: Vocabulary | None = None,
    progress: Callable[[int], None] | None = None,
    overwrite: bool = False,
) -> None:
    """Writes the context-free vectors of words to a file or a folder, which is written completely or not at all.

    Args:
        bilm, words, vocabulary: the arguments of `token_vectors`.
        output_file: the path of the file, which is replaced if it exists; for "projector" that of the folder.
        output_format: "hdf5" writes the dataset `embedding` `(words, D)`, which bilm-tf reads as its
            `embedding_weight_file`, the dataset `words`, and a digest of the token encoder, by which
            `vocab_to_cache` recognises the vectors of another model. "word2vec" writes the text format that gensim
            reads: a line with the number of words and D, then one line per word. "projector" writes a folder that
            TensorBoard's embedding projector shows, or adds its files to a folder, such as that of a run's events.
        progress: a function that is called with the number of words written so far.
        overwrite: whether files of the projector that the folder holds are replaced.

    Raises:
        InputError: `output_format` is not one of `FORMATS`, `words` is empty, the file cannot be written, or the folder
            holds files of the projector.
        ValueError: the model reads word ids, and `vocabulary` is None.
    """
    if output_format not in FORMATS:
        raise InputError(f"output_format: expected one of {', '.join(FORMATS)}, got {output_format!r}")
    if not words:
        raise InputError("words: expected a word or more, got none")
    if not bilm.built:
        bilm.build(None)
    size = bilm.options.lstm.projection_dim

    def parts() -> Iterator[tuple[Sequence[str], np.ndarray]]:
        done = 0
        for part, vectors in token_vectors(bilm, words, vocabulary):
            yield part, vectors
            done += len(part)
            if progress is not None:
                progress(done)

    if output_format == "projector":
        write_projector(os.fspath(output_file), (len(words), size), parts(), _PROJECTOR_NAME, overwrite)
        return
    with atomic_write(output_file) as temporary:
        if output_format == "hdf5":
            _write_hdf5(temporary, (len(words), size), parts(), encoder_digest(bilm))
        else:
            _write_word2vec(temporary, (len(words), size), parts())


def _write_hdf5(
    path: str, shape: tuple[int, int], parts: Iterator[tuple[Sequence[str], np.ndarray]], digest: str
) -> None:
    with open(path, "w+b") as raw, h5py.File(raw, "w") as file:
        file.attrs[DIGEST] = digest
        embedding = file.create_dataset(EMBEDDING, shape, np.float32)
        words = file.create_dataset(WORDS, shape[:1], h5py.string_dtype())
        start = 0
        for part, vectors in parts:
            end = start + len(part)
            embedding[start:end] = vectors
            words[start:end] = list(part)
            start = end


def _write_word2vec(path: str, shape: tuple[int, int], parts: Iterator[tuple[Sequence[str], np.ndarray]]) -> None:
    with open(path, "w", encoding="utf-8", newline="\n") as file:
        file.write(f"{shape[0]} {shape[1]}\n")
        for part, vectors in parts:
            for word, vector in zip(part, vectors, strict=True):
                file.write(f"{word} {' '.join(format(value, '.8g') for value in vector.tolist())}\n")
