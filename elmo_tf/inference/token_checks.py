"""Checks that sentences are lists of tokens."""

from typing import Any


def check_not_text(sentence: Any) -> None:
    """Refuses a text, which is a sequence too: its letters would count as sentences or as tokens.

    Raises:
        ValueError: it is a text.
    """
    if isinstance(sentence, (str, bytes)):
        raise ValueError(f"sentences: expected lists of tokens, got the text {sentence!r}; split it first")


def check_token(token: Any) -> str:
    """Returns a token if it is a string.

    Raises:
        ValueError: it is not.
    """
    if not isinstance(token, str):
        raise ValueError(f"sentences: expected lists of tokens that are strings, got {token!r}")
    return token
