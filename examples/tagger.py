"""A BiLSTM tagger in Keras that takes word vectors, and the batches that it is trained on."""

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
"""Stands for a dropped word: no text holds it, so that every table gives it the vector of unknown words."""


class Example(NamedTuple):
    """A sentence: its words, the case of each, its tags by number, and ELMo's layers where they were computed."""

    words: list[str]
    cases: np.ndarray
    tags: np.ndarray
    layers: np.ndarray | None


class Vectors(NamedTuple):
    """Vectors of words `(B, T, size)` with their mask, and the Keras inputs, named as in `batch`, they come from."""

    inputs: list[Any]
    output: Any


class Settings(NamedTuple):
    """How every tagger is trained."""

    units: int
    dropout: float
    word_dropout: float
    batch_size: int
    learning_rate: float
    epochs: int
    min_steps: int


def case_of(word: str) -> int:
    """The place in `CASES`.

    >>> [CASES[case_of(word)] for word in ("1990", "cat", "NATO", "A", "Cat", "iPod")]
    ['no letter', 'lower', 'UPPER', 'UPPER', 'Title', 'miXed']
    """
    if word.lower() == word.upper():
        return 1
    return next((number for number, test in enumerate((str.islower, str.isupper, str.istitle), 2) if test(word)), 5)


def cached_elmo(n_layers: int, size: int) -> Vectors:
    """The learned mix of layers computed before: what `ElmoLayer` does behind its biLM."""
    layers = keras.Input((n_layers, None, size), dtype="float16", name="layers")
    return Vectors([layers], keras.layers.Masking()(elmo_tf.ScalarMix(n_layers, name="mix")(layers)))  # padding is zero


def elmo_inside(elmo: elmo_tf.ElmoLayer) -> Vectors:
    """The layer itself, which runs its biLM at every step."""
    tokens = keras.Input((None,), dtype="string", name="tokens")
    return Vectors([tokens], elmo(tokens))


def from_table(table: elmo_tf.StaticEmbedding) -> Vectors:
    """Vectors from a table of words in lower case."""
    words = keras.Input((None,), dtype="string", name="words")
    return Vectors([words], table(words))


def learned_table(examples: Sequence[Example], size: int, seed: int) -> elmo_tf.StaticEmbedding:
    """A table of the examples' words and of unknown ones, to be learned from nothing."""
    words = sorted({word.lower() for example in examples for word in example.words})
    table = elmo_tf.StaticEmbedding(words, size, unknown="mean", lowercase=True, trainable=True)
    table.set_vectors(np.random.default_rng(seed).uniform(-0.1, 0.1, (len(words), size)))
    return table


def build(parts: Sequence[Vectors], n_tags: int, settings: Settings) -> keras.Model:
    """The tagger: the vectors side by side, with one for the word's case, a BiLSTM, and a logit a tag."""
    cases = keras.Input((None,), dtype="int32", name="cases")
    # with a mask, for where one input has none Keras's Concatenate takes padding for words
    case_vectors = keras.layers.Embedding(len(CASES), CASE_SIZE, mask_zero=True)(cases)
    vectors = [part.output for part in parts] + [case_vectors]
    hidden = keras.layers.Dropout(settings.dropout)(keras.layers.Concatenate()(vectors))
    hidden = keras.layers.Bidirectional(keras.layers.LSTM(settings.units, return_sequences=True))(hidden)
    logits = keras.layers.Dense(n_tags)(keras.layers.Dropout(settings.dropout)(hidden))
    return keras.Model([*(tensor for part in parts for tensor in part.inputs), cases], logits)


def train(model: keras.Model, examples: Sequence[Example], settings: Settings, seed: int) -> None:
    """Trains by Adam, whose rate falls to zero; `epochs` passes, or more where these are less than `min_steps`."""
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
    """Share of the words whose tag is right."""
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
    """The arrays of a batch that a tagger reads."""
    return {tensor.name for tensor in model.inputs}


def dataset(
    model: keras.Model, examples: Sequence[Example], batch_size: int, drop: Mapping[str, float], seed: int
) -> tf.data.Dataset:
    """One pass over the examples in batches of like length, another order each time: inputs, and tags `(B, T)`.

    Args:
        model: a tagger, for what it reads.
        examples: the sentences.
        batch_size: sentences of a batch.
        drop: the rate at which a word, in lower case, is made an unknown one, so that these are learned as well.
        seed: of the order, and of the words dropped.
    """
    random, lengths = np.random.default_rng(seed), [len(example.words) for example in examples]
    signature = {tensor.name: tf.TensorSpec(tensor.shape, tensor.dtype) for tensor in model.inputs}

    def generate() -> Iterator[tuple[dict[str, np.ndarray], np.ndarray]]:
        for rows in groups(lengths, batch_size, random):
            yield batch([examples[row] for row in rows], set(signature), drop, random)

    output = (signature, tf.TensorSpec([None, None], tf.int32))
    return tf.data.Dataset.from_generator(generate, output_signature=output).prefetch(2)


def groups(lengths: Sequence[int], size: int, random: np.random.Generator | None = None) -> list[np.ndarray]:
    """Rows by groups of like length, in a random order and with random neighbours if `random` is given.

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
    """The named arrays of some sentences, `(B, T)`, layers `(B, L + 1, T, size)`, and their tags; padding is 0."""
    inputs: dict[str, np.ndarray] = {}
    if "tokens" in names:
        inputs["tokens"] = padded([example.words for example in examples])
    if "words" in names:
        words = [example.words for example in examples]
        if drop and random is not None:
            words = [[UNKNOWN if random.random() < drop[word.lower()] else word for word in row] for row in words]
        inputs["words"] = padded(words)
    if "cases" in names:
        inputs["cases"] = _stacked([example.cases for example in examples])
    if "layers" in names:
        arrays = _stacked([np.swapaxes(example.layers, 0, 1) for example in examples])  # type: ignore[arg-type]
        inputs["layers"] = np.swapaxes(arrays, 1, 2)
    return inputs, _stacked([example.tags for example in examples])


def _stacked(arrays: Sequence[np.ndarray]) -> np.ndarray:
    """Arrays that differ in the first axis as one, with zeros behind the shorter ones."""
    made = np.zeros((len(arrays), max(map(len, arrays)), *arrays[0].shape[1:]), arrays[0].dtype)
    for row, array in zip(made, arrays, strict=True):
        row[: len(array)] = array
    return made
