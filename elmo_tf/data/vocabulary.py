"""The vocabulary: the words that the language model can predict, as a file and in memory.

A vocabulary file has one word a line; the number of the line, counted from 0, is the word's id. The special words
`<S>`, `</S>` and `<UNK>` must be among them. All others are sorted by falling frequency, on which the sampled softmax
relies.
"""

import os
from collections.abc import Iterator, Mapping
from dataclasses import InitVar, dataclass, field

from elmo_tf.data import text
from elmo_tf.errors import InputError, errors_about
from elmo_tf.system import atomic_files

BEGIN_SENTENCE = "<S>"
END_SENTENCE = "</S>"
UNKNOWN = "<UNK>"
SPECIALS = (BEGIN_SENTENCE, END_SENTENCE, UNKNOWN)


@dataclass(frozen=True, repr=False)
class Vocabulary:
    """Words and their ids; immutable.

    Args:
        words: all words in the order of their ids, the three special words among them.
        source: the name of the vocabulary in error messages, usually its file.

    Attributes:
        words: the words; `words[id]` is the word of an id.
        ids: the id of each word.
        begin, end, unknown: the ids of `<S>`, `</S>` and `<UNK>`.

    Raises:
        InputError: a word is empty, holds white space or occurs twice, or a special word is missing; the message names
            the line.

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
        _check_words(words, ids, source)
        attributes = {"words": words, "ids": ids, "begin": ids["<S>"], "end": ids["</S>"], "unknown": ids["<UNK>"]}
        for name, value in attributes.items():
            object.__setattr__(self, name, value)

    def __len__(self) -> int:
        return len(self.words)

    def __getitem__(self, word: str) -> int:
        """The id of a word; the id of `<UNK>` for a word outside the vocabulary."""
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

        White space around a word and empty lines at the end are ignored.

        Raises:
            InputError: the file cannot be read, is not UTF-8, is empty, or is no vocabulary; the message names file
                and line.
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
        """Writes the vocabulary file, whole or not at all."""
        atomic_files.write_text(path, "\n".join(self.words) + "\n")


def _check_words(words: tuple[str, ...], ids: Mapping[str, int], source: str) -> None:
    # `bytes.split` knows ASCII white space alone: other programs' vocabularies hold words with no-break spaces, which
    # never occur in a text that is split at white space, and do no harm.
    encoded = [word.encode("utf-8", "surrogatepass") for word in words]
    if b" ".join(encoded).split() != encoded:
        wrong = next(n for n, word in enumerate(encoded) if word.split() != [word])
        what = f"{words[wrong]!r} has white space inside" if words[wrong].strip() else "the line is empty"
        raise InputError(
            f"{source}, line {wrong + 1}: {what}; expected one word a line and nothing else",
            line=wrong + 1,
        )
    if len(ids) != len(words):
        # `ids` has the last id of a repeated word, so the first word whose id is not its position is repeated.
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
            "on lines of their own (`elmo-tf vocab` makes such a file)",
        )
