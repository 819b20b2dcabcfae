"""The text that a benchmark reads: the user's, or WikiText-2 if it lies beside the checkout, or a made-up one."""

import argparse
import itertools
import os
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from benchmarks import harness
from elmo_tf.data.vocabulary import Vocabulary
from elmo_tf.data.word_counts import build_vocabulary, count_corpus
from elmo_tf.errors import InputError
from elmo_tf.system.atomic_files import write_text

_SENTENCES, _TYPES, _MEAN_LENGTH = 20_000, 40_000, 24
"""Size of the made-up text: its number of sentences, its number of different words, and the mean length of a sentence.
It is about that of a quarter of WikiText-2."""


@dataclass(frozen=True)
class Text:
    """A training text and its vocabulary.

    Args:
        train_files: paths or patterns of the text.
        vocab_file: the vocabulary, with the number of words that was asked for.
        name: the name that is printed.
    """

    train_files: tuple[str, ...]
    vocab_file: str
    name: str


def define_flags(parser: argparse.ArgumentParser, vocabulary_size: int = 10_000) -> None:
    """Declares --train_files, --vocab_file and --vocabulary_size."""
    define_files(parser)
    parser.add_argument(
        "--vocabulary_size",
        type=harness.whole(4),
        default=vocabulary_size,
        help="use this many words from the start of the vocabulary; made-up words are added if needed (%(default)s)",
    )


def define_files(parser: argparse.ArgumentParser) -> None:
    """Declares --train_files and --vocab_file."""
    parser.add_argument(
        "--train_files",
        help="training text, a tokenised sentence a line: files or quoted patterns, comma-separated; not set: "
        "WikiText-2 in $ELMO_TF_SHARED or in ../shared, or else a made-up text",
    )
    parser.add_argument("--vocab_file", help="the text's vocabulary, sorted by frequency; not set: made from the text")


def find(arguments: argparse.Namespace, folder: str) -> Text:
    """Finds the text that the flags name, or makes one; writes the vocabulary, and a made-up text, to `folder`."""
    given = arguments.train_files or arguments.vocab_file
    wikitext2 = _wikitext2()
    if given and not arguments.train_files:
        raise InputError("--vocab_file goes with --train_files, got it alone", option="vocab_file")
    if given:
        files, vocab_file, name = tuple(arguments.train_files.split(",")), arguments.vocab_file, arguments.train_files
    elif wikitext2:
        files, vocab_file = (os.path.join(wikitext2, "train", "*.txt"),), os.path.join(wikitext2, "vocab.txt")
        name = "WikiText-2"
    else:
        path = os.path.join(folder, "made_up.txt")
        write_text(path, "\n".join(made_up_sentences(_SENTENCES)) + "\n")
        files, vocab_file, name = (path,), None, "made-up words, Zipf-distributed"
    return Text(files, _vocabulary_file(files, vocab_file, arguments.vocabulary_size, folder), name)


def _wikitext2() -> str | None:
    shared = os.environ.get("ELMO_TF_SHARED", os.path.join(os.path.dirname(harness.ROOT), "shared"))
    folder = os.path.join(shared, "data", "wikitext2")
    return folder if os.path.isdir(os.path.join(folder, "train")) else None


def _vocabulary_file(files: tuple[str, ...], vocab_file: str | None, size: int, folder: str) -> str:
    if vocab_file is None:
        from elmo_tf.data.text import expand_patterns

        words = build_vocabulary(count_corpus(expand_patterns(files, "--train_files"))[0]).words
    else:
        words = Vocabulary.from_file(vocab_file).words
    path = os.path.join(folder, f"vocabulary_{size}.txt")
    Vocabulary(with_size(words, size)).save(path)
    return path


def with_size(words: tuple[str, ...], size: int) -> tuple[str, ...]:
    """Returns the first `size` words, followed by made-up ones if there are fewer.

    >>> with_size(("<S>", "</S>", "<UNK>", "the", "cat"), 4)
    ('<S>', '</S>', '<UNK>', 'the')
    >>> with_size(("<S>", "</S>", "<UNK>", "the"), 6)
    ('<S>', '</S>', '<UNK>', 'the', '~0', '~1')
    """
    there = set(words)
    more = (word for word in (f"~{number}" for number in itertools.count()) if word not in there)
    return (*words[:size], *itertools.islice(more, max(0, size - len(words))))


def made_up_sentences(count: int, seed: int = 1) -> Iterator[str]:
    """Yields sentences of made-up words. The k-th word is 1/k times as frequent as the first; frequent words are short.

    >>> sentences = list(made_up_sentences(3))
    >>> sentences == list(made_up_sentences(3)), len(sentences)
    (True, 3)
    """
    random = np.random.default_rng(seed)
    ranks = np.arange(1, _TYPES + 1)
    lengths = np.maximum(1, np.round(random.normal(2 + 0.4 * np.log2(ranks), 1.5))).astype(int)
    letters = "".join(map(chr, random.integers(ord("a"), ord("z") + 1, lengths.sum())))
    ends = np.cumsum(lengths)
    # a number is appended to a word whose letters were drawn before
    found: set[str] = set()
    words: list[str] = []
    for end, length in zip(ends.tolist(), lengths.tolist(), strict=True):
        word = letters[end - length : end]
        words.append(word if word not in found else f"{word}{len(words)}")
        found.add(word)
    shares = np.cumsum(1.0 / ranks)
    for _ in range(count):
        length = 1 + int(random.poisson(_MEAN_LENGTH - 1))
        drawn = np.searchsorted(shares, random.random(length) * shares[-1])
        yield " ".join(words[number] for number in drawn.tolist())
