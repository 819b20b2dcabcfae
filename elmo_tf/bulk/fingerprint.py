"""What a run is of: the content of the model and of the input, and the settings."""

import hashlib
import json
from typing import Any

import numpy as np

from elmo_tf.bulk.blocks import Share
from elmo_tf.bulk.saved_mix import read_mix
from elmo_tf.bulk.settings import EmbedSettings
from elmo_tf.store.load_model import LoadedBiLM


def model_digest(loaded: LoadedBiLM) -> str:
    """The SHA-256 of a model's options and weights, and of its words where it reads words: equal for the same model,
    wherever and in whatever form it lies."""
    options: dict[str, Any] = loaded.bilm.options.to_dict()
    options.pop("training", None)
    found = hashlib.sha256(json.dumps(options, sort_keys=True, default=str).encode())
    if loaded.bilm.options.char_cnn is None and loaded.vocabulary is not None:
        found.update("\n".join(loaded.vocabulary.words).encode())
    for variable in loaded.bilm.weights:
        values = np.ascontiguousarray(variable)
        found.update(f"{values.shape} {values.dtype}\n".encode())
        found.update(values.data if values.size else b"")
    return found.hexdigest()


def identity(share: Share, loaded: LoadedBiLM | None, settings: EmbedSettings) -> dict[str, Any]:
    """Names and values that are equal for runs that give the same bytes.

    Args:
        share: the input. Its content is read, which takes a thousandth of the time of embedding it.
        loaded: the model; None where it is not known.
        settings: how the vectors are computed and written; in place of `mix_from` stand the numbers read there.

    Returns:
        The settings, "model", "input" and the share; None for the model or the input where they are not known.
    """
    values = {name: value for name, value in settings.to_dict().items() if name != "mix_from"}
    if settings.mix_from is not None:
        values["mix_weights"] = read_mix(settings.mix_from)
    return {
        "settings": {**values, "mix_weights": None if values["mix_weights"] is None else str(values["mix_weights"])},
        "model": None if loaded is None else model_digest(loaded),
        "input": None if share.is_stream else share.digest(),
        "input_sizes": share.sizes,
        "share": {"num_shards": share.num_shards, "shard_index": share.shard_index},
    }
