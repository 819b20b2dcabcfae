"""Computes the identity of a run: the digests of its model and of its input, its settings and its share."""

import hashlib
import json
from typing import Any

import numpy as np

from elmo_tf.bulk.blocks import Share
from elmo_tf.bulk.saved_mix import read_mix
from elmo_tf.bulk.settings import EmbedSettings
from elmo_tf.store.known_words import known_words, lexicon_text
from elmo_tf.store.load_model import LoadedBiLM, LoadedLanguageModel


def model_digest(loaded: LoadedBiLM) -> str:
    """The SHA-256 of a model's options and weights, and of the words and characters that its arrays have rows for.

    The digest does not depend on the path of the model or on the format in which it is stored.
    """
    options: dict[str, Any] = loaded.bilm.options.to_dict()
    options.pop("training", None)
    found = hashlib.sha256(json.dumps(options, sort_keys=True, default=str).encode())
    found.update(lexicon_text(loaded.bilm))
    if loaded.bilm.reads_word_ids and loaded.vocabulary is not None:
        found.update("\n".join(loaded.vocabulary.words).encode())
    for variable in loaded.bilm.weights:
        values = np.ascontiguousarray(variable)
        found.update(f"{values.shape} {values.dtype}\n".encode())
        found.update(values.data if values.size else b"")
    return found.hexdigest()


def language_model_digest(loaded: LoadedLanguageModel) -> str:
    """The SHA-256 of a language model's biLM, softmax and vocabulary."""
    bilm = model_digest(LoadedBiLM(loaded.model.bilm, loaded.vocabulary, loaded.source))
    found = hashlib.sha256("\n".join([bilm, *loaded.vocabulary.words]).encode("utf-8", "surrogatepass"))
    for values in loaded.model.softmax_weights():
        found.update(np.ascontiguousarray(values).data)
    return found.hexdigest()


def identity(share: Share, loaded: LoadedBiLM | None, settings: EmbedSettings) -> dict[str, Any]:
    """Computes the identity of a run: two runs with the same identity write outputs with the same bytes.

    Args:
        share: the input. All of it is read, which takes a thousandth of the time of embedding it.
        loaded: the model; None if it is not known.
        settings: the settings of the run.

    Returns:
        A dictionary with the keys "settings", "model", "input", "input_sizes" and "share". The model is None if it is
        not known, and the input is None if it is a stream.
    """
    return {
        "settings": identity_of_settings(settings),
        "model": None if loaded is None else model_digest(loaded),
        "input": None if share.is_stream else share.digest(),
        "input_sizes": share.sizes,
        "share": {"num_shards": share.num_shards, "shard_index": share.shard_index},
    }


def identity_of_settings(settings: EmbedSettings) -> dict[str, Any]:
    """The settings as JSON can hold them.

    Instead of the path `mix_from` they have the mix that is read from that file, and instead of `vocab_to_cache` a
    digest of the words and of the encoder that made their vectors.
    """
    values = {name: value for name, value in settings.to_dict().items() if name != "mix_from"}
    if settings.mix_from is not None:
        values["mix_weights"] = read_mix(settings.mix_from)
    if settings.vocab_to_cache is not None:
        values["vocab_to_cache"] = known_words(settings.vocab_to_cache).content_digest()
    mix = values["mix_weights"]
    return {**values, "mix_weights": None if mix is None else str(mix)}
