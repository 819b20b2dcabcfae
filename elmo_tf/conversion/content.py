"""`Content`: the options, arrays and vocabulary that a conversion writes, as the new form needs them."""

import contextlib
from dataclasses import dataclass

from elmo_tf.conversion.settings import ConvertSettings
from elmo_tf.conversion.targets import NAMES, SIMPLE_ELMO
from elmo_tf.data.vocabulary import Vocabulary
from elmo_tf.errors import InputError
from elmo_tf.formats import hdf5
from elmo_tf.formats.array_checks import check_shapes
from elmo_tf.formats.arrays import Arrays
from elmo_tf.models.weight_names import SOFTMAX_PREFIX, expected_shapes
from elmo_tf.options import Options
from elmo_tf.store.file_names import OPTIONS_FILE, VOCAB_FILE
from elmo_tf.store.model_location import CHECKPOINT, TF1
from elmo_tf.store.open_model import read_softmax
from elmo_tf.store.stored_model import WORD_INPUT, StoredModel
from elmo_tf.store.vocabulary_transfer import own_vocabulary, transfer_vocabulary


@dataclass(frozen=True)
class Content:
    """The content of the new files.

    Args:
        options: the options of the model.
        weights: the arrays to write, by elmo_tf's names.
        slots: Adagrad's accumulators; written if the form has a place for them.
        step: the number of training steps; 0 if it is not known.
        vocabulary: the words to write; None if there are none.
        vocab_file: the file that the words were read from.
        notes: sentences on the parts that start from new values or were left out.
    """

    options: Options
    weights: Arrays
    slots: Arrays
    step: int
    vocabulary: Vocabulary | None
    vocab_file: str | None
    notes: tuple[str, ...]


def content_of(stored: StoredModel, settings: ConvertSettings, stack: contextlib.ExitStack) -> Content:
    """Collects the content of the new files.

    Args:
        stored: the model, open.
        settings: the settings of the conversion.
        stack: closes the files that are opened here; the arrays can be read until it does.

    Raises:
        InputError: the new form needs a part that neither the model nor a flag gives, or the parts do not fit together.
    """
    vocab_file = settings.vocab_file or stored.vocab_file
    vocabulary, notes = _read_vocabulary(stored, vocab_file, settings)
    if settings.softmax_file is not None:
        softmax = read_softmax(stack.enter_context(hdf5.open_hdf5(settings.softmax_file)))
        stored = _replace_softmax(stored, softmax, vocabulary, vocab_file)
    if settings.form in (CHECKPOINT, TF1):
        return _language_model_content(stored, vocabulary, vocab_file, settings)
    if vocabulary is None and stored.options.char_cnn is None:
        raise stored.without_vocabulary(WORD_INPUT)
    if vocabulary is None and settings.zipped and settings.target == SIMPLE_ELMO:
        raise InputError(
            f"--target={SIMPLE_ELMO} --zip: {NAMES[SIMPLE_ELMO]} wants {VOCAB_FILE} in a ZIP file, and none lies "
            f"beside {stored.path}: give --vocab_file",
            path=stored.path,
            option="vocab_file",
        )
    if vocabulary is not None:
        _check_count(stored, vocabulary, vocab_file)
    if settings.softmax and not stored.has_softmax:
        raise InputError(
            f"--softmax: {stored.weights_name} of {stored.path} holds none; give --softmax_file",
            path=stored.path,
            option="softmax",
        )
    wanted = expected_shapes(stored.options, settings.softmax or settings.softmax_file is not None)
    return Content(stored.options, stored.weights.select(wanted), stored.slots, 0, vocabulary, vocab_file, notes)


def _read_vocabulary(
    stored: StoredModel, vocab_file: str | None, settings: ConvertSettings
) -> tuple[Vocabulary | None, tuple[str, ...]]:
    """Reads the vocabulary; None if there is none.

    A vocabulary beside the model that is damaged or does not fit is left out, with a note, if the new form does not
    need it.
    """
    if vocab_file is None:
        return None, ()
    needed = (
        settings.vocab_file is not None
        or settings.softmax_file is not None
        or settings.softmax
        or settings.form in (CHECKPOINT, TF1)
        or (settings.zipped and settings.target == SIMPLE_ELMO)
        or stored.options.char_cnn is None
    )
    if needed:
        may_be_new = settings.form in (CHECKPOINT, TF1) or settings.softmax_file is not None
        read = stored.vocabulary if may_be_new else stored.vocabulary_of_rows
        return read(settings.vocab_file), ()
    try:
        vocabulary = Vocabulary.from_file(vocab_file)
        _check_count(stored, vocabulary, vocab_file)
    except InputError as error:
        return None, (
            f"{stored.message_of(error)}: the model reads characters and was converted without its vocabulary",
        )
    return vocabulary, ()


def _check_count(stored: StoredModel, vocabulary: Vocabulary, vocab_file: str | None) -> None:
    words = stored.options.n_tokens_vocab
    if words is not None and len(vocabulary) != words:
        raise InputError(
            f"{vocab_file}: expected {words} words by {OPTIONS_FILE}, got {len(vocabulary)}", path=vocab_file
        )


def _replace_softmax(
    stored: StoredModel, softmax: Arrays, vocabulary: Vocabulary | None, vocab_file: str | None
) -> StoredModel:
    """Returns the model with another softmax, for the words of the vocabulary; its accumulators start anew."""
    options = stored.options
    if vocabulary is None:
        raise InputError(
            f"{softmax.source}: expected the vocabulary of its rows: give --vocab_file", path=softmax.source
        )
    if options.char_cnn is not None:
        options = options.replace(n_tokens_vocab=len(vocabulary))
    shapes = {name: shape for name, shape in expected_shapes(options, True).items() if name.startswith(SOFTMAX_PREFIX)}
    check_shapes(shapes, softmax.shapes, softmax.source)
    return stored.with_softmax(softmax, options, vocab_file)


def _language_model_content(
    stored: StoredModel, vocabulary: Vocabulary | None, vocab_file: str | None, settings: ConvertSettings
) -> Content:
    """Collects the content of a form that training can resume from: it always includes the softmax."""
    if vocabulary is None:
        raise InputError(
            f"--format={settings.form}: no {VOCAB_FILE} lies beside {stored.path}: give --vocab_file",
            path=stored.path,
            option="vocab_file",
        )
    own = own_vocabulary(stored, vocabulary)
    if own is None and stored.has_softmax:
        raise InputError(
            f"{vocab_file}: expected {stored.options.n_tokens_vocab} words, those of the model, got {len(vocabulary)}",
            path=vocab_file,
        )
    whole = transfer_vocabulary(stored, vocabulary, own)
    return Content(whole.options, whole.weights, whole.slots, stored.step or 0, vocabulary, vocab_file, whole.notes)
