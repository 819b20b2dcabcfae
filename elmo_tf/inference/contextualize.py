"""The core of all inference: distinct words -> vectors in bounded parts -> gather -> the biLM's layers.

`ElmoLayer`, `SentenceEmbedder` and whoever embeds or scores by them goes through here. `read_sentences` does all of it.
`contextualize` begins with vectors, so that a caller may keep those of frequent words in a table of its own.
"""

import tensorflow as tf

from elmo_tf.inference.distinct_words import Sentences
from elmo_tf.inference.word_vectors import WordVectors, is_frozen
from elmo_tf.models.bilm import BiLM
from elmo_tf.models.state import BiLMState


def read_sentences(
    bilm: BiLM,
    word_vectors: WordVectors,
    sentences: Sentences,
    initial_state: BiLMState | None = None,
    is_trained: bool = False,
) -> tuple[tf.Tensor, BiLMState]:
    """Encodes each distinct word of a batch once, and contextualizes the sentences.

    Args:
        bilm: the model.
        word_vectors: of the model.
        sentences: the batch.
        initial_state: states to begin with; zero if left out.
        is_trained: whether gradients pass. They need what every word leaves in a trained character CNN, whose memory is
            bounded only without them.

    Returns:
        The layers `(B, L + 1, S, directions * D)` and the states after the batch.
    """
    vectors = word_vectors.encode(sentences.words, bilm.encoder, is_trained and not is_frozen(bilm.encoder))
    layers, state = contextualize(bilm, vectors, sentences.index, sentences.lengths, initial_state)
    if not is_trained:
        layers, state = tf.nest.map_structure(tf.stop_gradient, (layers, state))
    return layers, state


def contextualize(
    bilm: BiLM, vectors: tf.Tensor, index: tf.Tensor, lengths: tf.Tensor, initial_state: BiLMState | None = None
) -> tuple[tf.Tensor, BiLMState]:
    """Reads rows of words whose vectors are known.

    Args:
        bilm: the model.
        vectors: `(U, D)`, by word.
        index: int32 `(B, S)`: the word at each step, the boundaries included.
        lengths: int32 `(B,)`: the steps of each row; those behind are padding.
        initial_state: states to begin with; zero if left out.

    Returns:
        As `read_sentences`.
    """
    is_read = tf.sequence_mask(lengths, tf.shape(index)[1])
    return bilm.contextualize(tf.gather(vectors, index), mask=is_read, initial_state=initial_state)
