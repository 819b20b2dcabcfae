"""`SentenceReader`: a Keras layer that reads batches of sentences by a biLM; the base of `ElmoLayer`."""

import warnings
from collections.abc import Iterable, Sequence
from typing import Any

import keras
import tensorflow as tf

from elmo_tf.elmo.inputs import form_of, from_lists, is_token, only_tokens_with_spaces, tokens_of
from elmo_tf.elmo.token_mask import Places, places_of
from elmo_tf.inference.contextualize import read_sentences
from elmo_tf.inference.distinct_words import Sentences, sentences_of_batch
from elmo_tf.inference.word_vectors import WordVectors, is_frozen
from elmo_tf.models.bilm import BiLM
from elmo_tf.models.state import BiLMState


class SentenceReader(keras.layers.Layer):
    """A layer that reads batches of sentences, strings or character ids, by a biLM.

    A subclass makes the biLM, then layers of its own, and last the words, by `_make_words`: saved weights are in the
    order in which the layers were made.

    Args:
        kwargs: the arguments of every Keras layer.
    """

    bilm: BiLM
    words: WordVectors

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._fill_cache = True
        self._warns_of_spaces = True

    def _make_words(self, vocabulary: Sequence[str] | None, vocab_to_cache: Iterable[str] | None) -> WordVectors:
        """Makes the layer that computes the vectors of words; the arguments are those of `ElmoLayer`."""
        words = WordVectors(
            self.bilm.options,
            vocabulary,
            vocab_to_cache,
            self.bilm.reads_words,
            self.bilm.boundaries,
            name="words",
            dtype=self.dtype_policy,
        )
        self._check_cache(words)
        return words

    def __call__(self, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        """Turns Python lists of tokens into tensors, which Keras requires, and then calls the layer."""
        tokens = from_lists(inputs, form_of(self.words.max_characters))
        if self._warns_of_spaces and only_tokens_with_spaces(tokens):
            self._warns_of_spaces = False
            warnings.warn(
                "inputs: every token of the batch holds a space, as sentences that are not split into tokens do; "
                "a sentence is a row of tokens",
                stacklevel=2,
            )
        return super().__call__(tokens, *args, **kwargs)

    def read(
        self,
        inputs: Any,
        mask: tf.Tensor | None = None,
        initial_state: BiLMState | None = None,
        keep_boundaries: bool = False,
    ) -> tuple[tf.Tensor, Sentences, Places, BiLMState]:
        """Computes the biLM's layers.

        Returns:
            The layers `(B, L + 1, S, size)`, the sentences as the biLM reads them, the places at which the steps of
            the layers belong in the result, and the LSTM states after the batch.
        """
        self._check_cache(self.words)
        tokens = tokens_of(inputs, self.words.max_characters)
        present = is_token(tokens, mask)
        sentences = sentences_of_batch(tokens, present, self.bilm.boundaries)
        is_trained = not is_frozen(self.bilm)
        layers, state = read_sentences(self.bilm, self.words, sentences, initial_state, is_trained)
        return layers, sentences, places_of(present, keep_boundaries), state

    def refresh_cache(self) -> None:
        """Computes the table of `vocab_to_cache` again; call it after assigning weights of the biLM by hand."""
        self.words.refresh(self.bilm.encoder)

    def _check_cache(self, words: WordVectors) -> None:
        if words.cached_words is not None and (self.bilm.trainable or not is_frozen(self.bilm)):
            raise ValueError(
                "vocab_to_cache: expected None where the biLM is trained, for its words' vectors change, got "
                f"{len(words.cached_words)} words"
            )

    def zero_state(self, batch_size: int | tf.Tensor) -> BiLMState:
        """The LSTM states at the start of a text, for `initial_state`."""
        return self.bilm.zero_state(batch_size)
