"""Small `ElmoLayer`s, whose weights are the same in each run, and batches for them."""

import numpy as np
import oracle
import tensorflow as tf
from layer_harness import randomise_weights
from model_cases import CHARACTERS, weights_of

from elmo_tf.data.characters import encode_words, shift_for_prediction
from elmo_tf.elmo.elmo_layer import ElmoLayer

LIMIT = CHARACTERS["char_cnn"]["max_characters_per_token"]

SENTENCES = [["The", "cat", "sat"], ["Hello"], ["日本", "the", "cat", "x" * 30, "!"], []]


def layer(options=CHARACTERS, seed=0, **arguments):
    """Makes a built layer with random values in all weights of the biLM and of the mixes."""
    made = ElmoLayer(options, **arguments)
    made.build(None)
    randomise_weights(made.bilm, seed)
    for number, mix in enumerate(made.mixes):
        randomise_weights(mix, seed + number + 1)
    made.refresh_cache()
    return made


def padded(sentences, width=None):
    """Puts sentences into an array of strings `(B, T)`, padded with "" at the end."""
    width = max(map(len, sentences)) if width is None else width
    rows = [[*words, *[""] * (width - len(words))] for words in sentences]
    return np.array(rows, dtype=object).reshape(len(sentences), width)


def ids_of(tokens, limit=LIMIT):
    """Computes the character ids of padded strings in the form of prediction: 1 to 261, padding 0."""
    ids = encode_words(list(tokens.ravel()), limit).reshape(*tokens.shape, limit)
    return shift_for_prediction(ids, tokens != "")


def layers_by_oracle(made, sentence, state=None):
    """Computes the layers of one sentence and its boundaries, `(L + 1, T + 2, size)`, and the state, in float64."""
    options = made.bilm.options.to_dict()
    ids = oracle.character_rows(["<S>", *sentence, "</S>"], LIMIT)[None]
    layers, state = oracle.bilm(weights_of(made.bilm), options, ids, None, state)
    return layers[0], state


def loops_of(function):
    """Counts the loops in the graph of a function of strings `(B, T)`, and in the functions that it calls."""
    traced = tf.function(function, input_signature=[tf.TensorSpec([None, None], tf.string)])
    return _loops_in(traced.get_concrete_function().graph)


def _loops_in(graph):
    operations = graph.get_operations()
    called = [op.get_attr("f").name for op in operations if op.type in ("PartitionedCall", "StatefulPartitionedCall")]
    loops = sum(op.type in ("While", "StatelessWhile") for op in operations)
    return loops + sum(_loops_in(graph._get_function(name).graph) for name in called)
