"""`elmo-tf vocab`."""

import os
import sys
from collections.abc import Iterator, Sequence

from elmo_tf.cli import flags
from elmo_tf.cli.flags import FlagSet, FlagValues
from elmo_tf.data import text
from elmo_tf.data.vocabulary import SPECIALS, UNKNOWN
from elmo_tf.data.word_counts import CorpusReport, build_vocabulary, count_corpus
from elmo_tf.errors import InputError
from elmo_tf.system.atomic_files import atomic_write, check_output

SUMMARY = "count the words of the training text and write the vocabulary"

DESCRIPTION = """
    Counts the words of tokenised text, writes the most frequent ones to a file, and prints a report on both.

        elmo-tf vocab --train_files='corpus/*.txt' --vocab_file=vocab.txt --min_count=3

    The vocabulary lists the words that the model learns to predict, one per line: <S>, </S> and <UNK>, then the words
    of the text, the most frequent first. The model reads other words by their letters, and predicts them as <UNK>. It
    cuts a word that is longer than --max_characters_per_token; if the report counts many cut words, raise that limit.
    The next step is `elmo-tf train`.
"""


def define_flags(flag_set: FlagSet) -> None:
    """Declares the command's flags."""
    flags.train_files(flag_set)
    flags.vocab_file(flag_set, "the vocabulary file to write, one word per line")
    flag_set.integer(
        "max_vocab", 800_000, "the largest number of words to write, including <S>, </S> and <UNK>", lower=4
    )
    flag_set.integer("min_count", 1, "leave out words that occur less often than this", lower=1)
    flag_set.integer(
        "max_characters_per_token",
        50,
        "only for the report: the limit that you will train with; the begin and the end of a word take two of it",
        lower=3,
    )
    flags.overwrite(flag_set, "replace a vocabulary file that exists")


def run(values: FlagValues, arguments: Sequence[str]) -> None:
    """Counts the words, writes the vocabulary and prints the report; `arguments` are not used."""
    paths = text.expand_patterns(values.train_files, "--train_files")
    _check_target(values.vocab_file, paths)
    check_output(values.vocab_file, values.overwrite)
    # The output file is opened first, so that a folder without write permission is noticed before hours of counting.
    with atomic_write(values.vocab_file) as temporary:
        counts, sentences = count_corpus(_report_each(paths))
        if not counts:
            raise InputError(
                f"--train_files: no words in {_name(paths)}; expected a tokenised sentence a line",
                option="train_files",
            )
        vocabulary = build_vocabulary(counts, values.max_vocab, values.min_count)
        vocabulary.save(temporary)
    print(CorpusReport.of(counts, sentences, vocabulary, values.max_characters_per_token).describe())
    print(f"written to   {values.vocab_file}")
    covers_all = len(vocabulary) - len(SPECIALS) == sum(word not in SPECIALS for word in counts)
    if covers_all and UNKNOWN not in counts:
        print(
            "note: every word of the text is in the vocabulary, so a model cannot learn when to predict <UNK>, and "
            "unknown words raise the perplexity of other texts sharply; --min_count=2 turns rare words into <UNK>",
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


def _name(paths: Sequence[str]) -> str:
    return paths[0] if len(paths) == 1 else f"these {len(paths)} files, from {paths[0]} to {paths[-1]}"


def _report_each(paths: Sequence[str]) -> Iterator[str]:
    """Yields the files, and prints to a terminal which one is being read."""
    for number, path in enumerate(paths, 1):
        if sys.stderr.isatty():
            print(f"reading {path} ({number} of {len(paths)})", file=sys.stderr)
        yield path
