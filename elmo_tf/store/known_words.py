"""Words whose vectors without context shall be looked up: a word list, or the file of vectors of `elmo-tf tokens`."""

import hashlib
import json
import os
import re
from collections.abc import Iterable
from typing import NamedTuple

import h5py
import numpy as np

from elmo_tf.data import text
from elmo_tf.errors import InputError
from elmo_tf.models.bilm import BiLM
from elmo_tf.system.input_files import check_readable

EMBEDDING, WORDS, DIGEST = "embedding", "words", "encoder_sha256"
"""The datasets of the file, and the attribute of its root that says which token encoder made the vectors."""

_WORD2VEC_HEADER = re.compile(r"\d+ \d+")
_UNREADABLE = (OSError, RuntimeError, ValueError, KeyError, TypeError, AttributeError)
"""The errors that h5py raises for a file that is damaged or holds something else."""


class KnownWords(NamedTuple):
    """Words, and their vectors where these are known already.

    Args:
        words: distinct words.
        vectors: float32 `(words, D)`; None if a model has to compute them.
        digest: the `encoder_digest` of the model that computed the vectors; None without vectors.
        source: the file that they came from; None for a list.
    """

    words: list[str]
    vectors: np.ndarray | None = None
    digest: str | None = None
    source: str | None = None

    def check(self, bilm: BiLM) -> None:
        """Raises an `InputError` if the vectors were made by another token encoder than that of the model."""
        if self.vectors is not None and self.digest != encoder_digest(bilm):
            raise InputError(
                f"{self.source} holds vectors of another model; expected those that elmo-tf tokens writes for this "
                "model",
                path=self.source,
            )

    def content_digest(self) -> str:
        """The SHA-256 of the words, and of the digest of the encoder that made their vectors."""
        return hashlib.sha256("\n".join([str(self.digest), *self.words]).encode("utf-8", "surrogatepass")).hexdigest()


def encoder_digest(bilm: BiLM) -> str:
    """The SHA-256 of everything that a word's vector without context depends on: the token encoder and its weights.

    It does not depend on the path of the model, the format in which it is stored, or the LSTM layers.

    >>> bilm = BiLM({"lstm": {"dim": 8, "projection_dim": 4}, "n_tokens_vocab": 4})
    >>> bilm.build(None)
    >>> len(encoder_digest(bilm))
    64
    """
    options = bilm.options.to_dict()
    found = hashlib.sha256(json.dumps(options.get("char_cnn"), sort_keys=True).encode() + lexicon_text(bilm))
    for variable in bilm.encoder.weights:
        values = np.ascontiguousarray(variable, np.float32)
        found.update(f"{values.shape}\n".encode())
        found.update(values.data if values.size else b"")
    return found.hexdigest()


def lexicon_text(bilm: BiLM) -> bytes:
    """The lexicons of a model of ELMoForManyLangs, whose arrays have rows by them; empty for other models."""
    return json.dumps(bilm.get_config()["lexicon_encoder"]).encode() if bilm.reads_words else b""


def known_words(given: Iterable[str] | str | os.PathLike[str]) -> KnownWords:
    """Reads the words that a caller names as `vocab_to_cache`.

    Args:
        given: words; or the path of a text file with a word a line, plain or .gz; or the path of an HDF5 file that
            `elmo-tf tokens` has written, which holds the vectors too.

    Raises:
        InputError: the file cannot be read, or is neither of the two.

    Example:

    >>> known_words(["a", "cat", "a"]).words
    ['a', 'cat']
    """
    if not isinstance(given, (str, os.PathLike)):
        return KnownWords(list(dict.fromkeys(given)))
    path = os.fspath(given)
    check_readable(path)
    if h5py.is_hdf5(path):
        return _read_vectors(path)
    words = [word for word in map(str.strip, text.iterate_lines(path)) if word]
    if words and _WORD2VEC_HEADER.fullmatch(words[0]):
        raise InputError(
            f"{path} is word2vec text; expected a word a line, or the hdf5 file of elmo-tf tokens", path=path
        )
    if not words:
        raise InputError(f"{path} is empty; expected a word a line", path=path)
    return KnownWords(list(dict.fromkeys(words)), source=path)


def _read_vectors(path: str) -> KnownWords:
    try:
        with h5py.File(path, "r") as file:
            digest = file.attrs.get(DIGEST)
            words = file[WORDS].asstr()[...].tolist()
            vectors = file[EMBEDDING][...].astype(np.float32)
    except _UNREADABLE as error:
        raise InputError(
            f"{path}: expected the datasets {EMBEDDING} and {WORDS} of elmo-tf tokens, got none that can be read",
            path=path,
        ) from error
    if digest is None:
        raise InputError(
            f"{path} does not say which model its vectors are of; expected a file of this release's elmo-tf tokens",
            path=path,
        )
    if vectors.ndim != 2 or len(words) != len(vectors):
        raise InputError(
            f"{path}: expected a vector for each of {len(words)} words, got an array of shape {vectors.shape}",
            path=path,
        )
    first = dict(zip(reversed(words), range(len(words) - 1, -1, -1), strict=True))  # the first place of each word
    distinct = list(dict.fromkeys(words))
    rows = vectors if len(distinct) == len(words) else vectors[[first[word] for word in distinct]]
    return KnownWords(distinct, rows, str(digest), path)
