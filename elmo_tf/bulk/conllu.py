"""Reads the words of CoNLL-U, line by line (https://universaldependencies.org/format.html)."""

import re

from elmo_tf.errors import InputError

_COLUMNS = 10
_NOT_A_WORD = re.compile(r"\d+-\d+|\d+\.\d+")
"""Matches the number of a line that adds no word: a multiword token, `1-2`, whose words follow on lines of their own,
or an empty node, `1.1`."""


def add_word(words: list[str], line: str) -> None:
    """Appends the word of a line, if the line holds one, to the words of the sentence that were read before.

    Raises:
        InputError: the line does not follow the format. The message does not name the file and the line; the caller
            puts them before it.

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
