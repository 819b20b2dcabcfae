"""The words that the language model can predict: the file, its checks, and how one is made from a corpus.

A vocabulary file has one word a line, and the line number, from 0, is the word's id. `<S>`, `</S>` and `<UNK>` must be
among them. All others stand by falling frequency, on which the sampled softmax relies.
"""

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import InitVar, dataclass, field

import numpy as np

from elmo_tf.data import characters, text
from elmo_tf.errors import InputError, errors_about
from elmo_tf.system import atomic_files

BEGIN_SENTENCE = "<S>"
END_SENTENCE = "</S>"
UNKNOWN = "<UNK>"
SPECIALS = (BEGIN_SENTENCE, END_SENTENCE, UNKNOWN)


@dataclass(frozen=True, repr=False)
class Vocabulary:
    """Words and their ids; it does not change once made.

    Args:
        words: all words in the order of their ids, the three specials among them.
        source: what to call the vocabulary in an error, usually its file.

    Attributes:
        words: the words; `words[id]` is the word of an id.
        ids: the id of each word.
        begin, end, unknown: the ids of `<S>`, `</S>` and `<UNK>`.

    Raises:
        InputError: a word is empty, holds white space or comes twice, or a special is missing; with the line.

    >>> vocabulary = Vocabulary(("<S>", "</S>", "<UNK>", "the", "cat"))
    >>> len(vocabulary), vocabulary["cat"], vocabulary["dog"], vocabulary.words[3]
    (5, 4, 2, 'the')
    """

    words: tuple[str, ...]
    source: InitVar[str] = "the vocabulary"
    ids: dict[str, int] = field(init=False, compare=False)
    begin: int = field(init=False, compare=False)
    end: int = field(init=False, compare=False)
    unknown: int = field(init=False, compare=False)

    def __post_init__(self, source: str) -> None:
        words = tuple(self.words)
        ids = dict(zip(words, range(len(words)), strict=True))
        _check(words, ids, source)
        made = {"words": words, "ids": ids, "begin": ids["<S>"], "end": ids["</S>"], "unknown": ids["<UNK>"]}
        for name, value in made.items():
            object.__setattr__(self, name, value)

    def __len__(self) -> int:
        return len(self.words)

    def __getitem__(self, word: str) -> int:
        """The id of a word; that of `<UNK>` where the vocabulary lacks it."""
        return self.ids.get(word, self.unknown)

    def __contains__(self, word: object) -> bool:
        return word in self.ids

    def __iter__(self) -> Iterator[str]:
        return iter(self.words)

    def __repr__(self) -> str:
        return f"<Vocabulary of {len(self.words)} words>"

    @classmethod
    def from_file(cls, path: str | os.PathLike[str]) -> "Vocabulary":
        """Reads a vocabulary file: UTF-8, one word a line, plain or .gz.

        White space around a word and empty lines at the end are left out.

        Raises:
            InputError: the file cannot be read, is not UTF-8, is empty, or is none of the above; with file and line.
        """
        path = os.fspath(path)
        words = [line.strip() for line in text.iterate_lines(path)]
        while words and not words[-1]:
            words.pop()
        if not words:
            raise InputError(
                f"{path} is empty; expected a vocabulary, one word a line (`elmo-tf vocab` makes one)", path=path
            )
        with errors_about(path):
            return cls(tuple(words), source=path)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes one word a line in UTF-8, whole or not at all."""
        atomic_files.write_text(path, "\n".join(self.words) + "\n")


def _check(words: tuple[str, ...], ids: Mapping[str, int], source: str) -> None:
    # As bytes, for which only ASCII has white space: foreign vocabularies hold words with no-break spaces, which are
    # never met in a text that is split at white space, and do no harm.
    encoded = [word.encode("utf-8", "surrogatepass") for word in words]
    if b" ".join(encoded).split() != encoded:
        wrong = next(n for n, word in enumerate(encoded) if word.split() != [word])
        what = f"{words[wrong]!r} has white space inside" if words[wrong].strip() else "the line is empty"
        raise InputError(
            f"{source}, line {wrong + 1}: {what}; expected one word a line and nothing else", line=wrong + 1
        )
    if len(ids) != len(words):
        # A repeated word keeps its last id, so the first word found elsewhere than at its own id is the first repeat.
        first = next(n for n, word in enumerate(words) if ids[word] != n)
        second = words.index(words[first], first + 1)
        raise InputError(
            f"{source}, line {second + 1}: the word {words[first]!r} stands already on line {first + 1}; "
            "expected every word once, as its line is its id",
            line=second + 1,
        )
    missing = [word for word in SPECIALS if word not in ids]
    if missing:
        raise InputError(
            f"{source} lacks {' and '.join(missing)}; expected <S>, </S> and <UNK>, spelled exactly so, "
            "on lines of their own (`elmo-tf vocab` makes such a file)"
        )


def count_corpus(paths: Iterable[str]) -> tuple[Counter[str], int]:
    """How often each word comes in tokenised text files, and how many sentences (lines with a word) they hold.

    Files are read as a stream, plain or .gz; memory grows with the distinct words only.
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
    """The three specials, then the most frequent words; equal counts stand in code point order, so files repeat.

    Args:
        counts: how often each word comes; specials among them are not listed twice.
        max_vocab: the most lines, with the three specials; at least 4.
        min_count: words that come less often are left out.

    Raises:
        InputError: `max_vocab` is below 4, or no word comes `min_count` times.

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
    """What a vocabulary and a character limit make of a corpus; shares are from 0 to 1.

    Attributes:
        tokens, types, sentences: words, distinct words and lines with a word in the corpus.
        vocabulary_size: lines of the vocabulary, with the three specials.
        coverage: share of tokens in the vocabulary; a literal `<UNK>` in the text counts as not covered.
        max_characters: the length of a word's row of character ids; two of them are not letters.
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
        """The report on a corpus from what `count_corpus` returned."""
        tokens = sum(counts.values())
        covered = sum(count for word, count in counts.items() if word in vocabulary.ids and word != UNKNOWN)
        cut = _cut_counts(counts, max_characters)
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
        """A few lines to read."""
        return "\n".join(
            [
                f"corpus       {self.tokens:,} tokens, {self.types:,} distinct words, {self.sentences:,} sentences",
                f"vocabulary   {self.vocabulary_size:,} words, with <S>, </S> and <UNK>",
                f"coverage     {_percent(self.coverage)} of tokens are in the vocabulary",
                f"cut          {_percent(self.tokens_cut)} of tokens, {_percent(self.types_cut)} of distinct words "
                f"are longer than {self.max_characters - 2} bytes",
            ]
        )


def _cut_counts(counts: Mapping[str, int], max_characters: int) -> list[int]:
    """The counts of the words that are cut."""
    is_cut = characters.is_truncated(list(counts), max_characters)
    values = list(counts.values())
    return [values[number] for number in np.flatnonzero(is_cut)]


def _percent(share: float) -> str:
    """`0.034 %`; never 0 or 100 for a share that is only close to it.

    >>> _percent(0.98765), _percent(0.000001), _percent(0.999999), _percent(1.0)
    ('98.77 %', 'under 0.01 %', 'over 99.99 %', '100 %')
    """
    if share in (0.0, 1.0):
        return f"{100 * share:.0f} %"
    if share < 0.00005:
        return "under 0.01 %"
    return "over 99.99 %" if share >= 0.99995 else f"{100 * share:.2f} %"
