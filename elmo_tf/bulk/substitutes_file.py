"""Writes the most probable substitutes of the words of sentences to a file."""

import json
import os
from collections.abc import Callable, Iterable, Sequence

from elmo_tf.bulk.text_output import open_output
from elmo_tf.errors import InputError
from elmo_tf.inference.substitutes import Substitute, SubstituteFinder

FORMATS = ("tsv", "jsonl")
_COLUMNS = ("line", "position", "word", "rank", "substitute", "score", "forward", "backward")


def split_marked(tokens: Sequence[str], marker: str) -> tuple[list[str], list[int]]:
    """Removes the markers from the tokens; returns the tokens and the positions of the marked ones.

    If no token is marked, the positions of all tokens are returned.

    Example:

    >>> split_marked(["The", "**bank**", "opens"], "**")
    (['The', 'bank', 'opens'], [1])
    >>> split_marked(["The", "bank"], "**")
    (['The', 'bank'], [0, 1])
    """
    plain, marked = [], []
    for place, token in enumerate(tokens):
        is_marked = len(token) > 2 * len(marker) and token.startswith(marker) and token.endswith(marker)
        plain.append(token[len(marker) : -len(marker)] if is_marked else token)
        if is_marked:
            marked.append(place)
    return plain, marked or list(range(len(plain)))


def substitutes_file(
    finder: SubstituteFinder,
    sentences: Iterable[Sequence[str]],
    output_file: str | os.PathLike[str],
    output_format: str = "tsv",
    count: int = 10,
    marker: str = "**",
    progress: Callable[[int], None] | None = None,
) -> int:
    """Writes the substitutes of every word; in a sentence with marked words, only those of the marked words.

    Args:
        finder: the finder that ranks the substitutes of a word.
        sentences: lists of tokens, read lazily.
        output_file: the file for the rows; "-" for standard output.
        output_format: "tsv", one row per substitute, or "jsonl", one JSON object per word.
        count: the number of substitutes for each word.
        marker: the characters on both sides of a marked word, as in `**bank**`.
        progress: a function that is called with the number of sentences processed so far.

    Returns:
        The number of words for which substitutes were written.

    Raises:
        InputError: `output_format` is not one of `FORMATS`, the marker is empty, or the file cannot be written.
    """
    if output_format not in FORMATS:
        raise InputError(f"output_format: expected one of {', '.join(FORMATS)}, got {output_format!r}")
    if not marker:
        raise InputError("marker: expected characters that stand on both sides of a word, got none")
    words = 0
    with open_output(output_file) as write_line:
        if output_format == "tsv":
            write_line("\t".join(_COLUMNS))
        for number, sentence in enumerate(sentences, 1):
            tokens, places = split_marked(sentence, marker)
            for place, found in zip(places, finder(tokens, count, places), strict=True):
                _write_place(write_line, output_format, (number, place + 1, tokens[place]), found)
                words += 1
            if progress is not None:
                progress(number)
    return words


def _write_place(
    write_line: Callable[[str], None], output_format: str, place: tuple[int, int, str], found: Sequence[Substitute]
) -> None:
    if output_format == "jsonl":
        line, position, word = place
        substitutes = [one._asdict() for one in found]
        write_line(
            json.dumps(
                {"line": line, "position": position, "word": word, "substitutes": substitutes}, ensure_ascii=False
            )
        )
        return
    for rank, one in enumerate(found, 1):
        numbers = (f"{value:.6f}" for value in (one.score, one.forward, one.backward))
        write_line("\t".join((*map(str, place), str(rank), one.word, *numbers)))
