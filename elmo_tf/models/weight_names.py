"""One name a weight: the HDF5 names of bilm-tf and AllenNLP (its `weights.hdf5`), and `softmax/W`, `softmax/b`.

The table is total: every weight of a model has a name, every name a weight, and our arrays lie as theirs do, so that to
convert is to copy. Checkpoints, HDF5 files and optimizer slots all go by these names.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import tensorflow as tf

from elmo_tf.errors import InputError
from elmo_tf.layers import CharacterEncoder
from elmo_tf.models.bilm import BiLM
from elmo_tf.models.language_model import LanguageModel
from elmo_tf.options import Options

SOFTMAX_PREFIX = "softmax/"


def named_variables(model: BiLM | LanguageModel) -> dict[str, tf.Variable]:
    """The variables of a built model by their names, in a fixed order.

    Example:

    >>> model = BiLM({"lstm": {"dim": 8, "projection_dim": 4}, "n_tokens_vocab": 10})
    >>> model.build()
    >>> list(named_variables(model))[:3]
    ['embedding', 'RNN_0/RNN/MultiRNNCell/Cell0/LSTMCell/W_0', 'RNN_0/RNN/MultiRNNCell/Cell0/LSTMCell/B']
    """
    bilm = model.bilm if isinstance(model, LanguageModel) else model
    found = {name: weight.value for name, weight in _named_bilm(bilm)}
    if isinstance(model, LanguageModel):
        if model.softmax.own_kernel:
            found[SOFTMAX_PREFIX + "W"] = model.softmax.kernel.value
        found[SOFTMAX_PREFIX + "b"] = model.softmax.bias.value
    return found


def _named_bilm(bilm: BiLM) -> Iterator[tuple[str, Any]]:
    encoder = bilm.encoder
    if isinstance(encoder, CharacterEncoder):
        yield from _named_encoder(encoder)
    else:
        yield "embedding", encoder.embedding
    for direction, stack in enumerate(bilm.stacks):
        for number, layer in enumerate(stack.layers):
            prefix = f"RNN_{direction}/RNN/MultiRNNCell/Cell{number}/LSTMCell/"
            yield prefix + "W_0", layer.kernel
            yield prefix + "B", layer.bias
            if layer.projection is not None:
                yield prefix + "W_P_0", layer.projection


def _named_encoder(encoder: CharacterEncoder) -> Iterator[tuple[str, Any]]:
    yield "char_embed", encoder.char_embed
    for i, (kernel, bias) in enumerate(encoder.convolutions):
        yield f"CNN/W_cnn_{i}", kernel
        yield f"CNN/b_cnn_{i}", bias
    for i, highway in enumerate(encoder.highways):
        yield f"CNN_high_{i}/W_carry", highway.w_carry
        yield f"CNN_high_{i}/b_carry", highway.b_carry
        yield f"CNN_high_{i}/W_transform", highway.w_transform
        yield f"CNN_high_{i}/b_transform", highway.b_transform
    if encoder.w_proj is not None:
        yield "CNN_proj/W_proj", encoder.w_proj
        yield "CNN_proj/b_proj", encoder.b_proj


def expected_shapes(options: Options, softmax: bool = False) -> dict[str, tuple[int, ...]]:
    """Names and shapes of the weights that a model of these options has, without building it.

    Args:
        options: the model's; word input and `softmax` need `n_tokens_vocab`.
        softmax: whether to count the softmax in.

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


def check_shapes(
    expected: Mapping[str, tuple[int, ...]],
    found: Mapping[str, tuple[int, ...]],
    source: str,
    extra: Iterable[str] = (),
    spelled: Callable[[str], str] = str,
) -> None:
    """Raises an `InputError` that names the first array which is missing, misshapen or too many.

    Args:
        expected: names and shapes by the options.
        found: names and shapes in the file.
        source: the file, for the error.
        extra: names that may be there and are not looked at.
        spelled: what to call an array in the error: the file's own name for it.
    """
    for name, shape in expected.items():
        what = f"{source}: array {spelled(name)}"
        if name not in found:
            raise InputError(f"{what} is missing: expected shape {shape} by the options", path=source)
        if tuple(found[name]) != shape:
            raise InputError(f"{what}: expected shape {shape} by the options, got {tuple(found[name])}", path=source)
    for name in found:
        if name not in expected and name not in extra:
            raise InputError(f"{source}: array {spelled(name)} has no place in a model of these options", path=source)
