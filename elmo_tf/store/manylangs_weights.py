"""The weights of a model of ELMoForManyLangs as the arrays of our biLM.

Its LSTM has its gates in the order i, f, j, o and a forget bias of 1 within the bias; ours has them in the order
i, j, f, o and adds the 1 at run time. Its matrices are `(outputs, inputs)`, ours `(inputs, outputs)`. Its highway gate
carries the input where it is open, ours the transformed input, so the gate's weights change their sign:
`1 - sigmoid(x) = sigmoid(-x)`.
"""

import contextlib
import os
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from elmo_tf.formats.array_checks import check_shapes
from elmo_tf.formats.arrays import Arrays
from elmo_tf.formats.pytorch_files import open_pytorch
from elmo_tf.layers import LexiconEncoder
from elmo_tf.layers.lexicon_encoder import lexicon_shapes
from elmo_tf.options import Options
from elmo_tf.store.file_names import MANYLANGS_ENCODER, MANYLANGS_TOKENS

Shape = tuple[int, ...]


class _Origin(NamedTuple):
    """Where an array of ours comes from.

    Args:
        file: the name of the file.
        shapes: the names and shapes of the file's arrays.
        shape: the shape of our array.
        convert: makes our array of these arrays, which it gets in the order of their names.
    """

    file: str
    shapes: dict[str, Shape]
    shape: Shape
    convert: Callable[..., np.ndarray]


@contextlib.contextmanager
def open_weights(folder: str, options: Options, lexicon_encoder: Mapping[str, Any]) -> Iterator[Arrays]:
    """Opens the two files of weights; yields the arrays of the biLM by our names.

    Args:
        folder: the folder of the model.
        options: the options of its LSTM layers.
        lexicon_encoder: the arguments of its `LexiconEncoder`.

    Raises:
        InputError: a file is missing or damaged, or an array is missing, has another shape than the configuration says
            or has no place in the model.
    """
    encoder = LexiconEncoder(**lexicon_encoder)
    origins = _token_origins(encoder) | _lstm_origins(options)
    with contextlib.ExitStack() as stack:
        files = {}
        for file in (MANYLANGS_TOKENS, MANYLANGS_ENCODER):
            arrays = stack.enter_context(open_pytorch(os.path.join(folder, file)))
            wanted: dict[str, Shape] = {}
            for origin in origins.values():
                wanted |= origin.shapes if origin.file == file else {}
            check_shapes(wanted, arrays.shapes, arrays.source)
            files[file] = arrays

        def read(name: str) -> np.ndarray:
            origin = origins[name]
            return origin.convert(*(files[origin.file].read(own) for own in origin.shapes))

        yield Arrays(folder, {name: origin.shape for name, origin in origins.items()}, read)


def _token_origins(encoder: LexiconEncoder) -> dict[str, _Origin]:
    """The origins of the weights of the token encoder."""
    shapes = lexicon_shapes(encoder)
    found: dict[str, _Origin] = {}

    def add(name: str, own: str, shape: Shape, convert: Callable[..., np.ndarray] = np.asarray) -> None:
        found[name] = _Origin(MANYLANGS_TOKENS, {own: shape}, shapes[name], convert)

    for name, own in (("word_embed", "word_emb_layer"), ("char_embed", "char_emb_layer")):
        if name in shapes:
            add(name, f"{own}.embedding.weight", shapes[name])
    for i in range(len(encoder.filters)):
        kernel = shapes[f"CNN/W_cnn_{i}"]
        add(f"CNN/W_cnn_{i}", f"convolutions.{i}.weight", kernel[::-1], np.transpose)
        add(f"CNN/b_cnn_{i}", f"convolutions.{i}.bias", kernel[2:])
    size = encoder.n_filters
    for i in range(len(encoder.highways)):
        for part, rows, sign in (("transform", slice(size), 1), ("carry", slice(size, None), -1)):

            def half(both: np.ndarray, rows: slice = rows, sign: int = sign) -> np.ndarray:
                return np.transpose(both[rows]) * np.float32(sign)

            add(f"CNN_high_{i}/W_{part}", f"highways._layers.{i}.weight", (2 * size, size), half)
            add(f"CNN_high_{i}/b_{part}", f"highways._layers.{i}.bias", (2 * size,), half)
    add("CNN_proj/W_proj", "projection.weight", shapes["CNN_proj/W_proj"][::-1], np.transpose)
    add("CNN_proj/b_proj", "projection.bias", shapes["CNN_proj/b_proj"])
    return found


def _lstm_origins(options: Options) -> dict[str, _Origin]:
    """The origins of the weights of the LSTM layers."""
    found: dict[str, _Origin] = {}
    cells, size = options.lstm.dim, options.lstm.projection_dim
    for direction, own_direction in enumerate(("forward", "backward")):
        for number in range(options.lstm.n_layers):
            own = f"{own_direction}_layer_{number}."
            ours = f"RNN_{direction}/RNN/MultiRNNCell/Cell{number}/LSTMCell/"
            names = (f"{own}input_linearity.weight", f"{own}state_linearity.weight")
            kernels: dict[str, Shape] = dict.fromkeys(names, (4 * cells, size))
            found[f"{ours}W_0"] = _Origin(MANYLANGS_ENCODER, kernels, (2 * size, 4 * cells), _kernel)
            bias: dict[str, Shape] = {f"{own}state_linearity.bias": (4 * cells,)}
            found[f"{ours}B"] = _Origin(MANYLANGS_ENCODER, bias, (4 * cells,), _bias)
            projection: dict[str, Shape] = {f"{own}state_projection.weight": (size, cells)}
            found[f"{ours}W_P_0"] = _Origin(MANYLANGS_ENCODER, projection, (cells, size), np.transpose)
    return found


def _reorder(gates: np.ndarray) -> np.ndarray:
    """Gates i, f, j, o along the first axis -> i, j, f, o."""
    i, f, j, o = np.split(gates, 4)
    return np.concatenate([i, j, f, o])


def _kernel(from_inputs: np.ndarray, from_outputs: np.ndarray) -> np.ndarray:
    return np.concatenate([_reorder(from_inputs).T, _reorder(from_outputs).T])


def _bias(bias: np.ndarray) -> np.ndarray:
    i, j, f, o = np.split(_reorder(bias), 4)
    return np.concatenate([i, j, f - np.float32(1.0), o])
