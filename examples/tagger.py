"""A BiLSTM tagger in Keras, which takes word vectors, and the batches that it is trained on."""

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence, Set
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf
from common import padded

import elmo_tf

CASES = ("padding", "no letter", "lower", "UPPER", "Title", "miXed")
CASE_SIZE = 8
UNKNOWN = "\0unknown"
"""Replaces a dropped word. No text contains it, so every table returns the vector of unknown words for it."""


class Example(NamedTuple):
    """A sentence: its words, the case of each, the number of each tag, and ELMo's layers if they were precomputed."""

    words: list[str]
    cases: np.ndarray
    tags: np.ndarray
    layers: np.ndarray | None


class Vectors(NamedTuple):
    """Word vectors `(B, T, size)` with their mask, and the Keras inputs that they are computed from.

    The inputs have the names of the arrays that `batch` makes.
    """

    inputs: list[Any]
    output: Any


class Settings(NamedTuple):
    """The settings that every tagger is trained with."""

    units: int
    dropout: float
    word_dropout: float
    batch_size: int
    learning_rate: float
    epochs: int
    min_steps: int


def case_of(word: str) -> int:
    """Returns the case of a word, as its place in `CASES`.

    >>> [CASES[case_of(word)] for word in ("1990", "cat", "NATO", "A", "Cat", "iPod")]
    ['no letter', 'lower', 'UPPER', 'UPPER', 'Title', 'miXed']
    """
    if word.lower() == word.upper():
        return 1
    return next((number for number, test in enumerate((str.islower, str.isupper, str.istitle), 2) if test(word)), 5)


def cached_elmo(n_layers: int, size: int) -> Vectors:
    """Makes the learned mix of precomputed layers, which `ElmoLayer` would apply to the layers of its biLM."""
    layers = keras.Input((n_layers, None, size), dtype="float16", name="layers")
    return Vectors([layers], keras.layers.Masking()(elmo_tf.ScalarMix(n_layers, name="mix")(layers)))  # padding is zero


def elmo_inside(elmo: elmo_tf.ElmoLayer) -> Vectors:
    """Makes the vectors of an `ElmoLayer` inside the model, which runs its biLM at every step."""
    tokens = keras.Input((None,), dtype="string", name="tokens")
    return Vectors([tokens], elmo(tokens))


def from_table(table: elmo_tf.StaticEmbedding) -> Vectors:
    """Makes vectors from a table of lower-cased words."""
    words = keras.Input((None,), dtype="string", name="words")
    return Vectors([words], table(words))


def learned_table(examples: Sequence[Example], size: int, seed: int) -> elmo_tf.StaticEmbedding:
    """Makes a table of the examples' words and of unknown words, with random vectors that are to be trained."""
    words = sorted({word.lower() for example in examples for word in example.words})
    table = elmo_tf.StaticEmbedding(words, size, unknown="mean", lowercase=True, trainable=True)
    table.set_vectors(np.random.default_rng(seed).uniform(-0.1, 0.1, (len(words), size)))
    return table


def build(parts: Sequence[Vectors], n_tags: int, settings: Settings) -> keras.Model:
    """Builds a tagger: the vectors and one for the word's case, concatenated; a BiLSTM; and a logit for each tag."""
    cases = keras.Input((None,), dtype="int32", name="cases")
    # with a mask, because Keras's Concatenate treats padding as words if one of its inputs has no mask
    case_vectors = keras.layers.Embedding(len(CASES), CASE_SIZE, mask_zero=True)(cases)
    vectors = [part.output for part in parts] + [case_vectors]
    hidden = keras.layers.Dropout(settings.dropout)(keras.layers.Concatenate()(vectors))
    hidden = keras.layers.Bidirectional(keras.layers.LSTM(settings.units, return_sequences=True))(hidden)
    logits = keras.layers.Dense(n_tags)(keras.layers.Dropout(settings.dropout)(hidden))
    return keras.Model([*(tensor for part in parts for tensor in part.inputs), cases], logits)


def train(model: keras.Model, examples: Sequence[Example], settings: Settings, seed: int) -> None:
    """Trains a tagger by Adam, whose rate falls to zero, for `epochs` passes, but for at least `min_steps` steps."""
    steps = math.ceil(len(examples) / settings.batch_size)
    epochs = max(settings.epochs, math.ceil(settings.min_steps / steps))
    rate = keras.optimizers.schedules.PolynomialDecay(settings.learning_rate, epochs * steps, 0.0)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)  # padding does not count, by the mask
    model.compile(keras.optimizers.Adam(rate), loss, jit_compile=False)
    counts = Counter(word.lower() for example in examples for word in example.words)
    drop = {word: settings.word_dropout / (settings.word_dropout + count) for word, count in counts.items()}
    batches = dataset(model, examples, settings.batch_size, drop, seed)
    model.fit(batches.repeat(), epochs=epochs, steps_per_epoch=steps, shuffle=False, verbose=0)


