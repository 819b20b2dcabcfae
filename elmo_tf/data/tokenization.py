"""Raw text -> one tokenised sentence a line, by spaCy's rules for a language; no trained model is needed.

A line of the input is a paragraph. It is cut into tokens by `spacy.blank(language)` and into sentences by spaCy's
`sentencizer`; it knows no opening quote from a closing one, which is told here by the white space around. In the output
a space parts tokens, and `line.split()` gives them back. spaCy is loaded only when a pipeline is made: it comes with
the extra, `pip install 'elmo_tf[tokenize]'`.
"""

from __future__ import annotations

import contextlib
import os
import pkgutil
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from elmo_tf.data import text
from elmo_tf.errors import InputError
from elmo_tf.system import atomic_files

if TYPE_CHECKING:
    from spacy.language import Language
    from spacy.tokens import Doc, Span, Token

PIECE = 100_000  # characters; a longer paragraph goes through spaCy in pieces


def make_pipeline(language: str) -> Language:
    """spaCy's blank pipeline for a language code (`en`, `nb`, `zh`; `xx` for any), with rule-based sentence ends.

    Raises:
        InputError: spaCy is not installed, does not know the language, or lacks a package that the language needs.
    """
    try:
        import spacy
        import spacy.lang
    except ImportError as error:
        raise InputError(f"spaCy cannot be loaded ({error}): pip install 'elmo_tf[tokenize]'") from error
    try:
        nlp = spacy.blank(language)
    except ImportError as error:
        known = sorted(module.name for module in pkgutil.iter_modules(spacy.lang.__path__) if module.ispkg)
        if language in known:
            reason = " ".join(str(error).split())
            raise InputError(
                f"language {language!r} needs a package that is not installed: {reason}", option="language"
            ) from error
        raise InputError(
            f"spaCy does not know the language {language!r}; expected one of {' '.join(known)}", option="language"
        ) from error
    nlp.add_pipe("sentencizer")
    return nlp


def output_paths(sources: Sequence[str], folder: str) -> list[str]:
    """Where the tokenised text of each input goes: its base name with the ending .txt, in `folder`.

    Only the endings .gz and .txt are taken off before .txt is put on: the files of a corpus often differ in what looks
    like an ending, as `news.en-00001-of-00100` does.

    Raises:
        InputError: two inputs would be written to the same file, or an input would be overwritten.

    >>> output_paths(["raw/a.txt.gz", "raw/b.2020.gz"], "corpus")
    ['corpus/a.txt', 'corpus/b.2020.txt']
    """
    inputs = {os.path.realpath(source): source for source in sources}
    taken: dict[str, str] = {}
    for source in sources:
        name = os.path.basename(source).removesuffix(".gz").removesuffix(".txt") + ".txt"
        target = os.path.join(folder, name)
        if target in taken:
            raise InputError(
                f"{taken[target]} and {source} would both be written to {target}; expected other names",
                path=taken[target],
            )
        if os.path.realpath(target) in inputs:
            overwritten = inputs[os.path.realpath(target)]
            raise InputError(
                f"the output for {source} would overwrite the input {overwritten}; expected a new folder",
                path=overwritten,
            )
        taken[target] = source
    return list(taken)


def tokenize_file(nlp: Language, source: str, target: str) -> tuple[int, int]:
    """Tokenises a file, plain or .gz, into `target`, one sentence a line, whole or not at all.

    Read and written as a stream: memory holds a few paragraphs, however long the file.

    Returns:
        the sentences and the tokens written.

    Raises:
        InputError: the input cannot be read or is not UTF-8, or the output cannot be written; with file and line.
    """
    sentences = tokens = 0
    with atomic_files.atomic_write(target) as temporary, open(temporary, "w", encoding="utf-8", newline="\n") as file:
        for sentence in tokenize_paragraphs(nlp, text.iterate_lines(source)):
            file.write(" ".join(sentence) + "\n")
            sentences += 1
            tokens += len(sentence)
    return sentences, tokens


def tokenize_paragraphs(nlp: Language, paragraphs: Iterable[str]) -> Iterator[list[str]]:
    """The sentences of paragraphs, each a list of tokens without white space; sentences without a token are left out.

    >>> list(tokenize_paragraphs(make_pipeline("en"), ["It works. Doesn't it?", ""]))
    [['It', 'works', '.'], ['Does', "n't", 'it', '?']]
    """
    # spaCy remembers every word that it meets; what it learns in a memory zone it forgets at the end of the zone.
    memory_zone = getattr(nlp, "memory_zone", contextlib.nullcontext)
    for batch in _batches(paragraphs):
        with memory_zone():
            sentences = [sentence for paragraph in batch for sentence in _sentences(nlp, paragraph)]
        yield from sentences


def _batches(paragraphs: Iterable[str]) -> Iterator[list[str]]:
    """Groups of paragraphs that together have `PIECE` characters or little more."""
    batch: list[str] = []
    size = 0
    for paragraph in paragraphs:
        batch.append(paragraph)
        size += len(paragraph)
        if size >= PIECE:
            yield batch
            batch, size = [], 0
    yield batch


def _sentences(nlp: Language, paragraph: str) -> Iterator[list[str]]:
    start = 0
    while start < len(paragraph):
        end = _piece_end(paragraph, start, min(PIECE, nlp.max_length))
        spans = _spans(nlp(paragraph[start:end]))
        if end < len(paragraph) and len(spans) > 1:
            # The last sentence may go on past the piece: it is read again, with what follows.
            end = start + spans.pop().start_char
        for span in spans:
            # A token can hold white space, such as a no-break space, at which readers of the output would split it.
            sentence = [part for token in span for part in token.text.split()]
            if sentence:
                yield sentence
        start = end


def _spans(doc: Doc) -> list[Span]:
    """The sentences, each with the quotes and brackets that open it: the sentencizer leaves them to the one before."""
    starts = [0]
    for start in [span.start for span in doc.sents][1:]:
        starts.append(_opened(doc, starts[-1], start))
    return [doc[start:end] for start, end in zip(starts, [*starts[1:], len(doc)], strict=True) if start < end]


def _opened(doc: Doc, before: int, start: int) -> int:
    """Where the opening quotes and brackets begin that are right before `start`; those that follow white space."""
    first = start
    while first - 1 > before and _is_opening(doc[first - 1]):
        first -= 1
        if doc[first - 1].whitespace_ or doc[first - 1].is_space:
            start = first
    return start


def _is_opening(token: Token) -> bool:
    """Whether it opens what follows right behind; a quote that closes in one language opens in another."""
    return not token.whitespace_ and all(
        character in "\"'¿¡" or unicodedata.category(character) in ("Ps", "Pi", "Pf") for character in token.text
    )


def _piece_end(paragraph: str, start: int, size: int) -> int:
    """The end of the piece from `start`: at most `size` characters on, behind a space if there is one."""
    if len(paragraph) - start <= size:
        return len(paragraph)
    space = paragraph.rfind(" ", start + 1, start + size)
    return start + size if space < 0 else space + 1
