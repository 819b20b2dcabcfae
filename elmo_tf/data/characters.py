"""Words as character ids, bilm-tf's way, in NumPy.

`elmo_tf.inference.character_ids` has the same as TensorFlow operations.

Ids 0 to 255 are the bytes of the word in UTF-8; the five above them are named here. A word's row is

    BEGIN_WORD  byte ...  END_WORD  PADDING ...

and holds at most `max_characters - 2` bytes: a longer word is cut, even inside a code point. The words `<S>` and `</S>`
have one id of their own in place of the bytes; `<UNK>` is spelled out like any other word. The numbers are those of
bilm-tf (`bilm/data.py`, `UnicodeCharsVocabulary`), so its weights fit.
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

_MIN_CHARACTERS = 3  # BEGIN_WORD, one id, END_WORD: what `<S>` needs
SPECIAL_IDS = {b"<S>": BEGIN_SENTENCE_ID, b"</S>": END_SENTENCE_ID}
"""The words that have one id of their own in place of their bytes."""


def encode_words(words: Sequence[str], max_characters: int) -> npt.NDArray[np.int32]:
    """The character ids of words.

    A lone surrogate, which UTF-8 cannot hold and which reading UTF-8 never yields, is left out, as in bilm-tf.

    Args:
        words: U words, not a text.
        max_characters: C, the length of a row; at least 3.

    Returns:
        int32 `[U, C]`, ids from 0 to 260.

    Raises:
        InputError: `max_characters` is below 3.
        ValueError: `words` is a text, whose letters would count as words.

    >>> encode_words(["cat", "<S>", "overlong"], 6)
    array([[258,  99,  97, 116, 259, 260],
           [258, 256, 259, 260, 260, 260],
           [258, 111, 118, 101, 114, 259]], dtype=int32)
    """
    if isinstance(words, (str, bytes)):
        raise ValueError(f"words: expected a list of words, got the text {words!r}; split it first")
    limit = byte_limit(max_characters)
    encoded = [word.encode("utf-8", "ignore") for word in words]
    kept = [word[:limit] for word in encoded]
    lengths = np.fromiter(map(len, kept), np.int64, len(kept))
    letters = np.frombuffer(b"".join(kept), np.uint8)

    ids = np.full((len(kept), max_characters), PADDING, np.int32)
    flat = ids.reshape(-1)
    row_starts = np.arange(len(kept)) * max_characters
    # Where the n-th letter of all words goes: one column past its place in its word, in the word's row.
    shifts = row_starts + 1 - (np.cumsum(lengths) - lengths)
    flat[np.arange(len(letters)) + np.repeat(shifts, lengths)] = letters
    flat[row_starts] = BEGIN_WORD
    flat[row_starts + 1 + lengths] = END_WORD
    for row in [row for row, word in enumerate(encoded) if word in SPECIAL_IDS]:
        ids[row, 1:] = PADDING
        ids[row, 1:3] = SPECIAL_IDS[encoded[row]], END_WORD
    return ids


def shift_for_prediction(character_ids: npt.NDArray[np.int32], is_token: npt.ArrayLike) -> npt.NDArray[np.int32]:
    """The ids that a model reads outside training: every id plus 1, and rows of 0 where there is no token.

    In training, rows are full and ids are those of `encode_words`, 0 to 260. For sentences of different lengths bilm-tf
    keeps 0 for the tokens that fill up the batch, so that the model can tell them apart, and moves all others up.

    Args:
        character_ids: int32 `[..., C]`, from `encode_words`.
        is_token: bool `[...]`, false where a token only fills up its sentence.

    Returns:
        int32 `[..., C]`, 1 to 261, or 0 in the rows of padding tokens.

    >>> shift_for_prediction(encode_words(["a", ""], 4), [True, False])
    array([[259,  98, 260, 261],
           [  0,   0,   0,   0]], dtype=int32)
    """
    return np.where(np.asarray(is_token, bool)[..., np.newaxis], character_ids + np.int32(1), np.int32(0))


def is_truncated(words: Sequence[str], max_characters: int) -> npt.NDArray[np.bool_]:
    """Which words lose bytes in a row of `max_characters` ids; bool `[U]`. `<S>` and `</S>` never do.

    >>> is_truncated(["four", "fiver", "\\u00e9t\\u00e9"], 6)
    array([False,  True,  True])
    """
    limit = byte_limit(max_characters)
    encoded = (word.encode("utf-8", "ignore") for word in words)
    return np.fromiter((len(word) > limit and word not in SPECIAL_IDS for word in encoded), np.bool_, len(words))


def byte_limit(max_characters: int) -> int:
    """The bytes of a word that fit into a row of `max_characters` ids; an `InputError` where there is no room."""
    if max_characters < _MIN_CHARACTERS:
        raise InputError(
            f"max_characters_per_token is {max_characters}; expected at least {_MIN_CHARACTERS}: "
            "the begin and the end of a word take two of them",
            option="max_characters_per_token",
        )
    return max_characters - 2
