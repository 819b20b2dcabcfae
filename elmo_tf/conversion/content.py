"""What goes into the files of a conversion: options, arrays and words of a stored model, as its new form wants them."""

import contextlib
from dataclasses import dataclass

from elmo_tf.conversion.settings import ConvertSettings
from elmo_tf.conversion.targets import NAMES, SIMPLE_ELMO
from elmo_tf.data.vocabulary import Vocabulary
from elmo_tf.errors import InputError
from elmo_tf.formats import hdf5
from elmo_tf.formats.arrays import Arrays
from elmo_tf.models.weight_names import SOFTMAX_PREFIX, check_shapes, expected_shapes
from elmo_tf.options import Options
from elmo_tf.store.file_names import OPTIONS_FILE, VOCAB_FILE
from elmo_tf.store.model_location import CHECKPOINT, TF1
from elmo_tf.store.stored_model import WORD_INPUT, StoredModel, read_softmax
from elmo_tf.store.vocabulary_transfer import own_vocabulary, transfer_vocabulary


@dataclass(frozen=True)
class Content:
    """What goes into the new files.

    Args:
        options: the model's.
        weights: the arrays by our names, those alone that are to be written.
        slots: Adagrad's accumulators; written where the form has a place for them.
        step: training steps taken; 0 where it is not known.
        vocabulary: the words; None where there are none to write.
        vocab_file: where they were read.
        notes: what starts anew, or was left out.
    """

    options: Options
    weights: Arrays
    slots: Arrays
    step: int
    vocabulary: Vocabulary | None
    vocab_file: str | None
    notes: tuple[str, ...]


def content_of(stored: StoredModel, settings: ConvertSettings, stack: contextlib.ExitStack) -> Content:
    """What to write.

    Args:
        stored: the model, open.
        settings: what is asked for.
        stack: closes what is opened here; the arrays can be read until then.

    Raises:
        InputError: the new form needs what neither the model nor a flag gives, or the parts do not fit together.
    """
    vocab_file = settings.vocab_file or stored.vocab_file
    vocabulary, notes = _words(stored, vocab_file, settings)
    if settings.softmax_file is not None:
        softmax = read_softmax(stack.enter_context(hdf5.open_hdf5(settings.softmax_file)))
        stored = _with_softmax(stored, softmax, vocabulary, vocab_file)
    if settings.form in (CHECKPOINT, TF1):
        return _whole(stored, vocabulary, vocab_file, settings)
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
    return Content(stored.options, stored.weights.only(wanted), stored.slots, 0, vocabulary, vocab_file, notes)


def _words(
    stored: StoredModel, vocab_file: str | None, settings: ConvertSettings
) -> tuple[Vocabulary | None, tuple[str, ...]]:
    """The vocabulary, or None where there is none; one beside the model that cannot be used, and need not be, is left
    out with a note."""
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
        return None, (f"{stored.told(error)}: the model reads characters, and was converted without a vocabulary",)
    return vocabulary, ()


def _check_count(stored: StoredModel, vocabulary: Vocabulary, vocab_file: str | None) -> None:
    words = stored.options.n_tokens_vocab
    if words is not None and len(vocabulary) != words:
        raise InputError(
            f"{vocab_file}: expected {words} words by {OPTIONS_FILE}, got {len(vocabulary)}", path=vocab_file
        )


def _with_softmax(
    stored: StoredModel, softmax: Arrays, vocabulary: Vocabulary | None, vocab_file: str | None
) -> StoredModel:
    """The model with another softmax, whose words are those of the vocabulary; Adagrad starts anew."""
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


def _whole(
    stored: StoredModel, vocabulary: Vocabulary | None, vocab_file: str | None, settings: ConvertSettings
) -> Content:
    """A whole language model, as training needs it."""
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
