"""The core of all inference: distinct words -> their vectors, in bounded parts -> gather -> the layers of the biLM.

`ElmoLayer`, `SentenceEmbedder` and all code that embeds or scores with them use this module. `read_sentences` performs
all the steps. `contextualize` starts from the vectors of the words, so that a caller can keep the vectors of frequent
words in a cache of its own.
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
        word_vectors: the encoder of distinct words that belongs to the model.
        sentences: the batch of sentences.
        initial_state: the LSTM states before the first step; zeros if None.
        is_trained: whether gradients flow back through the result. If the character CNN is trained too, the gradients
            need its activations for every word, so its memory is bounded only without them.

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
    """Contextualizes rows of words whose vectors have been computed.

    Args:
        bilm: the model.
        vectors: the vectors `(U, D)` of U distinct words.
        index: int32 `(B, S)`: for each step, including the boundaries, the row of its word in `vectors`.
        lengths: int32 `(B,)`: the number of steps in each row; the steps after them are padding.
        initial_state: the LSTM states before the first step; zeros if None.

    Returns:
        The layers `(B, L + 1, S, directions * D)` and the states after the batch.
    """
    is_read = tf.sequence_mask(lengths, tf.shape(index)[1])
    return bilm.contextualize(tf.gather(vectors, index), mask=is_read, initial_state=initial_state)
