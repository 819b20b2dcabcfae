"""ELMo (Peters et al. 2018), deep contextualized word representations, on TensorFlow 2 and Keras 3.

The public names are imported when they are first used, so that code which needs no TensorFlow does not wait for its
import. Keras knows the package's classes from here on, so `keras.models.load_model` reads models that use them.
"""

import importlib
from typing import TYPE_CHECKING, Any

from elmo_tf.system.keras_backend import check_backend
from elmo_tf.system.keras_classes import register_by_name
from elmo_tf.version import __version__

if TYPE_CHECKING:  # for type checkers and editors, which do not run `__getattr__`; a test compares it with `_HOMES`
    from elmo_tf.bulk import ray as ray
    from elmo_tf.bulk.embed import embed as embed
    from elmo_tf.bulk.embed_file import embed_file as embed_file
    from elmo_tf.bulk.merge_files import merge_files as merge_files
    from elmo_tf.bulk.score_file import score_file as score_file
    from elmo_tf.bulk.substitutes_file import substitutes_file as substitutes_file
    from elmo_tf.bulk.token_vectors import token_vectors as token_vectors
    from elmo_tf.bulk.token_vectors import write_token_vectors as write_token_vectors
    from elmo_tf.conversion.convert import convert as convert
    from elmo_tf.conversion.inspection import inspect as inspect
    from elmo_tf.conversion.settings import ConvertSettings as ConvertSettings
    from elmo_tf.data.characters import encode_words as encode_words
    from elmo_tf.data.corpus import Corpus as Corpus
    from elmo_tf.data.vocabulary import Vocabulary as Vocabulary
    from elmo_tf.elmo.elmo_layer import ElmoLayer as ElmoLayer
    from elmo_tf.elmo.save_bilm import save_bilm as save_bilm
    from elmo_tf.elmo.serving import export_model as export_model
    from elmo_tf.elmo.serving import export_signatures as export_signatures
    from elmo_tf.elmo.static_embedding import StaticEmbedding as StaticEmbedding
    from elmo_tf.errors import InputError as InputError
    from elmo_tf.inference.character_ids import character_ids as character_ids
    from elmo_tf.inference.evaluator import Evaluator as Evaluator
    from elmo_tf.inference.scorer import Scorer as Scorer
    from elmo_tf.inference.scorer import SentenceScore as SentenceScore
    from elmo_tf.inference.sentence_embedder import SentenceEmbedder as SentenceEmbedder
    from elmo_tf.inference.substitutes import SubstituteFinder as SubstituteFinder
    from elmo_tf.layers import CharacterEncoder as CharacterEncoder
    from elmo_tf.layers import Highway as Highway
    from elmo_tf.layers import LstmStack as LstmStack
    from elmo_tf.layers import ProjectedLSTM as ProjectedLSTM
    from elmo_tf.layers import ScalarMix as ScalarMix
    from elmo_tf.layers import SentencePooling as SentencePooling
    from elmo_tf.layers import SoftmaxHead as SoftmaxHead
    from elmo_tf.layers import WordEncoder as WordEncoder
    from elmo_tf.models.bilm import BiLM as BiLM
    from elmo_tf.models.language_model import LanguageModel as LanguageModel
    from elmo_tf.options import Options as Options
    from elmo_tf.store.load_model import LoadedBiLM as LoadedBiLM
    from elmo_tf.store.load_model import LoadedLanguageModel as LoadedLanguageModel
    from elmo_tf.store.load_model import load_bilm as load_bilm
    from elmo_tf.store.load_model import load_language_model as load_language_model
    from elmo_tf.store.open_model import open_model as open_model
    from elmo_tf.store.published_models import fetch as fetch
    from elmo_tf.training.perplexity_callback import PerplexityCallback as PerplexityCallback
    from elmo_tf.training.run import train as train
    from elmo_tf.training.settings import TrainSettings as TrainSettings

