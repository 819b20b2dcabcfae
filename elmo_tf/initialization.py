"""A new run that starts from a trained model's weights, whatever form it lies in: fine-tuning."""

from collections.abc import Iterator, Mapping

import tensorflow as tf

from elmo_tf.data.vocabulary import Vocabulary
from elmo_tf.errors import InputError
from elmo_tf.fitting import Fitted, fitted, has_rows_by_word, own_vocabulary
from elmo_tf.options import Options
from elmo_tf.stored_model import StoredModel, open_model


def initialize(
    variables: Mapping[str, tf.Variable],
    options: Options,
    vocabulary: Vocabulary,
    path: str,
    seed: int = 1,
    vocab_file: str | None = None,
) -> tuple[str, ...]:
    """Assigns the weights of a trained model to those of a new run; Adagrad and the step stay as they are.

    Everything but the softmax is taken over as it is. Of the softmax (and of the table of a model with word input) the
    rows of words in both vocabularies are, by word; a model without one, such as a published HDF5 file, gets a new one.

    Args:
        variables: the run's, by name.
        options: the run's.
        vocabulary: the run's.
        path: what `elmo_tf.stored_model.open_model` takes.
        seed: of new rows.
        vocab_file: the model's own vocabulary, where none lies beside it. Without either, the run's is taken for it
            where it has as many words as the model.

    Returns:
        A line that says what came from where, and one for what was supposed.

    Raises:
        InputError: the model cannot be read, or is of another architecture, or a vocabulary does not fit it.
    """
    with open_model(path) as stored:
        _check_architecture(stored, options)
        own = own_vocabulary(stored, vocabulary, vocab_file)
        if own is None and options.char_cnn is None:
            raise InputError(
                f"--initialize_from={path}: the model reads word ids, and no vocabulary beside it says of which words: "
                "give --initialize_vocab_file"
            )
        whole = fitted(stored, vocabulary, own, seed)
        for name, variable in variables.items():
            variable.assign(whole.weights[name])
        return tuple(_told(stored, vocabulary, own, whole, vocab_file))


def _told(
    stored: StoredModel, vocabulary: Vocabulary, own: Vocabulary | None, whole: Fitted, vocab_file: str | None
) -> Iterator[str]:
    kept = "a new softmax"
    if stored.has_softmax:
        kept = f"rows of {whole.copied:,} of {len(vocabulary):,} words"
        if own is None:
            kept += ": no vocabulary beside it says whose its rows are; --initialize_vocab_file does"
    yield f"initialized from {stored.source}, with {kept}"
    if vocab_file is not None and not has_rows_by_word(stored):
        yield "note: the model has no softmax, and so --initialize_vocab_file was not needed"
    elif vocab_file is None and stored.vocab_file is None and own is not None:
        yield (
            "note: --vocab_file was taken for the model's own vocabulary, for none lies beside it and the count of "
            f"words, {len(own):,}, is the same; if its own is another, give it as --initialize_vocab_file"
        )


def _check_architecture(stored: StoredModel, options: Options) -> None:
    theirs, ours = stored.options.architecture(), options.architecture()
    for name in {**ours, **theirs}:
        if name != "n_tokens_vocab" and theirs.get(name) != ours.get(name):
            raise InputError(
                f"--initialize_from={stored.path}: {name} is {theirs.get(name)}, this run asks for {ours.get(name)}: "
                f"take the model's own options for --options_file"
            )
