"""A biLM that was trained inside a Keras model, back to a model folder."""

import json
import os
import struct
import zipfile
import zlib

import keras
import numpy as np

from elmo_tf.data.vocabulary import Vocabulary
from elmo_tf.elmo.elmo_layer import ElmoLayer
from elmo_tf.errors import InputError
from elmo_tf.formats.arrays import Arrays
from elmo_tf.formats.hdf5 import write_hdf5
from elmo_tf.models.weight_names import named_variables
from elmo_tf.store.file_names import MIX_FILE, OPTIONS_FILE, VOCAB_FILE, WEIGHTS_FILE
from elmo_tf.system.atomic_files import write_text
from elmo_tf.system.atomic_folders import atomic_folder


def save_bilm(layer: ElmoLayer, folder: str | os.PathLike[str]) -> None:
    """Writes the biLM of a layer as `weights.hdf5` and `options.json`, which every reader of a model takes.

    `vocab.txt` comes along where the model reads whole words. The mixes that the layer has learned are written to
    `mix.json`: `elmo-tf embed --layers=mix` uses the first of them.

    Args:
        layer: the layer, built.
        folder: a new folder.

    Raises:
        InputError: there is something at `folder`, or it cannot be written.
        ValueError: the layer has no weights yet, or its biLM is one of ELMoForManyLangs.
    """
    path = os.fspath(folder)
    if layer.bilm.reads_words:
        raise ValueError(
            "layer: expected a biLM that reads character ids or word ids, got one of ELMoForManyLangs, whose token "
            "encoder no model folder can hold; save the Keras model itself"
        )
    if not layer.built:
        raise ValueError("layer: expected one with weights, got one that has not been built; call it once")

    def check_free() -> None:
        if os.path.lexists(path):
            raise InputError(f"{path} exists; expected the name of a new folder")

    check_free()
    arrays = Arrays.of(path, {name: np.asarray(value) for name, value in named_variables(layer.bilm).items()})
    with atomic_folder(path, check_free) as temporary:
        layer.bilm.options.write(os.path.join(temporary, OPTIONS_FILE))
        if layer.words.vocabulary is not None:
            Vocabulary(tuple(layer.words.vocabulary)).save(os.path.join(temporary, VOCAB_FILE))
        if layer.mixes:
            mixes = [{"shares": mix.shares.tolist(), "gamma": float(mix.gamma)} for mix in layer.mix_numbers]
            write_text(os.path.join(temporary, MIX_FILE), json.dumps({"mixes": mixes}, indent=1) + "\n")
        write_hdf5(os.path.join(temporary, WEIGHTS_FILE), arrays)


_UNREADABLE = (
    OSError,
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    EOFError,
    ImportError,
    RuntimeError,
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
)
"""The errors that Keras, `zipfile` and h5py raise for damaged files; NotImplementedError is a RuntimeError."""


def elmo_layers_of(model: keras.Model) -> list[ElmoLayer]:
    """The `ElmoLayer`s of a Keras model, those inside of other layers too, in the order of the model."""
    return [layer for layer in model._flatten_layers() if isinstance(layer, ElmoLayer)]


def load_elmo_layer(path: str | os.PathLike[str]) -> ElmoLayer:
    """Loads the one `ElmoLayer` of a saved Keras model, such as `tagger.keras`; runs no code that the file brings.

    Raises:
        InputError: the file cannot be read as a Keras model, or holds no `ElmoLayer`, or several.
    """
    path = os.fspath(path)
    try:
        model = keras.models.load_model(path, compile=False, safe_mode=True)
    except _UNREADABLE as error:
        said = " ".join(str(error).split())[:300]
        raise InputError(f"{path} cannot be read as a Keras model: {said}") from error
    found = elmo_layers_of(model)
    if len(found) != 1:
        raise InputError(f"{path}: expected a Keras model with one ElmoLayer, got {len(found) or 'none'}")
    return found[0]
