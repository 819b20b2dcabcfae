"""The token encoder of ELMoForManyLangs: words to vectors, by lexicons of whole words and of Unicode characters."""

import functools
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from elmo_tf.layers.convolutions import convolve_and_max_pool, map_in_length_buckets
from elmo_tf.layers.highway import Highway
from elmo_tf.layers.initial_values import InitializedLayer
from elmo_tf.layers.variables import replica_variable
from elmo_tf.layers.word_table import word_index
from elmo_tf.options import ACTIVATIONS, characters_that_count

BOUNDARIES = ("<bos>", "<eos>")
"""The words that stand for the begin and the end of a sentence."""

UNKNOWN, PADDING = "<oov>", "<pad>"
BEGIN_WORD, END_WORD = "<eow>", "<bow>"
"""The entries of the character lexicon before and after a word. ELMoForManyLangs took the two names the wrong way
round (its `frontend.py`, `create_one_batch`), and its models were trained so."""

WORD_ENTRIES = (UNKNOWN, PADDING)
CHARACTER_ENTRIES = (*BOUNDARIES, UNKNOWN, PADDING, BEGIN_WORD, END_WORD)
"""The entries that the two lexicons must have."""


@keras.saving.register_keras_serializable(package="elmo_tf")
class LexiconEncoder(InitializedLayer):
    """Computes a word's vector from a table of whole words and from a CNN over Unicode characters, each optional.

    The word's row of the table and the output of the CNN with its highway layers are concatenated in this order and
    projected. A word or character that is not in its lexicon has the row of `<oov>`. Case counts.

    Args:
        projection_dim: size of a word's vector.
        words: the words in the order of their rows, `<oov>` and `<pad>` among them; None for no table of words.
        word_dim: size of a row of that table.
        characters: the characters in the order of their rows, the entries `CHARACTER_ENTRIES` among them; None for no
            CNN.
        char_dim: size of a character's embedding.
        filters: pairs of a filter width in characters and the number of filters of that width.
        activation: "relu" or "tanh", after the maximum over positions.
        n_highway: number of highway layers.
        max_characters: number of characters at which a word is cut, its begin and end included, for the lookup of the
            whole word too; None to cut no word, where there is no CNN.

    Call arguments:
        inputs: words, strings `(...)` in UTF-8; `<bos>` and `<eos>` are the boundaries of a sentence.

    Output shape: `(..., projection_dim)`.

    Raises:
        ValueError: an argument is not one of the above, or a lexicon lacks an entry or has one twice.

    Example:

    >>> encoder = LexiconEncoder(projection_dim=6, words=["<oov>", "<pad>", "chat"], word_dim=4)
    >>> encoder(tf.constant([["chat", "noir"]])).shape
    TensorShape([1, 2, 6])
    """

    def __init__(
        self,
        projection_dim: int,
        words: Sequence[str] | None = None,
        word_dim: int = 0,
        characters: Sequence[str] | None = None,
        char_dim: int = 0,
        filters: Sequence[Sequence[int]] = (),
        activation: str = "relu",
        n_highway: int = 0,
        max_characters: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if words is None and characters is None:
            raise ValueError("words, characters: expected one of them or both, got none")
        if activation not in ACTIVATIONS:
            raise ValueError(f"activation: expected one of {ACTIVATIONS}, got {activation!r}")
        self.words = None if words is None else _check_entries("words", words, WORD_ENTRIES)
        self.characters = None if characters is None else _check_entries("characters", characters, CHARACTER_ENTRIES)
        self.projection_dim, self.word_dim, self.char_dim = projection_dim, word_dim, char_dim
        self.filters = tuple((int(width), int(number)) for width, number in filters) if self.characters else ()
        self.activation, self.n_highway, self.max_characters = activation, n_highway, max_characters
        if self.characters:
            widest = max((width for width, _ in self.filters), default=0)
            if not self.filters or max_characters is None or max_characters < max(3, widest):
                raise ValueError(
                    "filters, max_characters: expected at least one filter, and at least 3 characters and the width of "
                    f"the widest filter, got {self.filters} and {max_characters}"
                )
        self.n_filters = sum(number for _, number in self.filters)
        self.highways = [
            Highway(name=f"CNN_high_{i}", dtype=self.dtype_policy) for i in range(n_highway if self.characters else 0)
        ]

    def build(self, input_shape: Any = None) -> None:
        """Creates the weights and the lexicons; their shapes do not depend on the input's."""
        vectors, self.convolutions = keras.initializers.RandomUniform(-0.25, 0.25), []
        if self.words is not None:
            self._word_rows = word_index(self.words, self.words.index(UNKNOWN))
            shape = (len(self.words), self.word_dim)
            # no cast: it would cast the whole table at every call
            self.word_embed = self.add_weight(
                name="word_embed", shape=shape, initializer=vectors.clone(), autocast=False
            )
        if self.characters is not None:
            self._codes, self._rows = _sorted_codes(self.characters)
            shape = (len(self.characters), self.char_dim)
            self.char_embed = self.add_weight(
                name="char_embed", shape=shape, initializer=vectors.clone(), autocast=False
            )
        for i, (width, number) in enumerate(self.filters):
            kernel = self.add_weight(
                name=f"W_cnn_{i}", shape=(width, self.char_dim, number), initializer="glorot_uniform"
            )
            bias = self.add_weight(name=f"b_cnn_{i}", shape=(number,), initializer="zeros")
            self.convolutions.append((kernel, bias))
        for highway in self.highways:
            highway.build((None, self.n_filters))
        size = self.n_filters + (0 if self.words is None else self.word_dim)
        self.w_proj = self.add_weight(name="W_proj", shape=(size, self.projection_dim), initializer="glorot_uniform")
        self.b_proj = self.add_weight(name="b_proj", shape=(self.projection_dim,), initializer="zeros")
        self.built = True

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """See the class."""
        inputs = tf.convert_to_tensor(inputs)
        words = tf.reshape(inputs, [-1])
        if self.max_characters is not None:
            words = tf.strings.substr(words, 0, self.max_characters - 2, unit="UTF8_CHAR")
        parts = []
        if self.words is not None:
            rows = tf.gather(replica_variable(self.word_embed.value), self._word_rows.lookup(words))
            parts.append(tf.cast(rows, self.compute_dtype))
        if self.characters is not None:
            parts.append(self._read_characters(words))
        vectors = tf.matmul(tf.concat(parts, 1), self.w_proj) + self.b_proj
        vectors = tf.reshape(vectors, tf.concat([tf.shape(inputs), [self.projection_dim]], 0))
        vectors.set_shape([*inputs.shape, self.projection_dim])
        return vectors

    def _read_characters(self, words: tf.Tensor) -> tf.Tensor:
        """Computes the output of the CNN: strings `(U,)` -> `(U, n_filters)`."""
        that_count = functools.partial(characters_that_count, filters=self.filters)
        vectors = map_in_length_buckets(self.spell(words), self._row(PADDING), that_count, self._features)
        for highway in self.highways:
            vectors = highway(vectors)
        return vectors

    def spell(self, words: tf.Tensor) -> tf.Tensor:
        """Looks up the characters of words: strings `(U,)` -> int32 `(U, C)`, with C of `max_characters`.

        A row holds the begin of the word, its characters, the end of the word, and padding. A boundary of a sentence
        has a character of its own.
        """
        size = (self.max_characters or 0) - 1
        codes = tf.strings.unicode_decode(words, "UTF-8").to_tensor(-1, shape=[None, size])
        lengths = tf.reduce_sum(tf.cast(codes >= 0, tf.int32), 1, keepdims=True)
        flat = tf.reshape(codes, [-1])
        places = tf.minimum(tf.searchsorted(self._codes, flat), len(self._codes) - 1)
        known = tf.equal(tf.gather(self._codes, places), flat)
        letters = tf.where(known, tf.gather(self._rows, places), self._row(UNKNOWN))
        letters = tf.reshape(letters, [-1, size])
        for boundary in BOUNDARIES:
            is_boundary = tf.equal(words, boundary)[:, None]
            letters = tf.where(is_boundary, self._row(boundary), letters)
            lengths = tf.where(is_boundary, 1, lengths)
        position = tf.range(size)
        behind = tf.where(tf.equal(position, lengths), self._row(END_WORD), self._row(PADDING))
        rest = tf.where(position < lengths, letters, behind)
        return tf.concat([tf.fill(tf.shape(lengths), self._row(BEGIN_WORD)), rest], 1)

    def _row(self, entry: str) -> int:
        return (self.characters or ()).index(entry)

    def _features(self, ids: tf.Tensor) -> tf.Tensor:
        """Computes the activations of all filters: character rows `(U, C)` -> `(U, n_filters)`."""
        characters = tf.cast(tf.gather(self.char_embed.value, ids), self.compute_dtype)
        activate = tf.nn.relu if self.activation == "relu" else tf.tanh
        features = [activate(convolve_and_max_pool(characters, kernel) + bias) for kernel, bias in self.convolutions]
        return tf.concat(features, 1)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The input's shape and `projection_dim`."""
        return (*input_shape, self.projection_dim)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), **self.arguments()}

    def arguments(self) -> dict[str, Any]:
        """The constructor's arguments without those that every Keras layer has."""
        return {
            "projection_dim": self.projection_dim,
            "words": None if self.words is None else list(self.words),
            "word_dim": self.word_dim,
            "characters": None if self.characters is None else list(self.characters),
            "char_dim": self.char_dim,
            "filters": [list(pair) for pair in self.filters],
            "activation": self.activation,
            "n_highway": self.n_highway,
            "max_characters": self.max_characters,
        }


