"""The core of inference on padded batches: distinct words -> vectors, in bounded parts -> gather -> the biLM's layers.

`read_sentences` performs all the steps, for `ElmoLayer` and what is served from it. `SentenceEmbedder` computes the
same vectors without padding, by `elmo_tf.inference.packed_sentences`, which the tests compare with this module.
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
    is_read = tf.sequence_mask(sentences.lengths, tf.shape(sentences.index)[1])
    layers, state = bilm.contextualize(tf.gather(vectors, sentences.index), mask=is_read, initial_state=initial_state)
    if not is_trained:
        layers, state = tf.nest.map_structure(tf.stop_gradient, (layers, state))
    return layers, state
