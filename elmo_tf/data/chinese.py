"""Splits Chinese text into characters, or into words by jieba; words of other scripts stay whole.

spaCy's own tokenizer for Chinese makes a token of every character, also of every Latin letter and every digit. Here the
text between Chinese characters is split by spaCy's rules for any language.
"""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from spacy.language import Language
    from spacy.tokens import Doc, Token

_SINGLE = (
    "\u3001-\u303f"  # punctuation such as 。 and 《, and the signs 々 and 〇
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"  # ideographs
    "\uff01-\uff0f\uff1a-\uff20\uff3b-\uff40\uff5b-\uff65"  # full-width punctuation, without digits and letters
)
"""The characters, as ranges of a regular expression, of which each is a token of its own."""

_OPENING = "“‘《〈「『【〖（［｛〔"
"""Quotes and brackets that open, and never close, in Chinese and Japanese."""

_SEGMENT = re.compile(f"[{_SINGLE}]|[^{_SINGLE}]+")


class CharacterTokenizer:
    """Makes a token of each Chinese character, and splits the text between them by spaCy's rules for any language.

    Args:
        nlp: the pipeline whose vocabulary the documents belong to.

    Example:

    >>> import spacy
    >>> tokenizer = CharacterTokenizer(spacy.blank("zh"))
    >>> [token.text for token in tokenizer("我用Python 3.11写code。")]
    ['我', '用', 'Python', '3.11', '写', 'code', '。']
    """

    def __init__(self, nlp: Language) -> None:
        from spacy.language import create_tokenizer

        self._vocab = nlp.vocab
        self._rules = create_tokenizer()(nlp)

    def __call__(self, text: str) -> Doc:
        """Returns the tokens of a text."""
        from spacy.tokens import Doc

        words: list[str] = []
        spaces: list[bool] = []
        for segment in _SEGMENT.findall(text):
            for token in self._rules(segment):
                words.append(token.text)
                spaces.append(bool(token.whitespace_))
        return Doc(self._vocab, words, spaces)


def is_opening(token: Token) -> bool:
    """Whether a token is an opening quote or bracket of a Chinese or Japanese text."""
    return token.doc.lang_ in ("zh", "ja") and token.text in _OPENING


def make_word_pipeline() -> Language:
    """Makes spaCy's pipeline for Chinese in which jieba splits the text into words.

    Raises:
        ImportError: spaCy or jieba is not installed.
    """
    import spacy

    try:
        import jieba

        jieba.setLogLevel(logging.WARNING)  # else it reports on standard error how long its start takes
    except ImportError as error:
        raise ImportError("jieba") from error
    return spacy.blank("zh", config={"nlp": {"tokenizer": {"segmenter": "jieba"}}})
