"""Writes SavedModels that take strings and that run with TensorFlow alone, without elmo_tf and Keras."""

import os
from collections.abc import Mapping
from typing import Any

import keras
import tensorflow as tf

from elmo_tf.elmo.elmo_layer import ElmoLayer
from elmo_tf.elmo.outputs import mix_layers, place_vectors
from elmo_tf.errors import InputError
from elmo_tf.layers.compilation import disable_compilation
from elmo_tf.layers.pooling import SentencePooling
from elmo_tf.system import atomic_folders, error_text


def export_model(model: keras.Model, folder: str | os.PathLike[str]) -> None:
    """Writes a Keras model as a SavedModel with the signature `serving_default`.

    It serves the same results as `model.export(folder)`, which in Keras 3.12 to 3.15 stores every weight twice
    (https://github.com/keras-team/keras/issues/23553). Here each weight is stored once.

    Args:
        model: a Functional or Sequential model with one input or a dictionary of inputs, whose dtypes are known.
        folder: the path of the SavedModel, at which nothing exists yet.

    Raises:
        InputError: something exists at `folder`, or the folder cannot be written.
        ValueError: the model's inputs are not known.
    """
    inputs = _inputs_of(model)
    if inputs is None:
        raise ValueError(
            f"model: expected one that knows its inputs, Functional or Sequential, got {type(model).__name__} "
            f"{model.name!r}, which does not"
        )
    named = inputs if isinstance(inputs, Mapping) else {"inputs": inputs}
    if any(not hasattr(value, "shape") for value in named.values()):
        raise ValueError("model: expected one input or a dictionary of inputs, got another structure")
    signature = {name: tf.TensorSpec(value.shape, value.dtype, name) for name, value in named.items()}

    def serve(**arguments: tf.Tensor) -> Any:
        outputs = model(arguments if isinstance(inputs, Mapping) else arguments["inputs"], training=False)
        if isinstance(outputs, Mapping):
            return dict(outputs)
        return {f"output_{number}": output for number, output in enumerate(tf.nest.flatten(outputs))}

    _save(model, folder, {"serving_default": (serve, signature)})


def _inputs_of(model: keras.Model) -> Any:
    """Returns the model's input or dictionary of inputs; None if the model does not know them."""
    if isinstance(model, keras.Sequential):  # its `input` raises in Keras 3
        known = model.inputs
        return known[0] if known else None
    return getattr(model, "input", None)


def export_signatures(layer: ElmoLayer, folder: str | os.PathLike[str]) -> None:
    """Writes a SavedModel with the two signatures of TensorFlow Hub's `elmo/3`, which it can replace.

    The signature `default` takes `strings` `(B,)`, sentences that it splits at spaces. The signature `tokens` takes
    `tokens` `(B, T)` and `sequence_len` `(B,)`. Both return a dictionary:

    - `word_emb` `(B, T, projection)`: the context-independent vectors;
    - `lstm_outputs1`, `lstm_outputs2` and so on, `(B, T, size)`: the LSTM layers;
    - `elmo` `(B, T, size)`: the layer's first mix, or the average of the layers if it has no mix;
    - `default` `(B, size)`: the mean of `elmo` over the tokens.

    The vectors of padding are zero, and the mean leaves them out.

    Args:
        layer: the model. Its settings for boundaries, pooling, dropout and output are not used.
        folder: the path of the SavedModel, at which nothing exists yet.

    Raises:
        InputError: something exists at `folder`, or the folder cannot be written.
    """
    if not layer.built:
        layer.build(None)

    def tokens(tokens: tf.Tensor, sequence_len: tf.Tensor) -> dict[str, tf.Tensor]:
        return _hub_outputs(layer, tokens, tf.sequence_mask(sequence_len, tf.shape(tokens)[1]))

    def default(strings: tf.Tensor) -> dict[str, tf.Tensor]:
        return _hub_outputs(layer, tf.strings.split(strings, " ").to_tensor(shape=[None, None]), None)

    signatures: dict[str, Any] = {
        "default": (default, {"strings": tf.TensorSpec([None], tf.string, "strings")}),
        "tokens": (
            tokens,
            {
                "tokens": tf.TensorSpec([None, None], tf.string, "tokens"),
                "sequence_len": tf.TensorSpec([None], tf.int32, "sequence_len"),
            },
        ),
    }
    _save(layer, folder, signatures)


def _hub_outputs(layer: ElmoLayer, tokens: tf.Tensor, mask: tf.Tensor | None) -> dict[str, tf.Tensor]:
    layers, sentences, places, _ = layer.read(tokens, mask, keep_boundaries=False)
    mixes = mix_layers(layers, sentences, layer.mixes[:1], boundaries=False)
    elmo = mixes[0] if mixes else tf.reduce_mean(layers, 1)
    elmo, layers = place_vectors(elmo, places), place_vectors(layers, places)
    outputs = {f"lstm_outputs{k}": layers[:, k] for k in range(1, layers.shape[1])}
    word_emb = layers[:, 0, :, : layer.bilm.options.lstm.projection_dim]
    pooled = SentencePooling("mean", dtype=layer.dtype_policy)(elmo, mask=places.is_shown)
    return {"word_emb": word_emb, **outputs, "elmo": elmo, "default": pooled}


def _save(layer: keras.layers.Layer, folder: str | os.PathLike[str], signatures: Mapping[str, Any]) -> None:
    """Writes a SavedModel whole or not at all."""

    def is_free() -> None:
        if os.path.lexists(folder):
            raise InputError(f"{os.fspath(folder)} exists; expected the name of a new folder", path=os.fspath(folder))

    is_free()
    module = tf.Module()
    # TensorFlow's variables: Keras's objects around them count as other objects, and each weight would be saved twice.
    module.variables_served = [variable.value for variable in layer.variables]
    resources = tf.train.TrackableView(layer).descendants()
    module.tables = [one for one in resources if isinstance(one, tf.saved_model.experimental.TrackableResource)]
    served = {}
    for name, (function, specs) in signatures.items():
        traced = tf.function(function, autograph=False)
        setattr(module, name, traced)
        with disable_compilation():
            served[name] = traced.get_concrete_function(**specs)
    with atomic_folders.atomic_folder(os.fspath(folder), is_free) as temporary:
        try:
            with disable_compilation():  # because custom gradients are traced during the save
                tf.saved_model.save(module, temporary, signatures=served)
        except (OSError, tf.errors.OpError) as error:
            raise InputError(
                f"{os.fspath(folder)} cannot be written: {error_text.reason(error)}", path=os.fspath(folder)
            ) from error