_HOMES = {
    "BiLM": "elmo_tf.models.bilm",
    "CharacterEncoder": "elmo_tf.layers",
    "ConvertSettings": "elmo_tf.conversion.settings",
    "Corpus": "elmo_tf.data.corpus",
    "ElmoLayer": "elmo_tf.elmo.elmo_layer",
    "Evaluator": "elmo_tf.inference.evaluator",
    "Highway": "elmo_tf.layers",
    "InputError": "elmo_tf.errors",
    "LanguageModel": "elmo_tf.models.language_model",
    "LoadedBiLM": "elmo_tf.store.load_model",
    "LoadedLanguageModel": "elmo_tf.store.load_model",
    "LstmStack": "elmo_tf.layers",
    "Options": "elmo_tf.options",
    "PerplexityCallback": "elmo_tf.training.perplexity_callback",
    "ProjectedLSTM": "elmo_tf.layers",
    "ScalarMix": "elmo_tf.layers",
    "Scorer": "elmo_tf.inference.scorer",
    "SentenceEmbedder": "elmo_tf.inference.sentence_embedder",
    "SentencePooling": "elmo_tf.layers",
    "SentenceScore": "elmo_tf.inference.scorer",
    "SoftmaxHead": "elmo_tf.layers",
    "StaticEmbedding": "elmo_tf.elmo.static_embedding",
    "SubstituteFinder": "elmo_tf.inference.substitutes",
    "TrainSettings": "elmo_tf.training.settings",
    "Vocabulary": "elmo_tf.data.vocabulary",
    "WordEncoder": "elmo_tf.layers",
    "character_ids": "elmo_tf.inference.character_ids",
    "convert": "elmo_tf.conversion.convert",
    "embed": "elmo_tf.bulk.embed",
    "embed_file": "elmo_tf.bulk.embed_file",
    "encode_words": "elmo_tf.data.characters",
    "export_model": "elmo_tf.elmo.serving",
    "export_signatures": "elmo_tf.elmo.serving",
    "fetch": "elmo_tf.store.published_models",
    "inspect": "elmo_tf.conversion.inspection",
    "load_bilm": "elmo_tf.store.load_model",
    "load_language_model": "elmo_tf.store.load_model",
    "merge_files": "elmo_tf.bulk.merge_files",
    "open_model": "elmo_tf.store.open_model",
    "ray": "elmo_tf.bulk",
    "save_bilm": "elmo_tf.elmo.save_bilm",
    "score_file": "elmo_tf.bulk.score_file",
    "substitutes_file": "elmo_tf.bulk.substitutes_file",
    "token_vectors": "elmo_tf.bulk.token_vectors",
    "train": "elmo_tf.training.run",
    "write_token_vectors": "elmo_tf.bulk.token_vectors",
}

_KERAS_CLASSES = {
    **{name: _HOMES[name] for name in ("BiLM", "ElmoLayer", "LanguageModel", "StaticEmbedding")},
    "CharacterEncoder": "elmo_tf.layers.token_encoder",
    "Highway": "elmo_tf.layers.highway",
    "LexiconEncoder": "elmo_tf.layers.lexicon_encoder",
    "LstmStack": "elmo_tf.layers.lstm_stack",
    "ProjectedLSTM": "elmo_tf.layers.projected_lstm",
    "ScalarMix": "elmo_tf.layers.scalar_mix",
    "SentencePooling": "elmo_tf.layers.pooling",
    "SoftmaxHead": "elmo_tf.layers.softmax_head",
    "TokenMask": "elmo_tf.elmo.token_mask",
    "WordEncoder": "elmo_tf.layers.token_encoder",
    "WordTable": "elmo_tf.layers.word_table",
}
"""The modules of the classes that are registered with Keras; a test compares it with Keras's list."""

__all__ = ["__version__", *_HOMES]

register_by_name("elmo_tf", _KERAS_CLASSES)

if not TYPE_CHECKING:  # else every name would be `Any`

    def __getattr__(name: str) -> Any:
        if name not in _HOMES:
            raise AttributeError(f"module 'elmo_tf' has no attribute {name!r}")
        try:
            home = importlib.import_module(_HOMES[name])
            value = getattr(home, name) if hasattr(home, name) else importlib.import_module(f"{_HOMES[name]}.{name}")
        except ImportError:
            check_backend()  # the module that is missing may be that of another backend of Keras
            raise
        globals()[name] = value  # the next look-up does not call this function
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
