"""From any form of a model to any other: read one array at a time, written aside, read back, compared, then renamed."""

import concurrent.futures
import contextlib
import glob
import json
import os
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass

from elmo_tf import files
from elmo_tf.checkpoint import BEST, LATEST, write_imported
from elmo_tf.data.vocabulary import Vocabulary
from elmo_tf.errors import InputError
from elmo_tf.exchange import hdf5, safetensors_files
from elmo_tf.exchange.archives import SOFTMAX_FILE
from elmo_tf.exchange.arrays import Arrays
from elmo_tf.exchange.names import SOFTMAX_PREFIX, check_shapes, expected_shapes
from elmo_tf.exchange.targets import ALLENNLP, NAMES, READS, SIMPLE_ELMO, limits
from elmo_tf.exchange.tensorflow_files import write_tf1
from elmo_tf.fitting import fitted, own_vocabulary
from elmo_tf.options import Options
from elmo_tf.preparation import OPTIONS_FILE, VOCAB_FILE
from elmo_tf.self_check import SelfCheck
from elmo_tf.stored_model import (
    CHECKPOINT,
    HDF5,
    NLPL_WEIGHTS_FILE,
    SAFETENSORS,
    SAFETENSORS_FILE,
    TF1,
    WEIGHTS_FILE,
    StoredModel,
    open_model,
    read_softmax,
)

_OF_A_MODEL = (
    BEST,
    LATEST,
    "checkpoint",
    "*.index",
    "*.safetensors",
    "*" + WEIGHTS_FILE,
    NLPL_WEIGHTS_FILE,
    SOFTMAX_FILE,
    "*" + OPTIONS_FILE,
    VOCAB_FILE,
    VOCAB_FILE + ".gz",
)
"""Files and folders that are, or would count as, parts of a model."""


@dataclass(frozen=True)
class ConvertSettings:
    """What to write, and how.

    Args:
        form: "hdf5", "checkpoint", "tf1" or "safetensors".
        zipped: whether to write a ZIP file as those of the NLPL repository; of "hdf5" alone.
        softmax: whether to write the softmax too, where the form can do without it ("hdf5", "safetensors").
        target: "allennlp", "bilm-tf" or "simple_elmo", whose limits the model must keep; None for no such check.
        vocab_file: the vocabulary, where the model lies without one; or a new one ("checkpoint", "tf1").
        softmax_file: a `softmax.hdf5` to take in place of the model's softmax, or where it has none.
    """

    form: str = HDF5
    zipped: bool = False
    softmax: bool = False
    target: str | None = None
    vocab_file: str | None = None
    softmax_file: str | None = None


