"""Loads a biLM or a language model, ready to use, from a folder of `elmo-tf train` or a model of any other form."""

import contextlib
import os
from dataclasses import dataclass

from elmo_tf.data.vocabulary import Vocabulary
from elmo_tf.errors import InputError
from elmo_tf.models.bilm import BiLM
from elmo_tf.models.language_model import LanguageModel
from elmo_tf.store.file_names import OPTIONS_FILE, VOCAB_FILE
from elmo_tf.store.load_weights import load_weights
from elmo_tf.store.open_model import open_model
from elmo_tf.store.stored_model import WORD_INPUT, StoredModel


@dataclass(frozen=True)
class LoadedBiLM:
    """A biLM with its weights.

    Args:
        bilm: the model.
        vocabulary: its vocabulary; None if the folder has none, or if the model reads characters and the folder's
            vocabulary is damaged.
        source: the file that the weights came from.
    """

    bilm: BiLM
    vocabulary: Vocabulary | None
    source: str


@dataclass(frozen=True)
class LoadedLanguageModel:
    """A language model with its weights.

    Args:
        model: the biLM with its softmax.
        vocabulary: the words that it predicts.
        source: the file that the weights came from.
    """

    model: LanguageModel
    vocabulary: Vocabulary
    source: str


def load_bilm(
    model_dir: str | os.PathLike[str],
    which: str | None = None,
    vocab_file: str | os.PathLike[str] | None = None,
    dtype: str | None = None,
) -> LoadedBiLM:
    """Loads the biLM of a model, without its softmax.

    Args:
        model_dir: a folder of `elmo-tf train`, or one with `weights.hdf5` and `options.json`, a TensorFlow 1 checkpoint
            of bilm-tf, a safetensors file, a folder of ELMoForManyLangs, or a ZIP file with HDF5, safetensors or
            ELMoForManyLangs; see `elmo_tf.store.model_location`.
        which: "best" or "latest", the checkpoint of a training run; None for the best if there is one.
        vocab_file: the vocabulary, if it does not lie beside the model.
        dtype: the Keras dtype policy of the model, such as "mixed_bfloat16"; None for Keras's global policy.

    Raises:
        InputError: there is no model, a file is damaged, or two files do not fit together.
    """
    with open_model(model_dir, which) as stored:
        vocabulary = read_vocabulary(stored, vocab_file)
        bilm = BiLM(stored.options, lexicon_encoder=stored.lexicon_encoder, name="bilm", dtype=dtype)
        load_weights(bilm, stored.weights)
        return LoadedBiLM(bilm, vocabulary, stored.source)


def load_language_model(
    model_dir: str | os.PathLike[str], which: str | None = None, vocab_file: str | os.PathLike[str] | None = None
) -> LoadedLanguageModel:
    """Loads a whole language model, with its softmax; the arguments are those of `load_bilm`.

    Raises:
        InputError: as for `load_bilm`; or the model has no softmax, or no vocabulary.
    """
    model_dir, vocab_file = os.fspath(model_dir), None if vocab_file is None else os.fspath(vocab_file)
    with open_model(model_dir, which) as stored:
        stored.check_bilm_tf("compute probabilities with it")
        if not stored.has_softmax:
            raise InputError(
                f"{model_dir}: {stored.weights_name} holds no softmax; expected a folder made by elmo-tf train, a "
                "TensorFlow 1 checkpoint of bilm-tf, or softmax.hdf5 beside it",
                path=model_dir,
            )
        vocabulary = stored.vocabulary_of_rows(vocab_file)
        if vocabulary is None:
            raise stored.without_vocabulary("a language model")
        if stored.options.n_tokens_vocab != len(vocabulary):
            raise InputError(
                f"{vocab_file or f'{model_dir}: {VOCAB_FILE}'}: expected {stored.options.n_tokens_vocab} words by "
                f"{OPTIONS_FILE}, got {len(vocabulary)}",
                path=vocab_file or model_dir,
            )
        model = LanguageModel(stored.options, name="language_model")
        load_weights(model, stored.weights)
        return LoadedLanguageModel(model, vocabulary, stored.source)


def read_vocabulary(stored: StoredModel, vocab_file: str | os.PathLike[str] | None = None) -> Vocabulary | None:
    """Reads the vocabulary that a stored biLM is used with.

    Args:
        stored: the model.
        vocab_file: the vocabulary, if not the one beside the model.

    Returns:
        The vocabulary. A model that reads characters can do without: None if no vocabulary lies beside it, or if that
        one is damaged.

    Raises:
        InputError: a model with word input has no vocabulary, or one of another length; or `vocab_file` is damaged, or
            given for a model of ELMoForManyLangs.
    """
    options, vocab_file = stored.options, None if vocab_file is None else os.fspath(vocab_file)
    if stored.lexicon_encoder is not None:
        if vocab_file is not None:
            raise InputError(
                f"{vocab_file}: a model of ELMoForManyLangs takes no vocabulary, for it has lexicons of its own",
                path=vocab_file,
            )
        return None
    if options.char_cnn is not None and vocab_file is None:
        with contextlib.suppress(InputError):  # the model can be used without its vocabulary
            return stored.vocabulary(None)
        return None
    if options.char_cnn is not None:
        return stored.vocabulary(vocab_file)
    vocabulary = stored.vocabulary_of_rows(vocab_file)
    if vocabulary is None:
        raise stored.without_vocabulary(WORD_INPUT)
    path = vocab_file or f"{stored.path}: {VOCAB_FILE}"
    if len(vocabulary) != options.n_tokens_vocab:
        raise InputError(
            f"{path}: expected {options.n_tokens_vocab} words, those of the model, got {len(vocabulary)}", path=path
        )
    return vocabulary
