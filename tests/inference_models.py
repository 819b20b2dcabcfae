"""A language model with random weights and its vocabulary, for scores and substitutes."""

import numpy as np
import tiny

from elmo_tf.data.vocabulary import Vocabulary
from elmo_tf.models.language_model import LanguageModel

WORDS = Vocabulary(("<S>", "</S>", "<UNK>", *tiny.WORDS[:15]))


def made_model(**changes):
    """A small language model, its weights large enough for predictions to differ."""
    model = LanguageModel(tiny.options(n_tokens_vocab=len(WORDS), **changes), name="language_model")
    model.build()
    random = np.random.default_rng(0)
    for weight in model.weights:
        weight.assign(random.uniform(-0.7, 0.7, weight.shape))
    return model


def log_softmax(values):
    """Logarithms of the softmax over the last axis, by NumPy."""
    values = values - values.max(-1, keepdims=True)
    return values - np.log(np.exp(values).sum(-1, keepdims=True))
