"""elmo-tf vocab: training text -> vocabulary file."""

import os
import sys
from collections.abc import Iterator, Sequence

from elmo_tf.cli import flags
from elmo_tf.cli.flags import FlagSet, FlagValues
from elmo_tf.data import text
from elmo_tf.data.vocabulary import SPECIALS, UNKNOWN, CorpusReport, build_vocabulary, count_corpus
from elmo_tf.errors import InputError
from elmo_tf.system.atomic_files import atomic_write

SUMMARY = "count the words of the training text and write the vocabulary"

DESCRIPTION = """
    Counts the words of tokenised text, writes the most frequent ones to a file, and reports on both.

        elmo-tf vocab --train_files='corpus/*.txt' --vocab_file=vocab.txt --min_count=3

    The vocabulary is what the model learns to predict: <S>, </S> and <UNK>, then words from the most frequent down, one
    a line. Words outside it are still read, by their letters; they count as <UNK> only where they are to be predicted.
    A word of more than --max_characters_per_token letters is cut, so many cut words ask for a higher limit.
    The next step is `elmo-tf train`.
"""


def define_flags(flag_set: FlagSet) -> None:
    """Declares the command's flags."""
    flags.train_files(flag_set)
    flags.vocab_file(flag_set, "the vocabulary to write, one word a line")
    flag_set.integer("max_vocab", 800_000, "the most lines to write, with <S>, </S> and <UNK>", lower=4)
    flag_set.integer("min_count", 1, "leave out words that come less often than this", lower=1)
    flag_set.integer(
        "max_characters_per_token",
        50,
        "only for the report: the character limit you will train with, of which the begin and end of a word take two",
        lower=3,
    )


def run(values: FlagValues, arguments: Sequence[str]) -> None:
    """Counts, writes the vocabulary and prints the report; `arguments` are not used."""
    paths = text.expand_patterns(values.train_files, "--train_files")
    _check_target(values.vocab_file, paths)
    # The target is opened first: a folder that cannot be written to shows before hours of counting, not after.
    with atomic_write(values.vocab_file) as temporary:
        counts, sentences = count_corpus(_announced(paths))
        if not counts:
            raise InputError(
                f"--train_files: no words in {_named(paths)}; expected a tokenised sentence a line",
                option="train_files",
            )
        vocabulary = build_vocabulary(counts, values.max_vocab, values.min_count)
        vocabulary.save(temporary)
    print(CorpusReport.of(counts, sentences, vocabulary, values.max_characters_per_token).describe())
    print(f"written to   {values.vocab_file}")
    covers_all = len(vocabulary) - len(SPECIALS) == sum(word not in SPECIALS for word in counts)
    if covers_all and UNKNOWN not in counts:
        print(
            "note: every word of the text is in the vocabulary, so no model can learn when to expect <UNK>, and words "
            "outside it count heavily in the perplexity of other texts; --min_count=2 leaves the rare words to <UNK>",
            file=sys.stderr,
        )


def _check_target(vocab_file: str, paths: Sequence[str]) -> None:
    for path in paths:
        if os.path.realpath(path) == os.path.realpath(vocab_file):
            raise InputError(
                f"--vocab_file={vocab_file} is one of --train_files; expected the name of a new file",
                path=vocab_file,
                option="vocab_file",
            )


def _named(paths: Sequence[str]) -> str:
    return paths[0] if len(paths) == 1 else f"these {len(paths)} files, from {paths[0]} to {paths[-1]}"


def _announced(paths: Sequence[str]) -> Iterator[str]:
    """Passes the files on; on a terminal says which one is being read."""
    for number, path in enumerate(paths, 1):
        if sys.stderr.isatty():
            print(f"reading {path} ({number} of {len(paths)})", file=sys.stderr)
        yield path
