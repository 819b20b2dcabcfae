"""Checks of a training run's input, which find everything that can be wrong with it before the first step."""

import os
from collections.abc import Sequence
from dataclasses import dataclass

from elmo_tf.data.corpus import Corpus
from elmo_tf.data.corpus_cache import CorpusCache
from elmo_tf.data.encoded_corpus import EncodedCorpus
from elmo_tf.data.text import expand_patterns
from elmo_tf.data.vocabulary import Vocabulary
from elmo_tf.errors import InputError
from elmo_tf.options import Options
from elmo_tf.store.file_names import OPTIONS_FILE, VOCAB_FILE
from elmo_tf.store.model_hashes import check_hashes, remove_hashes, write_hashes
from elmo_tf.system import atomic_files
from elmo_tf.training.settings import TrainSettings

_FEWEST_TO_JUDGE = 1000
"""The number of words of a vocabulary and of a text below which the order of the vocabulary is not checked."""


@dataclass(frozen=True)
class RunInput:
    """The checked input of a run.

    Args:
        options: the model's options, with the counted `n_tokens_vocab` and `n_train_tokens`.
        vocabulary: the vocabulary.
        corpus: the training text.
        validation: the held-out text, or None.
        coverage: the share of the words in a sample of the training text that are in the vocabulary.
        notes: lines for people on what the run does otherwise than the options say.
        encoded: the training text as word numbers; None where it is read as text.
    """

    options: Options
    vocabulary: Vocabulary
    corpus: Corpus
    validation: Corpus | None
    coverage: float
    notes: tuple[str, ...] = ()
    encoded: EncodedCorpus | None = None


def check_validation_settings(settings: TrainSettings) -> None:
    """Raises an `InputError` where a setting is about validations and there is no held-out text to validate with."""
    if settings.valid_files:
        return
    for name in ("patience", "validation_steps", "validate_first"):
        value = getattr(settings, name)
        if value:
            flag = f"--{name}" if value is True else f"--{name}={value}"
            raise InputError(f"{flag}: expected --valid_files too, the text to validate with", option=name)


def check_run_input(
    options: Options,
    train_files: Sequence[str],
    valid_files: Sequence[str],
    vocab_file: str,
    parts: int,
    cache: CorpusCache | None = None,
    encodes: bool = True,
) -> RunInput:
    """Reads the vocabulary, counts the text, and checks that they fit each other and the options.

    Args:
        options: the model's options.
        train_files: names or patterns of the training text.
        valid_files: names or patterns of the held-out text; empty for no validation.
        vocab_file: the vocabulary's file.
        parts: replicas times accumulation steps.
        cache: where the training text is encoded while it is counted, or found encoded; None to count it alone.
        encodes: whether a text that is not found encoded is encoded, and not counted alone.

    Raises:
        InputError: something does not fit; the error is one sentence on the first thing that was found.
    """
    train_paths = expand_patterns(train_files, "--train_files")
    valid_paths = expand_patterns(valid_files, "--valid_files") if valid_files else []
    vocabulary = Vocabulary.from_file(vocab_file)
    given = options.n_tokens_vocab
    if given is not None and given != len(vocabulary):
        raise InputError(
            f"{vocab_file}: expected {given} words by n_tokens_vocab of the options, got {len(vocabulary)}",
            path=vocab_file,
        )
    encoded = None
    if cache is not None:
        encoded = (cache.encode if encodes else cache.find)(train_paths, vocabulary)
    corpus = Corpus.scan(train_paths) if encoded is None else encoded.corpus
    options = options.replace(n_tokens_vocab=len(vocabulary), n_train_tokens=corpus.words)
    words = corpus.sample()
    coverage = _check_coverage(words, vocabulary, vocab_file)
    _check_size(corpus, options, parts)
    options, notes = _choose_softmax(options)
    if options.training.sample_softmax:
        _check_sorted(words, vocabulary, vocab_file)
    validation = Corpus.scan(valid_paths) if valid_paths else None
    return RunInput(options, vocabulary, corpus, validation, coverage, notes, encoded)


def _check_coverage(words: Sequence[str], vocabulary: Vocabulary, vocab_file: str) -> float:
    specials = {vocabulary.words[n] for n in (vocabulary.begin, vocabulary.end, vocabulary.unknown)}
    known = sum(1 for word in words if word in vocabulary.ids and word not in specials)
    if not known:
        raise InputError(
            f"{vocab_file} covers none of {len(words)} words of the training text, such as {words[0]!r}: "
            "make it with elmo-tf vocab from the same text",
            path=vocab_file,
        )
    return known / len(words)


