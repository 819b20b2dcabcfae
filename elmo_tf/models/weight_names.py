"""The name of each weight: that of `weights.hdf5` in bilm-tf and AllenNLP, or `softmax/W` and `softmax/b`.

Every weight of a model has exactly one name. Our arrays have the layout of theirs, so that a conversion only copies.
Checkpoints, HDF5 files and optimizer slots all use these names.
"""

from collections.abc import Iterator
from typing import NamedTuple

import tensorflow as tf

from elmo_tf.layers import CharacterEncoder, LexiconEncoder
from elmo_tf.layers.initial_values import InitializedLayer
from elmo_tf.layers.lexicon_encoder import lexicon_shapes
from elmo_tf.models.bilm import BiLM
from elmo_tf.models.language_model import LanguageModel
from elmo_tf.options import Options

SOFTMAX_PREFIX = "softmax/"

LEXICON_TABLES = ("word_embed", "char_embed")
"""The tables of a `LexiconEncoder`; its other weights have the names of those of a character CNN."""


class WeightPlace(NamedTuple):
    """Where a model keeps a weight.

    Args:
        layer: the layer that makes it.
        name: its name in that layer.
    """

    layer: InitializedLayer
    name: str


def named_variables(model: BiLM | LanguageModel) -> dict[str, tf.Variable]:
    """The variables of a built model by name, in a fixed order.

    Example:

    >>> model = BiLM({"lstm": {"dim": 8, "projection_dim": 4}, "n_tokens_vocab": 10})
    >>> model.build()
    >>> list(named_variables(model))[:3]
    ['embedding', 'RNN_0/RNN/MultiRNNCell/Cell0/LSTMCell/W_0', 'RNN_0/RNN/MultiRNNCell/Cell0/LSTMCell/B']
    """
    weights = {name: place.layer.weight(place.name) for name, place in weight_places(model).items()}
    return {name: weight.value for name, weight in weights.items() if weight is not None}


def weight_places(model: BiLM | LanguageModel) -> dict[str, WeightPlace]:
    """The layer of every weight and the weight's name there, by our names; the model need not be built.

    Example:

    >>> model = BiLM({"lstm": {"dim": 8, "projection_dim": 4}, "n_tokens_vocab": 10})
    >>> place = weight_places(model)["RNN_1/RNN/MultiRNNCell/Cell0/LSTMCell/W_0"]
    >>> place.layer is model.stacks[1].layers[0], place.name
    (True, 'kernel')
    """
    is_whole = isinstance(model, LanguageModel)
    bilm = model.bilm if is_whole else model
    found = {name: WeightPlace(layer, own) for name, layer, own in _bilm_places(bilm)}
    if is_whole:
        found |= {SOFTMAX_PREFIX + own: WeightPlace(model.softmax, own) for own in "Wb"}
    wanted = expected_shapes(model.options, softmax=is_whole)
    if isinstance(bilm.encoder, LexiconEncoder):
        wanted |= lexicon_shapes(bilm.encoder)
    return {name: place for name, place in found.items() if name in wanted}


def _bilm_places(bilm: BiLM) -> Iterator[tuple[str, InitializedLayer, str]]:
    encoder = bilm.encoder
    if isinstance(encoder, CharacterEncoder):
        yield "char_embed", encoder, "char_embed"
        yield from _cnn_places(encoder)
    elif isinstance(encoder, LexiconEncoder):
        yield from ((name, encoder, name) for name in LEXICON_TABLES)
        yield from _cnn_places(encoder)
    else:
        yield "embedding", encoder, "embedding"
    for direction, stack in enumerate(bilm.stacks):
        for number, layer in enumerate(stack.layers):
            prefix = f"RNN_{direction}/RNN/MultiRNNCell/Cell{number}/LSTMCell/"
            yield prefix + "W_0", layer, "kernel"
            yield prefix + "B", layer, "bias"
            yield prefix + "W_P_0", layer, "projection"


def _cnn_places(encoder: CharacterEncoder | LexiconEncoder) -> Iterator[tuple[str, InitializedLayer, str]]:
    for i in range(len(encoder.filters)):
        yield f"CNN/W_cnn_{i}", encoder, f"W_cnn_{i}"
        yield f"CNN/b_cnn_{i}", encoder, f"b_cnn_{i}"
    for i, highway in enumerate(encoder.highways):
        for own in ("W_carry", "b_carry", "W_transform", "b_transform"):
            yield f"CNN_high_{i}/{own}", highway, own
    for own in ("W_proj", "b_proj"):
        yield f"CNN_proj/{own}", encoder, own


def expected_shapes(options: Options, softmax: bool = False) -> dict[str, tuple[int, ...]]:
    """The names and shapes of the weights of a model with these options; builds no model.

    Args:
        options: the options of the model; word input and `softmax` need `n_tokens_vocab`.
        softmax: whether to include the weights of the softmax.

    Example:

    >>> options = Options.from_dict({"lstm": {"dim": 8, "projection_dim": 4}, "n_tokens_vocab": 10})
    >>> expected_shapes(options)["RNN_1/RNN/MultiRNNCell/Cell0/LSTMCell/W_P_0"]
    (8, 4)
    """
    lstm = options.lstm
    shapes = _encoder_shapes(options)
    for direction in range(options.directions):
        for number in range(lstm.n_layers):
            prefix = f"RNN_{direction}/RNN/MultiRNNCell/Cell{number}/LSTMCell/"
            shapes[prefix + "W_0"] = (2 * lstm.projection_dim, 4 * lstm.dim)
            shapes[prefix + "B"] = (4 * lstm.dim,)
            if lstm.has_projection:
                shapes[prefix + "W_P_0"] = (lstm.dim, lstm.projection_dim)
    if softmax:
        words = options.n_tokens_vocab or 0
        if not options.share_embedding_softmax:
            shapes[SOFTMAX_PREFIX + "W"] = (words, lstm.projection_dim)
        shapes[SOFTMAX_PREFIX + "b"] = (words,)
    return shapes


def _encoder_shapes(options: Options) -> dict[str, tuple[int, ...]]:
    size, char_cnn = options.lstm.projection_dim, options.char_cnn
    if char_cnn is None:
        return {"embedding": (options.n_tokens_vocab or 0, size)}
    n_filters = char_cnn.n_filters
    shapes: dict[str, tuple[int, ...]] = {"char_embed": (261, char_cnn.embedding_dim)}
    for i, (width, number) in enumerate(char_cnn.filters):
        shapes[f"CNN/W_cnn_{i}"] = (1, width, char_cnn.embedding_dim, number)
        shapes[f"CNN/b_cnn_{i}"] = (number,)
    for i in range(char_cnn.n_highway):
        for part in ("carry", "transform"):
            shapes[f"CNN_high_{i}/W_{part}"] = (n_filters, n_filters)
            shapes[f"CNN_high_{i}/b_{part}"] = (n_filters,)
    if n_filters != size:
        shapes["CNN_proj/W_proj"] = (n_filters, size)
        shapes["CNN_proj/b_proj"] = (size,)
    return shapes
