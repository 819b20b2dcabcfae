"""Reads the sentences of a CoNLL-U file (https://universaldependencies.org/format.html): words and their UPOS tags."""

import re
from typing import NamedTuple

from elmo_tf.data.text import iterate_lines
from elmo_tf.errors import InputError, errors_about

COLUMNS = 10
_NOT_A_WORD = re.compile(r"\d+-\d+|\d+\.\d+")
"""Matches the numbers of lines that are skipped: a multiword token, `1-2`, whose words follow, and an empty node,
`1.1`."""


class Sentence(NamedTuple):
    """The words of a sentence, and a tag for each."""

    words: list[str]
    tags: list[str]


def read_conllu(path: str) -> list[Sentence]:
    """Reads all sentences of a file, plain or .gz.

    Raises:
        InputError: the file cannot be read, is not CoNLL-U, lacks tags, or holds no sentence; it names file and line.
    """
    sentences = [Sentence([], [])]
    for number, line in enumerate(iterate_lines(path), 1):
        if not line.strip():
            sentences.append(Sentence([], []))
        elif not line.startswith("#"):
            with errors_about(path, number):
                _add(sentences[-1], line, f"{path}, line {number}")
    found = [sentence for sentence in sentences if sentence.words]
    if not found:
        raise InputError(f"{path} holds no sentences: expected CoNLL-U, a word a line", path=path)
    return found


def _add(sentence: Sentence, line: str, place: str) -> None:
    columns = line.split("\t")
    if len(columns) != COLUMNS:
        raise InputError(
            f"{place}: expected {COLUMNS} columns with tabs between them, got {len(columns)}: {line[:60]!r}"
        )
    number, word, tag = columns[0], columns[1].strip(), columns[3].strip()
    if _NOT_A_WORD.fullmatch(number):
        return
    if number != str(len(sentence.words) + 1):
        raise InputError(f"{place}: expected word {len(sentence.words) + 1} of the sentence, got {number[:60]!r}")
    if not word:
        raise InputError(f"{place}: expected a word in column 2, got nothing")
    if tag in ("", "_"):
        raise InputError(f"{place}: expected a UPOS tag in column 4, got {tag!r}")
    sentence.words.append(word)
    sentence.tags.append(tag)