def _check_sorted(words: Sequence[str], vocabulary: Vocabulary, vocab_file: str) -> None:
    """Checks that the frequent words come first in the vocabulary, as the draw of negative samples supposes.

    In a text of any language more than half of the words are in the first tenth of a vocabulary sorted by frequency,
    and about a tenth are in that of an alphabetical one.
    """
    size = len(vocabulary)
    if size < _FEWEST_TO_JUDGE or len(words) < _FEWEST_TO_JUDGE:
        return
    share = sum(1 for word in words if vocabulary.ids.get(word, size) < size // 10) / len(words)
    if share < 0.25:
        raise InputError(
            f"{vocab_file} is not sorted by frequency, which the sampled softmax needs: its first tenth holds "
            f"{share:.0%} of the words of the training text; make it with elmo-tf vocab, or train with "
            "--nosample_softmax",
            path=vocab_file,
        )


def _check_size(corpus: Corpus, options: Options, parts: int) -> None:
    training = options.training
    needed = parts * training.batch_size * training.unroll_steps
    if corpus.predictions < needed:
        raise InputError(
            f"the training text has {corpus.predictions} tokens, sentence ends counted; one batch takes {needed}: "
            f"{parts} times (by replicas and accumulation steps) --batch_size={training.batch_size} rows of "
            f"--unroll_steps={training.unroll_steps}",
            option="batch_size",
        )


def _choose_softmax(options: Options) -> tuple[Options, tuple[str, ...]]:
    """Takes the full softmax where the vocabulary is too small to sample from, or as small as `full_softmax_words`.

    The sampled softmax draws distinct words. With as many of them as the vocabulary has, it would compute the logits of
    all words, and so cost more than the full softmax, which needs no correction for the draw.
    """
    training, words = options.training, options.n_tokens_vocab or 0
    if not training.sample_softmax or words > max(training.n_negative_samples_batch, training.full_softmax_words):
        return options, ()
    note: tuple[str, ...] = ()
    if words <= training.n_negative_samples_batch:
        note = (
            f"note: the vocabulary has {words:,} words, no more than --n_negative_samples_batch="
            f"{training.n_negative_samples_batch}: the full softmax is trained",
        )
    return options.replace(sample_softmax=False), note


def check_model_folder(model_dir: str, prepared: RunInput) -> None:
    """Checks that any `options.json` and `vocab.txt` in the model's folder are those of this run's model.

    Raises:
        InputError: the folder holds a model with another architecture or vocabulary, or its files have been changed.
    """
    check_hashes(model_dir)
    options_path, vocab_path = os.path.join(model_dir, OPTIONS_FILE), os.path.join(model_dir, VOCAB_FILE)
    if os.path.exists(options_path):
        _check_same_architecture(Options.from_file(options_path), prepared.options, options_path)
    if os.path.exists(vocab_path):
        there = Vocabulary.from_file(vocab_path)
        if there.words != prepared.vocabulary.words:
            raise InputError(
                f"{vocab_path} differs from --vocab_file: take that one, or a new --model_dir", path=vocab_path
            )


def write_model_folder(model_dir: str, prepared: RunInput) -> None:
    """Writes `options.json`, `vocab.txt` and their hashes into the model's folder, which is made if it is missing."""
    atomic_files.make_folder(model_dir)
    remove_hashes(model_dir)
    prepared.options.write(os.path.join(model_dir, OPTIONS_FILE))
    prepared.vocabulary.save(os.path.join(model_dir, VOCAB_FILE))
    write_hashes(model_dir)


def _check_same_architecture(there: Options, wanted: Options, path: str) -> None:
    if there.n_tokens_vocab is None:  # a file that a user wrote; the vocabulary is compared by itself
        there = there.replace(n_tokens_vocab=wanted.n_tokens_vocab)
    old, new = there.architecture(), wanted.architecture()
    for name in {**new, **old}:
        if old.get(name) != new.get(name):
            raise InputError(
                f"{path}: {name} is {old.get(name)}, this run asks for {new.get(name)}: take a new --model_dir",
                path=path,
                option=name,
            )
