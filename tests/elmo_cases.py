"""Small `ElmoLayer`s with weights that are the same in each run, and batches for them."""

import numpy as np
import oracle
from layer_harness import randomise_weights
from model_cases import CHARACTERS, weights_of

from elmo_tf.data.characters import encode_words, shift_for_prediction
from elmo_tf.elmo.elmo_layer import ElmoLayer

LIMIT = CHARACTERS["char_cnn"]["max_characters_per_token"]

SENTENCES = [["The", "cat", "sat"], ["Hello"], ["日本", "the", "cat", "x" * 30, "!"], []]


def layer(options=CHARACTERS, seed=0, **arguments):
    """A built layer, every weight of the biLM and of the mixes with a number of its own."""
    made = ElmoLayer(options, **arguments)
    made.build(None)
    randomise_weights(made.bilm, seed)
    for number, mix in enumerate(made.mixes):
        randomise_weights(mix, seed + number + 1)
    made.refresh_cache()
    return made


def padded(sentences, width=None):
    """Strings `(B, T)`, "" behind each sentence."""
    width = max(map(len, sentences)) if width is None else width
    rows = [[*words, *[""] * (width - len(words))] for words in sentences]
    return np.array(rows, dtype=object).reshape(len(sentences), width)


def ids_of(tokens, limit=LIMIT):
    """Character ids of padded strings in the form of prediction."""
    ids = encode_words(list(tokens.ravel()), limit).reshape(*tokens.shape, limit)
    return shift_for_prediction(ids, tokens != "")


def layers_by_oracle(made, sentence, state=None):
    """The biLM's layers of one sentence `(L + 1, T + 2, size)` with its boundaries, and the state, in float64."""
    options = made.bilm.options.to_dict()
    ids = oracle.character_rows(["<S>", *sentence, "</S>"], LIMIT)[None]
    layers, state = oracle.bilm(weights_of(made.bilm), options, ids, None, state)
    return layers[0], state
