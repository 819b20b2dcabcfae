"""Tokenises raw text into one sentence a line, by spaCy's rules for a language; no trained model is needed.

A line of the input is a paragraph. `spacy.blank(language)` divides it into tokens and spaCy's `sentencizer` into
sentences. The sentencizer does not distinguish opening quotes from closing ones; here the white space around them does.
In the output spaces separate the tokens, and `line.split()` returns them. spaCy is an optional dependency, `pip install
'elmo_tf[tokenize]'`, and is imported only when a pipeline is made.
"""

from __future__ import annotations

import contextlib
import os
import pkgutil
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from elmo_tf.data import chinese, text
from elmo_tf.errors import InputError
from elmo_tf.system import atomic_files

if TYPE_CHECKING:
    from spacy.language import Language
    from spacy.tokens import Doc, Span, Token

PIECE = 100_000
"""Characters of a paragraph that spaCy gets at a time; a longer paragraph is divided."""

_PACKAGES = {
    "ja": "pip install sudachipy sudachidict_core",
    "ko": "install the programs mecab-ko and mecab-ko-dic, and pip install natto-py",
    "th": "pip install pythainlp",
    "vi": "pip install pyvi",
    "zh": "pip install jieba",
}
"""How to install the packages that spaCy's rules for a language need."""


def make_pipeline(language: str, chinese_words: bool = False) -> Language:
    """Makes spaCy's blank pipeline for a language, with rules for sentence ends.

    Args:
        language: spaCy's code of the language, such as "en", "nb" or "zh"; "xx" for a language that has none.
        chinese_words: whether Chinese is split into words, by jieba, rather than into characters.

    Raises:
        InputError: spaCy is not installed, does not know the language, or lacks a package that the language needs;
            or `chinese_words` is given for another language.
    """
    try:
        import spacy
        import spacy.lang
    except ImportError as error:
        raise InputError(f"spaCy cannot be loaded ({error}): pip install 'elmo_tf[tokenize]'") from error
    try:
        nlp = chinese.make_word_pipeline() if chinese_words and language == "zh" else spacy.blank(language)
    except ImportError as error:
        raise _without_rules(language, error) from error
    if chinese_words and language != "zh":
        raise InputError(f"words by jieba are for the language 'zh' alone, got {language!r}", option="chinese_words")
    if nlp.lang == "zh" and not chinese_words:
        nlp.tokenizer = chinese.CharacterTokenizer(nlp)
    nlp.add_pipe("sentencizer")
    return nlp


def _without_rules(language: str, error: ImportError) -> InputError:
    """The error for a language that spaCy does not know, or whose rules need a package that is not installed."""
    import spacy.lang

    known = sorted(module.name for module in pkgutil.iter_modules(spacy.lang.__path__) if module.ispkg)
    if language not in known:
        return InputError(
            f"spaCy does not know the language {language!r}; expected one of {' '.join(known)}, where xx is for any "
            "other language that has spaces between words",
            option="language",
        )
    reason = " ".join(str(error).split()).rstrip(".")
    advice = f"; {_PACKAGES[language]}" if language in _PACKAGES else ""
    return InputError(
        f"language {language!r} needs a package that is not installed: {reason}{advice}", option="language"
    )


def output_paths(sources: Sequence[str], folder: str) -> list[str]:
    """The output file of each input file: its base name with the ending .txt, in `folder`.

    Only the endings .gz and .txt are removed before .txt is added: the names of a corpus's files often differ only
    after a dot, as in `news.en-00001-of-00100`.

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
    """Tokenises a file, plain or .gz, into `target`, one sentence a line; writes the whole file or nothing.

    Only a few paragraphs are in memory, however long the file is.

    Returns:
        The numbers of sentences and of tokens written.

    Raises:
        InputError: the input cannot be read or is not UTF-8, or the output cannot be written; the message names the
            file, and the line where there is one.
    """
    sentences = tokens = 0
    with atomic_files.atomic_write(target) as temporary, open(temporary, "w", encoding="utf-8", newline="\n") as file:
        for sentence in tokenize_paragraphs(nlp, text.iterate_lines(source)):
            file.write(" ".join(sentence) + "\n")
            sentences += 1
            tokens += len(sentence)
    return sentences, tokens


def tokenize_paragraphs(nlp: Language, paragraphs: Iterable[str]) -> Iterator[list[str]]:
    """Yields the sentences of paragraphs as lists of tokens; a token has no white space, a sentence at least one token.

    >>> list(tokenize_paragraphs(make_pipeline("en"), ["It works. Doesn't it?", ""]))
    [['It', 'works', '.'], ['Does', "n't", 'it', '?']]
    """
    # spaCy keeps every word that it has seen in memory; those seen in a memory zone are freed at the zone's end.
    memory_zone = getattr(nlp, "memory_zone", contextlib.nullcontext)
    for batch in _batch_paragraphs(paragraphs):
        with memory_zone():
            sentences = [sentence for paragraph in batch for sentence in _split_paragraph(nlp, paragraph)]
        yield from sentences


def _batch_paragraphs(paragraphs: Iterable[str]) -> Iterator[list[str]]:
    """Groups paragraphs into lists of about `PIECE` characters."""
    batch: list[str] = []
    size = 0
    for paragraph in paragraphs:
        batch.append(paragraph)
        size += len(paragraph)
        if size >= PIECE:
            yield batch
            batch, size = [], 0
    yield batch


def _split_paragraph(nlp: Language, paragraph: str) -> Iterator[list[str]]:
    start = 0
    while start < len(paragraph):
        end = _piece_end(paragraph, start, min(PIECE, nlp.max_length))
        spans = _sentence_spans(nlp(paragraph[start:end]))
        if end < len(paragraph) and len(spans) > 1:
            # The last sentence may go on after the piece: it is read again at the start of the next piece.
            end = start + spans.pop().start_char
        for span in spans:
            # A token can hold white space, such as a no-break space, at which a reader of the output would split it.
            sentence = [part for token in span for part in token.text.split()]
            if sentence:
                yield sentence
        start = end


def _sentence_spans(doc: Doc) -> list[Span]:
    """The sentences, each with its opening quotes and brackets, which the sentencizer leaves in the sentence before."""
    starts = [0]
    for start in [span.start for span in doc.sents][1:]:
        starts.append(_first_opening(doc, starts[-1], start))
    return [doc[start:end] for start, end in zip(starts, [*starts[1:], len(doc)], strict=True) if start < end]


def _first_opening(doc: Doc, before: int, start: int) -> int:
    """The start of a sentence, moved back from `start` over the opening quotes and brackets that follow white space.

    Chinese and Japanese have no white space there, but marks that open only.
    """
    first = start
    while first - 1 > before and _is_opening(doc[first - 1]):
        first -= 1
        if doc[first - 1].whitespace_ or doc[first - 1].is_space or chinese.is_opening(doc[first]):
            start = first
    return start


def _is_opening(token: Token) -> bool:
    """Whether a token consists of opening quotes or brackets, without a space after it.

    A quotation mark that closes in one language opens in another, so both kinds count.
    """
    return not token.whitespace_ and all(
        character in "\"'¿¡" or unicodedata.category(character) in ("Ps", "Pi", "Pf") for character in token.text
    )


def _piece_end(paragraph: str, start: int, size: int) -> int:
    """The end of the piece that begins at `start`: at most `size` characters on, after a space if there is one."""
    if len(paragraph) - start <= size:
        return len(paragraph)
    space = paragraph.rfind(" ", start + 1, start + size)
    return start + size if space < 0 else space + 1