def lexicon_shapes(encoder: LexiconEncoder) -> dict[str, tuple[int, ...]]:
    """The shapes of the weights of an encoder, which need not be built, by the names of weight files."""
    shapes: dict[str, tuple[int, ...]] = {}
    if encoder.words is not None:
        shapes["word_embed"] = (len(encoder.words), encoder.word_dim)
    if encoder.characters is not None:
        shapes["char_embed"] = (len(encoder.characters), encoder.char_dim)
    for i, (width, number) in enumerate(encoder.filters):
        shapes[f"CNN/W_cnn_{i}"] = (width, encoder.char_dim, number)
        shapes[f"CNN/b_cnn_{i}"] = (number,)
    for i in range(len(encoder.highways)):
        for part in ("carry", "transform"):
            shapes[f"CNN_high_{i}/W_{part}"] = (encoder.n_filters, encoder.n_filters)
            shapes[f"CNN_high_{i}/b_{part}"] = (encoder.n_filters,)
    size = encoder.n_filters + (0 if encoder.words is None else encoder.word_dim)
    shapes["CNN_proj/W_proj"] = (size, encoder.projection_dim)
    shapes["CNN_proj/b_proj"] = (encoder.projection_dim,)
    return shapes


def _check_entries(what: str, entries: Sequence[str], required: Sequence[str]) -> tuple[str, ...]:
    found = set(entries)
    missing = [entry for entry in required if entry not in found]
    if missing:
        raise ValueError(f"{what}: expected {', '.join(required)} among them; {missing[0]} is missing")
    if len(found) != len(entries):
        raise ValueError(f"{what}: expected every one once, got {len(entries) - len(found)} of them again")
    return tuple(entries)


def _sorted_codes(characters: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """The code points of the characters in ascending order, and their rows; entries of more characters are left out."""
    pairs = sorted((ord(entry), row) for row, entry in enumerate(characters) if len(entry) == 1) or [(-2, 0)]
    codes, rows = zip(*pairs, strict=True)
    return np.array(codes, np.int32), np.array(rows, np.int32)
