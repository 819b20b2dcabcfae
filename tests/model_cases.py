"""The options that whole models are tested with, and functions that set and return a model's weights."""

import copy

import numpy as np

from elmo_tf.models.weight_names import named_variables

CHARACTERS = {
    "lstm": {
        "dim": 6,
        "projection_dim": 4,
        "n_layers": 2,
        "cell_clip": 3,
        "proj_clip": 3,
        "use_skip_connections": True,
    },
    "char_cnn": {
        "activation": "relu",
        "embedding": {"dim": 5},
        "filters": [[1, 3], [2, 4], [3, 2]],
        "n_highway": 1,
        "max_characters_per_token": 9,
    },
    "n_tokens_vocab": 11,
}
WORD_INPUT = {key: value for key, value in CHARACTERS.items() if key != "char_cnn"}


def changed(options, **changes):
    """Copies options with other values. `lstm_dim` sets `dim` of `lstm`, `cnn_n_highway` that of `char_cnn`; None
    removes an option."""
    options = copy.deepcopy(options)
    for name, value in changes.items():
        part = options
        for prefix, section in (("lstm_", "lstm"), ("cnn_", "char_cnn")):
            if name.startswith(prefix):
                part, name = options[section], name.removeprefix(prefix)
        if value is None:
            part.pop(name, None)
        else:
            part[name] = value
    return options


CASES = {
    "characters": CHARACTERS,
    "no skip connections": changed(CHARACTERS, lstm_use_skip_connections=False, lstm_n_layers=3),
    "one layer": changed(CHARACTERS, lstm_n_layers=1),
    "three layers": changed(CHARACTERS, lstm_n_layers=3),
    "no clips": changed(CHARACTERS, lstm_cell_clip=None, lstm_proj_clip=None),
    "tight clips": changed(CHARACTERS, lstm_cell_clip=0.2, lstm_proj_clip=0.1, lstm_n_layers=3),
    "no projection of the cells": changed(CHARACTERS, lstm_dim=4, lstm_proj_clip=0.05),
    "no projection of the filters": changed(CHARACTERS, lstm_dim=12, lstm_projection_dim=9),
    "no projection at all": changed(CHARACTERS, lstm_dim=9, lstm_projection_dim=9, lstm_use_skip_connections=False),
    "no highway": changed(CHARACTERS, cnn_n_highway=0),
    "two highways": changed(CHARACTERS, cnn_n_highway=2),
    "tanh": changed(CHARACTERS, cnn_activation="tanh"),
    "forward only": changed(CHARACTERS, bidirectional=False),
    "word input": WORD_INPUT,
    "word input, forward only, one layer": changed(WORD_INPUT, bidirectional=False, lstm_n_layers=1),
    "shared softmax": changed(WORD_INPUT, share_embedding_softmax=True),
}


def filled(model, seed=0):
    """Builds a model and sets every weight to random values that are the same in each run; returns the model."""
    model.build()
    random = np.random.default_rng(seed)
    for variable in named_variables(model).values():
        variable.assign(random.uniform(-0.7, 0.7, variable.shape))
    return model


def weights_of(model):
    """Returns the weights as arrays by their names in `weights.hdf5`."""
    return {name: variable.numpy() for name, variable in named_variables(model).items()}
