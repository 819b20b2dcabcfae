"""Reads the mix that an `ElmoLayer` has learned from `mix.json`, or from a saved Keras model without building it."""

import io
import json
import os
import zipfile
from collections.abc import Iterator
from typing import Any

import h5py
import numpy as np

from elmo_tf.errors import InputError
from elmo_tf.system.input_files import read_json

_LAYER = "elmo_tf>ElmoLayer"
"""The name under which `ElmoLayer` is registered with Keras, as it appears in saved models."""


def read_mix(path: str | os.PathLike[str]) -> list[float]:
    """Reads the shares of the layers, followed by gamma, from a `.keras` file or a `mix.json`.

    A `.keras` file must hold exactly one `ElmoLayer` with exactly one mix. The model is not built, so no code from the
    file runs, and its other layers need not be registered with Keras.

    Raises:
        InputError: the file cannot be read or does not hold exactly one mix; or the `ElmoLayer` has a `layer_norm`,
            which the shares alone do not describe.
    """
    path = os.fspath(path)
    if path.endswith(".json"):
        return _read_json_mix(path)
    try:
        with zipfile.ZipFile(path) as archive:
            config = json.loads(archive.read("config.json"))
            weights = archive.read("model.weights.h5")
        _check_layers(path, list(_elmo_layers(config)))
        with h5py.File(io.BytesIO(weights)) as file:
            found = list(_mixes(file))
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}", path=path) from error
    except (zipfile.BadZipFile, KeyError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path} cannot be read as a saved Keras model: {error}", path=path) from error
    if len(found) != 1:
        raise InputError(f"{path}: expected the weights of one mix, got {len(found)}", path=path)
    w, gamma = found[0]
    powers = np.exp(w - w.max())
    return [*(powers / powers.sum()).tolist(), float(gamma)]


def _elmo_layers(config: Any) -> Iterator[dict[str, Any]]:
    """Yields the config of every `ElmoLayer` in the config of a Keras model."""
    if isinstance(config, dict):
        if config.get("registered_name") == _LAYER:
            yield config["config"]
            return
        config = list(config.values())
    if isinstance(config, list):
        for part in config:
            yield from _elmo_layers(part)


def _check_layers(path: str, layers: list[dict[str, Any]]) -> None:
    mixing = [layer for layer in layers if layer.get("output") == "mix"]
    if len(mixing) != 1 or mixing[0].get("num_mixes", 1) != 1:
        mixes = sum(layer.get("num_mixes", 1) for layer in mixing)
        raise InputError(f"{path}: expected a model with one ElmoLayer with one mix, got {mixes} mixes", path=path)
    if mixing[0].get("layer_norm") is not None:
        norm = mixing[0]["layer_norm"]
        raise InputError(
            f"{path}: expected a mix without layer_norm, which shares do not describe, got {norm!r}", path=path
        )


def _mixes(file: h5py.File) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    found: list[h5py.Group] = []

    def visit(name: str, part: Any) -> None:
        folders = name.split("/")
        if isinstance(part, h5py.Group) and len(folders) >= 3 and folders[-3] == "mixes" and folders[-1] == "vars":
            found.append(part)

    file.visititems(visit)
    for group in found:
        yield group["0"][...].astype(np.float32), group["1"][...]


def _read_json_mix(path: str) -> list[float]:
    """Reads the first mix of a `mix.json`, which `elmo_tf.save_bilm` writes."""
    values = read_json(path)
    try:
        mix = values["mixes"][0]
        return [*map(float, mix["shares"]), float(mix["gamma"])]
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise InputError(f"{path}: expected the mixes that save_bilm writes, got something else", path=path) from error