@dataclass(frozen=True)
class Converted:
    """What was written.

    Args:
        source: the file that the weights came from.
        paths: the files.
        arrays: number of arrays written, accumulators apart.
        numbers: how many numbers these hold.
        difference: largest difference between vectors of the source and of what was written.
        limits: why AllenNLP cannot load the model, if it cannot.
        notes: what started anew.
    """

    source: str
    paths: tuple[str, ...]
    arrays: int
    numbers: int
    difference: float
    limits: tuple[str, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Content:
    """What goes into the new files."""

    options: Options
    weights: Arrays
    slots: Arrays
    step: int
    vocabulary: Vocabulary | None
    vocab_file: str | None
    notes: tuple[str, ...]


def convert(
    model_dir: str, output_dir: str, which: str | None = None, settings: ConvertSettings | None = None
) -> Converted:
    """Writes a model in another form, with its `options.json` and `vocab.txt`; all files, or none.

    The weights are copied as they are. What was written is read back, every array compared, and a few sentences are
    embedded from the source and from what was written.

    A folder that holds a model already is refused, for what stayed there of the old one, its softmax or vocabulary,
    would count as the new one's. To HDF5 the folder of the training run that is converted may be given: it keeps its
    options and vocabulary.

    Args:
        model_dir: what `elmo_tf.stored_model.open_model` takes.
        output_dir: the new folder; made if it is missing. Of a ZIP file the name, with or without `.zip`.
        which: of the checkpoints "best" or "latest"; None for the best if there is one.
        settings: what to write; HDF5 where it is left out.

    Raises:
        InputError: the model cannot be read, the target cannot load it, what was written differs, or the folder cannot
            be written.
    """
    settings = settings or ConvertSettings()
    _check_output(output_dir, settings)
    with open_model(model_dir, which) as stored:
        _check_target(stored.options, settings)
        own = not settings.zipped and _is_own(stored, output_dir, settings)
        if not settings.zipped:
            _check_folder(output_dir, settings, own)
        with contextlib.ExitStack() as stack:
            content = _content(stored, settings, stack)
            check = SelfCheck(content.options, content.weights, content.vocabulary)
            folder = os.path.dirname(_zip_name(output_dir)) if settings.zipped else output_dir
            target = _zip_name(output_dir) if settings.zipped else output_dir
            with files.replacing_in(folder) as temporary, _named_as(target, temporary):
                with concurrent.futures.ThreadPoolExecutor(1) as aside:
                    writing = aside.submit(_write, temporary, check.arrays(), content, settings)
                    check.embed()
                    writing.result()
                    written = _pack(temporary, _zip_name(output_dir)) if settings.zipped else temporary
                    syncing = aside.submit(files.sync, temporary)
                    difference = _checked(written, check, content)
                    syncing.result()
                if own:
                    _leave_out_what_is_there(temporary, folder)
                names = _sorted_files(temporary)
    return Converted(
        source=stored.source,
        paths=tuple(os.path.join(folder, name) for name in names),
        arrays=len(content.weights),
        numbers=content.weights.size,
        difference=difference,
        limits=tuple(limits(content.options, ALLENNLP)) if settings.form == HDF5 else (),
        notes=content.notes,
    )


def allennlp_limits(options: Options) -> list[str]:
    """What in a model AllenNLP's `Elmo` cannot load; empty for one that it can.

    Example:

    >>> allennlp_limits(Options.from_dict({"lstm": {"dim": 8, "projection_dim": 4, "use_skip_connections": True}}))
    ['it reads word ids']
    """
    return limits(options, ALLENNLP)


def _zip_name(output_dir: str) -> str:
    return output_dir if output_dir.endswith(".zip") else output_dir.rstrip("/") + ".zip"


def _check_output(output_dir: str, settings: ConvertSettings) -> None:
    if settings.zipped:
        if settings.form != HDF5:
            raise InputError(f"--zip: expected --format={HDF5}, got --format={settings.form}")
        if os.path.isdir(_zip_name(output_dir)):
            raise InputError(f"--output_dir={output_dir}: {_zip_name(output_dir)} is a folder; expected a ZIP file")
        if os.path.lexists(_zip_name(output_dir)):
            raise InputError(f"--output_dir={output_dir}: {_zip_name(output_dir)} is there already: give a new name")
        return
    if os.path.exists(output_dir) and not os.path.isdir(output_dir):
        raise InputError(f"--output_dir={output_dir} is a file; expected a folder")
    if settings.softmax and settings.form not in (HDF5, SAFETENSORS):
        raise InputError(f"--softmax: --format={settings.form} always has its softmax")


def _is_own(stored: StoredModel, output_dir: str, settings: ConvertSettings) -> bool:
    """Whether HDF5 goes into the folder of the training run that it is made from."""
    is_same = os.path.isdir(output_dir) and os.path.isdir(stored.path) and os.path.samefile(stored.path, output_dir)
    return is_same and stored.form == CHECKPOINT and settings.form == HDF5


def _check_folder(output_dir: str, settings: ConvertSettings, own: bool) -> None:
    """Refuses a folder with any file that would count as a part of the new model, or be overwritten."""
    for flag, value in (("vocab_file", settings.vocab_file), ("softmax_file", settings.softmax_file)):
        if own and value is not None:
            raise InputError(f"--{flag}: {output_dir} keeps its run's options and vocabulary: give a new folder")
    kept = (BEST, LATEST, OPTIONS_FILE, VOCAB_FILE) if own else ()
    for pattern in _OF_A_MODEL:
        for path in sorted(glob.glob(os.path.join(glob.escape(output_dir), pattern))):
            given = settings.vocab_file is not None and os.path.exists(path) and os.path.exists(settings.vocab_file)
            if os.path.basename(path) in kept or (given and os.path.samefile(path, settings.vocab_file or path)):
                continue
            there = os.path.basename(path)
            raise InputError(
                f"--output_dir={output_dir} holds a model already, or part of one, {there}: give a new folder"
            )


def _leave_out_what_is_there(temporary: str, folder: str) -> None:
    """Options and vocabulary of the run's own folder stay as they are."""
    for name in (OPTIONS_FILE, VOCAB_FILE):
        if os.path.exists(os.path.join(folder, name)) and os.path.exists(os.path.join(temporary, name)):
            os.remove(os.path.join(temporary, name))


@contextlib.contextmanager
def _named_as(target: str, temporary: str) -> Iterator[None]:
    """Errors say what is to be written, not the temporary folder that nobody will find."""
    try:
        yield
    except InputError as error:
        told = str(error).replace(os.path.join(temporary, os.path.basename(target)), target).replace(temporary, target)
        raise InputError(told) from error


def _check_target(options: Options, settings: ConvertSettings) -> None:
    target = settings.target
    if target is None:
        return
    if settings.form not in READS[target]:
        forms = " or ".join(f"--format={form}" for form in READS[target])
        raise InputError(f"--target={target}: expected {forms}, got --format={settings.form}")
    found = limits(options, target, settings.form)
    if found:
        raise InputError(f"--target={target}: {NAMES[target]} cannot load this model: {'; '.join(found)}")


def _content(stored: StoredModel, settings: ConvertSettings, stack: contextlib.ExitStack) -> _Content:
    """What to write; the files that are opened for it close with `stack`."""
    vocab_file = settings.vocab_file or stored.vocab_file
    vocabulary = stored.vocabulary(settings.vocab_file)
    if settings.softmax_file is not None:
        softmax = read_softmax(stack.enter_context(hdf5.opened(settings.softmax_file)))
        stored = _with_softmax(stored, softmax, vocabulary, vocab_file)
    if settings.form in (CHECKPOINT, TF1):
        return _whole(stored, vocabulary, vocab_file, settings)
    words = stored.options.n_tokens_vocab
    if vocabulary is None and stored.options.char_cnn is None:
        raise InputError(
            f"{stored.path}/{VOCAB_FILE}: no such file; a model with word input cannot be used without its vocabulary: "
            "give --vocab_file"
        )
    if vocabulary is None and settings.zipped and settings.target == SIMPLE_ELMO:
        raise InputError(
            f"--target={SIMPLE_ELMO} --zip: {NAMES[SIMPLE_ELMO]} wants {VOCAB_FILE} in a ZIP file, and none lies "
            f"beside {stored.path}: give --vocab_file"
        )
    if vocabulary is not None and words is not None and len(vocabulary) != words:
        raise InputError(f"{vocab_file}: expected {words} words by {OPTIONS_FILE}, got {len(vocabulary)}")
    if settings.softmax and not stored.has_softmax:
        raise InputError(f"--softmax: {stored.weights_name} of {stored.path} holds none; give --softmax_file")
    wanted = expected_shapes(stored.options, settings.softmax)
    return _Content(stored.options, stored.weights.only(wanted), stored.slots, 0, vocabulary, vocab_file, ())


def _with_softmax(
    stored: StoredModel, softmax: Arrays, vocabulary: Vocabulary | None, vocab_file: str | None
) -> StoredModel:
    """The model with another softmax, whose words are those of the vocabulary; Adagrad starts anew."""
    options = stored.options
    if vocabulary is None:
        raise InputError(f"{softmax.source}: expected the vocabulary of its rows: give --vocab_file")
    if options.char_cnn is not None:
        options = options.replace(n_tokens_vocab=len(vocabulary))
    shapes = {name: shape for name, shape in expected_shapes(options, True).items() if name.startswith(SOFTMAX_PREFIX)}
    check_shapes(shapes, softmax.shapes, softmax.source)
    return stored.with_softmax(softmax, options, vocab_file)


def _whole(
    stored: StoredModel, vocabulary: Vocabulary | None, vocab_file: str | None, settings: ConvertSettings
) -> _Content:
    """A whole language model, as training needs it."""
    if vocabulary is None:
        raise InputError(f"--format={settings.form}: no {VOCAB_FILE} lies beside {stored.path}: give --vocab_file")
    own = own_vocabulary(stored, vocabulary)
    if own is None and stored.has_softmax:
        raise InputError(
            f"{vocab_file}: expected {stored.options.n_tokens_vocab} words, those of the model, got {len(vocabulary)}"
        )
    whole = fitted(stored, vocabulary, own)
    return _Content(whole.options, whole.weights, whole.slots, stored.step or 0, vocabulary, vocab_file, whole.notes)


def _pack(folder: str, target: str) -> str:
    """Moves what lies in a folder into one ZIP file there, uncompressed: weights hardly shrink, and readers jump about
    in them. Returns its path."""
    names, path = _sorted_files(folder), os.path.join(folder, os.path.basename(target))
    try:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
            for name in names:
                archive.write(os.path.join(folder, name), name)
                os.remove(os.path.join(folder, name))
    except OSError as error:
        raise InputError(f"{target} cannot be written: {error.strerror or error}") from error
    return path


def _weights_name(settings: ConvertSettings) -> str:
    return NLPL_WEIGHTS_FILE if settings.zipped or settings.target == SIMPLE_ELMO else WEIGHTS_FILE


def _write(folder: str, weights: Arrays, content: _Content, settings: ConvertSettings) -> None:
    """Writes everything, the weights last."""
    options = content.options.to_dict()
    if settings.form == TF1 and content.options.char_cnn is not None:
        options["char_cnn"]["n_characters"] = 261  # bilm-tf asks for it to train and to dump, and for 262 afterwards
    files.write_text(os.path.join(folder, OPTIONS_FILE), json.dumps(options, indent=1) + "\n")
    if content.vocabulary is not None and content.vocab_file is not None:
        if content.vocab_file.endswith(".gz"):
            content.vocabulary.save(os.path.join(folder, VOCAB_FILE))
        else:
            files.copy(content.vocab_file, os.path.join(folder, VOCAB_FILE))
    if settings.form == HDF5:
        _write_hdf5(folder, weights, settings)
    elif settings.form == SAFETENSORS:
        metadata = {"options": json.dumps(options)}
        safetensors_files.write_file(os.path.join(folder, SAFETENSORS_FILE), weights, metadata)
    elif settings.form == TF1:
        write_tf1(folder, weights, content.slots, content.options, content.step)
    else:
        write_imported(folder, weights, content.slots, content.step)


def _write_hdf5(folder: str, weights: Arrays, settings: ConvertSettings) -> None:
    softmax = {name: None for name in weights if name.startswith(SOFTMAX_PREFIX)}
    rest = weights.only({name: None for name in weights if name not in softmax})
    path = os.path.join(folder, _weights_name(settings))
    hdf5.write_file(path, rest)
    if softmax:
        hdf5.write_file(os.path.join(folder, SOFTMAX_FILE), weights.only(softmax))


def _checked(written: str, check: SelfCheck, content: _Content) -> float:
    """Opens what was written as anybody would, and compares; the difference of the vectors."""
    with open_model(written) as again:
        if again.options.architecture() != content.options.architecture():
            raise InputError(f"{written}: {OPTIONS_FILE} read back differs from what was written: a bad disk?")
        for name in again.slots:
            if (again.slots[name] != content.slots[name]).any():
                raise InputError(f"{written}: Adagrad's array {name} read back differs: a bad disk?")
        return check.difference(again.weights, written)


def _sorted_files(folder: str) -> list[str]:
    """The files below a folder, in a fixed order, the weights first."""
    found = [
        os.path.relpath(os.path.join(inside, name), folder) for inside, _, names in os.walk(folder) for name in names
    ]
    small = (OPTIONS_FILE, VOCAB_FILE)
    return sorted(name for name in found if name not in small) + [name for name in small if name in found]
