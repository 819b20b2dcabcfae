"""Ways to embed the same sentences, which take turns in one process: the plain recurrence first, then the faster ones.

All ways give the same vectors. They are compared by the time that the cores worked, which other programs on the machine
change less than the time on the clock.
"""

import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from benchmarks import harness
from elmo_tf.inference.contextualize import read_sentences
from elmo_tf.inference.distinct_words import sentences_of_tokens
from elmo_tf.inference.length_batches import batches
from elmo_tf.inference.sentence_embedder import SentenceEmbedder
from elmo_tf.inference.word_vectors import WordVectors
from elmo_tf.models.bilm import BiLM
from elmo_tf.options import Options

_WORD_CACHE = 100_000
_PRODUCT_SIZE = 2048

Sentence = Sequence[str]
Embed = Callable[[Sequence[Sentence]], list[np.ndarray]]


def compare(
    options: Options, sentences: Sequence[list[str]], budgets: Sequence[int], turns: int, flop: int
) -> list[dict[str, Any]]:
    """Measures every way, prints a table, and returns its rows.

    Args:
        options: the model's; its weights are drawn at random.
        sentences: the text.
        budgets: numbers of tokens of a batch. The ways that pad are measured with the first of them.
        turns: how often each way embeds the text; a turn before them, which compiles and fills the cache, does not
            count.
        flop: the floating point operations that the text needs.
    """
    runs = [
        (name, budget, embed)
        for name, embed in _ways(options).items()
        for budget in budgets
        if budget == budgets[0] or name.startswith("packed")
    ]
    left = tf.random.stateless_normal([_PRODUCT_SIZE] * 2, [1, 1])
    product = tf.function(lambda: tf.matmul(left, left)[0, 0])
    seconds: list[list[float]] = [[] for _ in runs]
    products: list[float] = []
    for turn in range(turns + 1):
        expected = None
        products.append(_timed(product)[0])
        for own, (name, budget, embed) in zip(seconds, runs, strict=True):
            passed, found = _timed(_means, embed, sentences, budget)
            own.append(passed)
            expected = found if expected is None else expected
            np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6, err_msg=name)
        if not turn:
            seconds, products = [[] for _ in runs], []
    needed = flop * statistics.median(products) / (2 * _PRODUCT_SIZE**3)
    return _shown(runs, seconds, sum(map(len, sentences)), needed)


def _ways(options: Options) -> dict[str, Embed]:
    """The ways by their names, with the same weights."""
    models = {name: BiLM(options, name) for name in ("plain", "fused", "lean")}
    for bilm in models.values():
        bilm.build()
        bilm.set_weights(models["plain"].get_weights())
    found = {f"{name} recurrence, padded": _padded(bilm) for name, bilm in models.items()}
    found["packed"] = SentenceEmbedder(models["plain"])
    found["packed, words cached"] = SentenceEmbedder(models["plain"], word_cache=_WORD_CACHE)
    return found


def _padded(bilm: BiLM) -> Embed:
    """Embeds a batch padded to its longest sentence, as `ElmoLayer` does."""
    word_vectors = WordVectors(bilm.options)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string), tf.TensorSpec([None], tf.int32)])
    def layers(tokens: tf.Tensor, counts: tf.Tensor) -> tf.Tensor:
        return read_sentences(bilm, word_vectors, sentences_of_tokens(tokens, counts))[0]

    def embed(sentences: Sequence[Sentence]) -> list[np.ndarray]:
        tokens = [token for sentence in sentences for token in sentence]
        found = layers(tf.constant(tokens, tf.string), tf.constant([len(sentence) for sentence in sentences])).numpy()
        return [vectors[:, 1 : len(own) + 1].copy() for vectors, own in zip(found, sentences, strict=True)]

    return embed


def _means(embed: Embed, sentences: Sequence[list[str]], budget: int) -> np.ndarray:
    """The mean of each layer of each sentence, by which the ways are compared; the vectors themselves are dropped."""
    means: dict[int, np.ndarray] = {}
    for batch in batches(enumerate(sentences), budget):
        vectors = embed([tokens for _, tokens in batch])
        means.update((number, own.mean((1, 2))) for (number, _), own in zip(batch, vectors, strict=True))
    return np.array([means[number] for number in range(len(sentences))])


def _timed(function: Callable[..., Any], *arguments: Any) -> tuple[float, np.ndarray]:
    """The seconds that all cores together worked, and the result."""
    started = time.process_time()
    result = np.asarray(function(*arguments))
    return time.process_time() - started, result


def _shown(
    runs: Sequence[tuple[str, int, Embed]], seconds: list[list[float]], tokens: int, needed: float
) -> list[dict[str, Any]]:
    """Prints and returns the rows.

    Args:
        runs: each way and its tokens of a batch.
        seconds: of all cores, for each of `runs`.
        tokens: of the text.
        needed: the seconds in which a large matrix product does as many multiplications as the text needs.
    """
    medians = [statistics.median(own) for own in seconds]
    rows = [
        {
            "name": name,
            "batch_tokens": budget,
            "tokens_per_cpu_second": tokens / median,
            "fraction_of_matmul": needed / median,
            "ratio": medians[0] / median,
        }
        for (name, budget, _), median in zip(runs, medians, strict=True)
    ]
    harness.table(
        ["", "tokens a batch", "tokens/s of one core", "of the product", "ratio"],
        [
            [
                str(row["name"]),
                f"{row['batch_tokens']:,}",
                f"{row['tokens_per_cpu_second']:,.0f}",
                f"{row['fraction_of_matmul']:.1%}",
                f"{row['ratio']:.2f}",
            ]
            for row in rows
        ],
    )
    return [harness.rounded(row) for row in rows]
