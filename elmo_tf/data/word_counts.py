"""Counts the words of a corpus, builds a vocabulary from the counts, and reports how well the vocabulary fits."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from elmo_tf.data import characters, text
from elmo_tf.data.vocabulary import SPECIALS, UNKNOWN, Vocabulary
from elmo_tf.errors import InputError


def count_corpus(paths: Iterable[str]) -> tuple[Counter[str], int]:
    """Counts how often each word occurs in tokenised text files, and how many sentences (lines with a word) they hold.

    The files, plain or .gz, are read as a stream: the memory needed grows with the number of distinct words alone.
    """
    counts: Counter[str] = Counter()
    sentences = 0
    for path in paths:
        for line in text.iterate_lines(path):
            words = line.split()
            if words:
                sentences += 1
                counts.update(words)
    return counts, sentences


def build_vocabulary(counts: Mapping[str, int], max_vocab: int = 800_000, min_count: int = 1) -> Vocabulary:
    """Builds a vocabulary: the three special words, then the most frequent words by falling count.

    Words of equal count are sorted by code points, so that equal counts always give the same file.

    Args:
        counts: how often each word occurs; special words among them are not listed twice.
        max_vocab: the largest number of words, the three special ones included; at least 4.
        min_count: words that occur less often are left out.

    Raises:
        InputError: `max_vocab` is below 4, or no word occurs `min_count` times.

    >>> build_vocabulary({"b": 2, "a": 2, "rare": 1, "the": 5}, max_vocab=6).words
    ('<S>', '</S>', '<UNK>', 'the', 'a', 'b')
    """
    if max_vocab <= len(SPECIALS):
        raise InputError(
            f"max_vocab is {max_vocab}; expected at least 4: <S>, </S>, <UNK> and one word", option="max_vocab"
        )
    frequent = [(-count, word) for word, count in counts.items() if count >= min_count and word not in SPECIALS]
    if not frequent:
        most = max((count for word, count in counts.items() if word not in SPECIALS), default=0)
        raise InputError(
            f"no word comes min_count={min_count} times; the most frequent comes {most} times", option="min_count"
        )
    frequent.sort()
    return Vocabulary((*SPECIALS, *(word for _, word in frequent[: max_vocab - len(SPECIALS)])))


@dataclass(frozen=True)
class CorpusReport:
    """How well a vocabulary and a limit of characters fit a corpus; shares are from 0 to 1.

    Attributes:
        tokens, types, sentences: numbers of words, of distinct words and of lines with a word in the corpus.
        vocabulary_size: number of words of the vocabulary, the three special ones included.
        coverage: share of tokens in the vocabulary; a literal `<UNK>` in the text counts as not covered.
        max_characters: the length of a word's row of character ids, two of which are no bytes of the word.
        tokens_cut, types_cut: shares of tokens and of distinct words that lose bytes at that limit.
    """

    tokens: int
    types: int
    sentences: int
    vocabulary_size: int
    coverage: float
    max_characters: int
    tokens_cut: float
    types_cut: float

    @classmethod
    def of(
        cls, counts: Mapping[str, int], sentences: int, vocabulary: Vocabulary, max_characters: int
    ) -> "CorpusReport":
        """Makes the report on a corpus from the results of `count_corpus`."""
        tokens = sum(counts.values())
        covered = sum(count for word, count in counts.items() if word in vocabulary.ids and word != UNKNOWN)
        cut = _counts_of_cut_words(counts, max_characters)
        return cls(
            tokens=tokens,
            types=len(counts),
            sentences=sentences,
            vocabulary_size=len(vocabulary),
            coverage=covered / max(tokens, 1),
            max_characters=max_characters,
            tokens_cut=sum(cut) / max(tokens, 1),
            types_cut=len(cut) / max(len(counts), 1),
        )

    def describe(self) -> str:
        """The report as four lines of text."""
        return "\n".join(
            [
                f"corpus       {self.tokens:,} tokens, {self.types:,} distinct words, {self.sentences:,} sentences",
                f"vocabulary   {self.vocabulary_size:,} words, with <S>, </S> and <UNK>",
                f"coverage     {_format_percent(self.coverage)} of tokens are in the vocabulary",
                f"cut          {_format_percent(self.tokens_cut)} of tokens, "
                f"{_format_percent(self.types_cut)} of distinct words are longer than {self.max_characters - 2} bytes",
            ]
        )


def _counts_of_cut_words(counts: Mapping[str, int], max_characters: int) -> list[int]:
    """The counts of the words that are too long for `max_characters`."""
    is_cut = characters.is_truncated(list(counts), max_characters)
    values = list(counts.values())
    return [values[number] for number in np.flatnonzero(is_cut)]


def _format_percent(share: float) -> str:
    """Formats a share as a percentage; only shares of exactly 0 and 1 become `0 %` and `100 %`.

    >>> [_format_percent(share) for share in (0.98765, 0.000001, 0.999999, 1.0)]
    ['98.77 %', 'under 0.01 %', 'over 99.99 %', '100 %']
    """
    if share in (0.0, 1.0):
        return f"{100 * share:.0f} %"
    if share < 0.00005:
        return "under 0.01 %"
    return "over 99.99 %" if share >= 0.99995 else f"{100 * share:.2f} %"