def accuracy(model: keras.Model, examples: Sequence[Example], batch_size: int = 128) -> float:
    """Computes the share of the words whose tag is right."""
    right = words = 0
    for rows in groups([len(example.words) for example in examples], batch_size):
        some = [examples[row] for row in rows]
        inputs, _ = batch(some, names_of(model))
        best = np.argmax(model.predict_on_batch({name: tf.constant(value) for name, value in inputs.items()}), -1)
        for example, tags in zip(some, best, strict=True):
            right += int(np.sum(tags[: len(example.tags)] == example.tags))
            words += len(example.tags)
    return right / words


def names_of(model: keras.Model) -> set[str]:
    """The names of the arrays of a batch that a tagger reads."""
    return {tensor.name for tensor in model.inputs}


def dataset(
    model: keras.Model, examples: Sequence[Example], batch_size: int, drop: Mapping[str, float], seed: int
) -> tf.data.Dataset:
    """Makes a data set of one pass over the examples, as inputs and tags `(B, T)`.

    The sentences of a batch have similar lengths. Every pass has another order.

    Args:
        model: the tagger, whose inputs say which arrays are needed.
        examples: the sentences.
        batch_size: the number of sentences in a batch.
        drop: for each word, in lower case, the rate at which it is made an unknown word, so that the vector of unknown
            words is trained too.
        seed: the seed of the order, and of the words that are made unknown.
    """
    random, lengths = np.random.default_rng(seed), [len(example.words) for example in examples]
    signature = {tensor.name: tf.TensorSpec(tensor.shape, tensor.dtype) for tensor in model.inputs}

    def generate() -> Iterator[tuple[dict[str, np.ndarray], np.ndarray]]:
        for rows in groups(lengths, batch_size, random):
            yield batch([examples[row] for row in rows], set(signature), drop, random)

    output = (signature, tf.TensorSpec([None, None], tf.int32))
    return tf.data.Dataset.from_generator(generate, output_signature=output).prefetch(2)


def groups(lengths: Sequence[int], size: int, random: np.random.Generator | None = None) -> list[np.ndarray]:
    """Groups rows by similar length; with `random`, in a random order and with some variation of the neighbours.

    >>> [group.tolist() for group in groups([5, 1, 4, 2], 2)]
    [[1, 3], [2, 0]]
    """
    keys = np.array(lengths, np.float64)
    if random is not None:
        keys *= random.uniform(0.8, 1.2, len(keys))
    order = np.argsort(keys, kind="stable")
    found = [order[start : start + size] for start in range(0, len(order), size)]
    return found if random is None else [found[number] for number in random.permutation(len(found))]


def batch(
    examples: Sequence[Example],
    names: Set[str],
    drop: Mapping[str, float] | None = None,
    random: np.random.Generator | None = None,
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Makes a batch of some sentences.

    Args:
        examples: the sentences.
        names: the names of the arrays to make.
        drop: the rate at which each word is made an unknown word; None for no word.
        random: the generator that draws these words.

    Returns:
        The arrays by name, `(B, T)`, or `(B, L + 1, T, size)` for "layers"; and the tags `(B, T)`. Padding is 0, or ""
        for strings.
    """
    inputs: dict[str, np.ndarray] = {}
    if "tokens" in names:
        inputs["tokens"] = padded([example.words for example in examples])
    if "words" in names:
        words = [example.words for example in examples]
        if drop and random is not None:
            words = [[UNKNOWN if random.random() < drop[word.lower()] else word for word in row] for row in words]
        inputs["words"] = padded(words)
    if "cases" in names:
        inputs["cases"] = _stack([example.cases for example in examples])
    if "layers" in names:
        arrays = _stack([np.swapaxes(np.asarray(example.layers), 0, 1) for example in examples])
        inputs["layers"] = np.swapaxes(arrays, 1, 2)
    return inputs, _stack([example.tags for example in examples])


def _stack(arrays: Sequence[np.ndarray]) -> np.ndarray:
    """Stacks arrays that differ in their first dimension; the shorter ones are padded with zeros."""
    made = np.zeros((len(arrays), max(map(len, arrays)), *arrays[0].shape[1:]), arrays[0].dtype)
    for row, array in zip(made, arrays, strict=True):
        row[: len(array)] = array
    return made
