"""A model as it lies in a folder: one that `elmo-tf train` made, or `weights.hdf5` with its `options.json`."""

import os
import re
from dataclasses import dataclass

import tensorflow as tf

from elmo_tf.bilm import BiLM
from elmo_tf.checkpoint import BEST, LATEST, checkpoint_path, latest_in, restore_weights
from elmo_tf.data.vocabulary import Vocabulary
from elmo_tf.errors import InputError
from elmo_tf.exchange.hdf5 import read_arrays, read_weights
from elmo_tf.exchange.names import SOFTMAX_PREFIX, check_shapes, expected_shapes, named_variables
from elmo_tf.language_model import LanguageModel
from elmo_tf.options import Options
from elmo_tf.preparation import OPTIONS_FILE, VOCAB_FILE

WEIGHTS_FILE = "weights.hdf5"
_SAVED_WEIGHT = re.compile(r"weights/(.+)/\.ATTRIBUTES/VARIABLE_VALUE")


@dataclass(frozen=True)
class LoadedBiLM:
    """A biLM with its weights.

    Args:
        bilm: the model.
        vocabulary: its words; None where the folder has none.
        source: the file that the weights came from.
    """

    bilm: BiLM
    vocabulary: Vocabulary | None
    source: str


def has_checkpoint(model_dir: str) -> bool:
    """Whether the folder is one that `elmo-tf train` made and saved a checkpoint in; raises as `latest_in`."""
    return any(latest_in(model_dir, name) for name in (BEST, LATEST))


def load_bilm(model_dir: str, which: str | None = None) -> LoadedBiLM:
    """Loads the biLM of a folder, without its softmax.

    Args:
        model_dir: a folder of `elmo-tf train`, or one with `weights.hdf5` and `options.json`. Where both are there, the
            checkpoint counts.
        which: of the checkpoints "best" or "latest"; None for the best if there is one.

    Raises:
        InputError: the folder is neither, or something in it is damaged or does not fit together.
    """
    options = _options(model_dir)
    if has_checkpoint(model_dir):
        path = checkpoint_path(model_dir, which)
        if options.char_cnn is None and options.n_tokens_vocab is None:
            raise InputError(f"{model_dir}: {OPTIONS_FILE}: n_tokens_vocab is missing, the words of the model")
        bilm = BiLM(options, name="bilm")
        bilm.build()
        _restore(path, bilm, extra=(SOFTMAX_PREFIX + "W", SOFTMAX_PREFIX + "b"))
    elif which is not None:
        raise InputError(f"--checkpoint={which}: {model_dir} holds no checkpoints, only {WEIGHTS_FILE}")
    else:
        path = os.path.join(model_dir, WEIGHTS_FILE)
        bilm = _from_hdf5(path, options)
    return LoadedBiLM(bilm, _vocabulary(model_dir, bilm.options), path)


def load_language_model(model_dir: str, which: str | None = None) -> tuple[LanguageModel, Vocabulary, str]:
    """Loads the whole language model of a folder that `elmo-tf train` made.

    Returns:
        The model, its vocabulary, and the checkpoint's path.

    Raises:
        InputError: the folder holds no checkpoint, or it is damaged or does not fit the options beside it.
    """
    options = _options(model_dir)
    if not has_checkpoint(model_dir) and os.path.exists(os.path.join(model_dir, WEIGHTS_FILE)):
        raise InputError(f"{model_dir}: {WEIGHTS_FILE} holds no softmax; expected a folder made by elmo-tf train")
    path = checkpoint_path(model_dir, which)
    vocabulary = Vocabulary.from_file(os.path.join(model_dir, VOCAB_FILE))
    if options.n_tokens_vocab != len(vocabulary):
        raise InputError(
            f"{model_dir}: {VOCAB_FILE}: expected {options.n_tokens_vocab} words by {OPTIONS_FILE}, "
            f"got {len(vocabulary)}"
        )
    model = LanguageModel(options, name="language_model")
    model.build()
    _restore(path, model)
    return model, vocabulary, path


def _restore(path: str, model: BiLM | LanguageModel, extra: tuple[str, ...] = ()) -> None:
    """Assigns the weights, after every name and shape was compared; those of `extra` may be there and are not read."""
    variables = named_variables(model)
    try:
        saved = tf.train.list_variables(path)
        matches = [(_SAVED_WEIGHT.fullmatch(key), shape) for key, shape in saved]
        found = {match[1].replace(".S", "/"): tuple(shape) for match, shape in matches if match}
        check_shapes({name: tuple(variable.shape) for name, variable in variables.items()}, found, path, extra)
        restore_weights(path, variables)
    except (tf.errors.OpError, IndexError) as error:  # the latter is what TensorFlow says of a file that is cut short
        raise InputError(f"{path} is damaged ({error})") from error


def _options(model_dir: str) -> Options:
    path = os.path.join(model_dir, OPTIONS_FILE)
    known = os.path.exists(os.path.join(model_dir, WEIGHTS_FILE)) or has_checkpoint(model_dir)
    if not known or not os.path.exists(path):
        missing = "there is no such folder" if not os.path.isdir(model_dir) else "it holds no model"
        raise InputError(
            f"--model_dir={model_dir}: {missing}; expected a folder made by elmo-tf train, or one with "
            f"{WEIGHTS_FILE} and {OPTIONS_FILE}"
        )
    return Options.from_file(path)


def _from_hdf5(path: str, options: Options) -> BiLM:
    if options.char_cnn is None and options.n_tokens_vocab is None:
        embedding = read_arrays(path).get("embedding")
        if embedding is not None and embedding.ndim == 2:
            options = options.replace(n_tokens_vocab=embedding.shape[0])
    arrays = read_weights(path, expected_shapes(options))
    bilm = BiLM(options, name="bilm")
    bilm.build()
    for name, variable in named_variables(bilm).items():
        variable.assign(arrays[name])
    return bilm


def _vocabulary(model_dir: str, options: Options) -> Vocabulary | None:
    path = os.path.join(model_dir, VOCAB_FILE)
    vocabulary = Vocabulary.from_file(path) if os.path.exists(path) else None
    if options.char_cnn is not None:
        return vocabulary
    if vocabulary is None:
        raise InputError(f"{path}: no such file; a model with word input cannot be used without its vocabulary")
    if len(vocabulary) != options.n_tokens_vocab:
        raise InputError(f"{path}: expected {options.n_tokens_vocab} words, those of the model, got {len(vocabulary)}")
    return vocabulary
