"""Fills the table of words whose vectors are looked up with the vectors of a file."""

import numpy as np
import tensorflow as tf

from elmo_tf.inference.word_vectors import WordVectors, encode_characters
from elmo_tf.models.bilm import BiLM
from elmo_tf.store.known_words import KnownWords


def fill_word_table(word_vectors: WordVectors, bilm: BiLM, known: KnownWords) -> None:
    """Fills the table with the vectors of a file. Only the boundaries are computed, where the file does not hold them.

    Args:
        word_vectors: made with `vocab_to_cache=known.words`; its table is built already, with any values.
        bilm: the model, with its weights.
        known: the words with their vectors.

    Raises:
        InputError: the vectors were made by another model.
    """
    table = word_vectors.cache
    if table is None or known.vectors is None:
        raise ValueError("known: expected words with vectors, and a table for them, got none")
    known.check(bilm)
    places = {word: place for place, word in enumerate(known.words)}
    rows = np.empty((len(table.words), known.vectors.shape[1]), np.float32)
    rows[[word in places for word in table.words]] = known.vectors[[places[w] for w in table.words if w in places]]
    missing = [word for word in table.words if word not in places]
    if missing:
        spelled = word_vectors.spell(tf.constant([word.encode() for word in missing]))
        rows[[word not in places for word in table.words]] = encode_characters(bilm.encoder, spelled).numpy()
    table.vectors.assign(rows)
