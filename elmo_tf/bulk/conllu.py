"""The words of a line of CoNLL-U (https://universaldependencies.org/format.html)."""

import re

from elmo_tf.errors import InputError

_COLUMNS = 10
_NOT_A_WORD = re.compile(r"\d+-\d+|\d+\.\d+")
"""The numbers of a multiword token, `1-2`, whose words follow, and of an empty node, `1.1`."""


def add_word(words: list[str], line: str) -> None:
    """Adds the word of a line, if it holds one, to those of the sentence so far.

    Raises:
        InputError: the line is not as the format says; the sentence is to follow file and line.

    Example:

    >>> words = []
    >>> for number, form in (("1-2", "vámonos"), ("1", "vamos"), ("2", "nos")):
    ...     add_word(words, "\\t".join([number, form, *"________"]))
    >>> words
    ['vamos', 'nos']
    """
    if line.startswith("#"):
        return
    columns = line.split("\t")
    if len(columns) != _COLUMNS:
        raise InputError(f"expected {_COLUMNS} columns with tabs between them, got {len(columns)}: {line[:60]!r}")
    number, word = columns[0], columns[1].strip()
    if _NOT_A_WORD.fullmatch(number):
        return
    if number != str(len(words) + 1):
        raise InputError(f"expected word {len(words) + 1} of the sentence, got {number[:60]!r}")
    if not word:
        raise InputError("expected a word in column 2, got nothing")
    words.append(word)
