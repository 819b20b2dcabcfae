"""ELMo (Peters et al. 2018), deep contextualized word representations, on TensorFlow 2 and Keras 3.

The names below are loaded when they are first used, so that what needs no TensorFlow does not wait for it.
"""

import importlib
from typing import Any

from elmo_tf.version import __version__

_HOMES = {
    "BiLM": "elmo_tf.bilm",
    "CharacterEncoder": "elmo_tf.layers",
    "ElmoLayer": "elmo_tf.elmo",
    "ConvertSettings": "elmo_tf.conversion",
    "Evaluator": "elmo_tf.evaluation",
    "Highway": "elmo_tf.layers",
    "InputError": "elmo_tf.errors",
    "LanguageModel": "elmo_tf.language_model",
    "LstmStack": "elmo_tf.layers",
    "Options": "elmo_tf.options",
    "ProjectedLSTM": "elmo_tf.layers",
    "ScalarMix": "elmo_tf.layers",
    "SentenceEmbedder": "elmo_tf.embedding",
    "SentencePooling": "elmo_tf.layers",
    "SoftmaxHead": "elmo_tf.layers",
    "StaticEmbedding": "elmo_tf.static_embedding",
    "TrainSettings": "elmo_tf.run_settings",
    "Vocabulary": "elmo_tf.data.vocabulary",
    "WordEncoder": "elmo_tf.layers",
    "character_ids": "elmo_tf.elmo_inputs",
    "convert": "elmo_tf.conversion",
    "encode_words": "elmo_tf.data.characters",
    "export_model": "elmo_tf.serving",
    "export_signatures": "elmo_tf.serving",
    "inspect": "elmo_tf.inspection",
    "load_bilm": "elmo_tf.model_folder",
    "load_language_model": "elmo_tf.model_folder",
    "open_model": "elmo_tf.stored_model",
    "train": "elmo_tf.training",
}

__all__ = ["__version__", *_HOMES]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'elmo_tf' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
