"""Character ids of words, as in bilm-tf, computed with NumPy.

`elmo_tf.inference.character_ids` computes the same with TensorFlow operations.

Ids 0 to 255 are the bytes of the word in UTF-8; the five ids above them have names here. The row of a word is

    BEGIN_WORD  byte ...  END_WORD  PADDING ...

and holds at most `max_characters - 2` bytes: a longer word is cut, even inside a code point. The words `<S>` and `</S>`
have one id of their own in place of the bytes; `<UNK>` is encoded by its letters like any other word. The ids are those
of bilm-tf (`bilm/data.py`, `UnicodeCharsVocabulary`), so that its weights fit.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from elmo_tf.errors import InputError

BEGIN_SENTENCE_ID = 256
END_SENTENCE_ID = 257
BEGIN_WORD = 258
END_WORD = 259
PADDING = 260
N_CHARACTERS = 261

_MIN_CHARACTERS = 3  # `<S>` needs three: BEGIN_WORD, its id, END_WORD
SPECIAL_IDS = {b"<S>": BEGIN_SENTENCE_ID, b"</S>": END_SENTENCE_ID}
"""The ids of the words, as bytes, that have one id of their own in place of their bytes."""


def encode_words(words: Sequence[str], max_characters: int) -> npt.NDArray[np.int32]:
    """Encodes words as character ids.

    A lone surrogate, which UTF-8 cannot encode, is left out, as in bilm-tf; text read from UTF-8 never has one.

    Args:
        words: U words; not a single string.
        max_characters: C, the length of a row; at least 3.

    Returns:
        int32 `[U, C]`, ids from 0 to 260.

    Raises:
        InputError: `max_characters` is below 3.
        ValueError: `words` is a single string, whose letters would count as words, or a word is no string.

    >>> encode_words(["cat", "<S>", "overlong"], 6)
    array([[258,  99,  97, 116, 259, 260],
           [258, 256, 259, 260, 260, 260],
           [258, 111, 118, 101, 114, 259]], dtype=int32)
    """
    if isinstance(words, (str, bytes)):
        raise ValueError(f"words: expected a list of words, got the text {words!r}; split it first")
    limit = byte_limit(max_characters)
    encoded = _encode(words)
    kept = [word[:limit] for word in encoded]
    lengths = np.fromiter(map(len, kept), np.int64, len(kept))
    letters = np.frombuffer(b"".join(kept), np.uint8)

    ids = np.full((len(kept), max_characters), PADDING, np.int32)
    flat = ids.reshape(-1)
    row_starts = np.arange(len(kept)) * max_characters
    # Letter n of all words moves by its word's shift to the row of that word, one column past its place in the word.
    shifts = row_starts + 1 - (np.cumsum(lengths) - lengths)
    flat[np.arange(len(letters)) + np.repeat(shifts, lengths)] = letters
    flat[row_starts] = BEGIN_WORD
    flat[row_starts + 1 + lengths] = END_WORD
    for row in [row for row, word in enumerate(encoded) if word in SPECIAL_IDS]:
        ids[row, 1:] = PADDING
        ids[row, 1:3] = SPECIAL_IDS[encoded[row]], END_WORD
    return ids


def _encode(words: Sequence[str]) -> list[bytes]:
    """The words in UTF-8; raises a `ValueError` that shows the first one that is no string."""
    try:
        return [word.encode("utf-8", "ignore") for word in words]
    except AttributeError as error:
        wrong = next(word for word in words if not isinstance(word, str))
        raise ValueError(f"words: expected words that are strings, got {wrong!r}") from error


def shift_for_prediction(character_ids: npt.NDArray[np.int32], is_token: npt.ArrayLike) -> npt.NDArray[np.int32]:
    """Shifts character ids to those that a model reads outside training: each id plus 1, and 0 for padding tokens.

    In training no row has padding tokens, and the ids are those of `encode_words`, 0 to 260. In a batch of sentences of
    different lengths, bilm-tf marks padding tokens by 0, so that the model can tell them from the others.

    Args:
        character_ids: int32 `[..., C]`, from `encode_words`.
        is_token: bool `[...]`, false for padding tokens.

    Returns:
        int32 `[..., C]`, 1 to 261, or 0 in the rows of padding tokens.

    >>> shift_for_prediction(encode_words(["a", ""], 4), [True, False])
    array([[259,  98, 260, 261],
           [  0,   0,   0,   0]], dtype=int32)
    """
    return np.where(np.asarray(is_token, bool)[..., np.newaxis], character_ids + np.int32(1), np.int32(0))


def is_truncated(words: Sequence[str], max_characters: int) -> npt.NDArray[np.bool_]:
    """Whether each word is too long for a row of `max_characters` ids; bool `[U]`. `<S>` and `</S>` always fit.

    >>> is_truncated(["four", "fiver", "\\u00e9t\\u00e9"], 6)
    array([False,  True,  True])
    """
    limit = byte_limit(max_characters)
    encoded = _encode(words)
    return np.fromiter((len(word) > limit and word not in SPECIAL_IDS for word in encoded), np.bool_, len(words))


def byte_limit(max_characters: int) -> int:
    """The number of bytes that fit into a row of `max_characters` ids; raises an `InputError` if that is below 3."""
    if max_characters < _MIN_CHARACTERS:
        raise InputError(
            f"max_characters_per_token is {max_characters}; expected at least {_MIN_CHARACTERS}: "
            "the begin and the end of a word take two of them",
            option="max_characters_per_token",
        )
    return max_characters - 2
