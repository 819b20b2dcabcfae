"""A new run that starts from a trained model's weights, whatever form it lies in: fine-tuning."""

from collections.abc import Mapping

import tensorflow as tf

from elmo_tf.data.vocabulary import Vocabulary
from elmo_tf.errors import InputError
from elmo_tf.fitting import fitted, own_vocabulary
from elmo_tf.options import Options
from elmo_tf.stored_model import StoredModel, open_model


def initialize(
    variables: Mapping[str, tf.Variable], options: Options, vocabulary: Vocabulary, path: str, seed: int = 1
) -> str:
    """Assigns the weights of a trained model to those of a new run; Adagrad and the step stay as they are.

    Everything but the softmax is taken over as it is. Of the softmax (and of the table of a model with word input) the
    rows of words in both vocabularies are, by word; a model without one, such as a published HDF5 file, gets a new one.

    Args:
        variables: the run's, by name.
        options: the run's.
        vocabulary: the run's.
        path: what `elmo_tf.stored_model.open_model` takes.
        seed: of new rows.

    Returns:
        A line that says what came from where.

    Raises:
        InputError: the model cannot be read, or is of another architecture.
    """
    with open_model(path) as stored:
        _check_architecture(stored, options)
        own = own_vocabulary(stored, vocabulary)
        whole = fitted(stored, vocabulary, own, seed)
        for name, variable in variables.items():
            variable.assign(whole.weights[name])
        kept = f"rows of {whole.copied:,} of {len(vocabulary):,} words" if stored.has_softmax else "a new softmax"
        told = "" if stored.vocab_file or not stored.has_softmax or own is None else ", --vocab_file taken for its own"
        return f"initialized from {stored.source}, with {kept}{told}"


def _check_architecture(stored: StoredModel, options: Options) -> None:
    theirs, ours = stored.options.architecture(), options.architecture()
    for name in {**ours, **theirs}:
        if name != "n_tokens_vocab" and theirs.get(name) != ours.get(name):
            raise InputError(
                f"--initialize_from={stored.path}: {name} is {theirs.get(name)}, this run asks for {ours.get(name)}: "
                f"take the model's own options for --options_file"
            )
