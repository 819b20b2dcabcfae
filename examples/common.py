"""Functions that the examples share: a model's vectors for many sentences, and pictures."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from types import ModuleType
from typing import Any

import numpy as np
import tensorflow as tf

import elmo_tf
from elmo_tf.cli.flags import Counter
from elmo_tf.data.text import iterate_lines
from elmo_tf.elmo.elmo_layer import ElmoLayer
from elmo_tf.errors import InputError
from elmo_tf.inference.length_batches import embed_batches
from elmo_tf.system.atomic_files import atomic_write


def load_elmo(folder: str, **arguments: Any) -> ElmoLayer:
    """`ElmoLayer.from_pretrained`, for which a model that it cannot take is the user's mistake."""
    try:
        return elmo_tf.ElmoLayer.from_pretrained(folder, **arguments)
    except ValueError as error:
        raise InputError(f"--elmo={folder}: {error}", path=folder, option="elmo") from error


def read_sentences(path: str) -> list[list[str]]:
    """The tokenised sentences of a file, one a line; blank lines do not count."""
    sentences = [tokens for tokens in (line.split() for line in iterate_lines(path)) if tokens]
    if not sentences:
        raise InputError(f"{path} is empty: expected a tokenised sentence a line", path=path)
    return sentences


def padded(sentences: Sequence[Sequence[str]]) -> np.ndarray:
    """One array `(sentences, longest)` of strings, "" for padding.

    >>> padded([["The", "cat"], ["Hello"]]).tolist()
    [['The', 'cat'], ['Hello', '']]
    """
    rows = np.full((len(sentences), max(map(len, sentences))), "", object)
    for row, sentence in zip(rows, sentences, strict=True):
        row[: len(sentence)] = sentence
    return rows


def vectors_of(
    layer: ElmoLayer, sentences: Sequence[list[str]], is_pooled: bool = False, dtype: str = "float32"
) -> list[np.ndarray]:
    """A layer's vectors for every sentence.

    Args:
        layer: reads the sentences in batches of like length.
        sentences: lists of tokens.
        is_pooled: whether the layer gives one vector a sentence.
        dtype: of the result.

    Returns:
        For each sentence, in their order, `(..., tokens, size)`; `(size,)` if pooled.
    """
    call: Callable[[tf.Tensor], tf.Tensor] = tf.function(
        layer, input_signature=[tf.TensorSpec([None, None], tf.string)]
    )

    def embed(batch: list[list[str]]) -> list[np.ndarray]:
        values = call(tf.constant(padded(batch))).numpy().astype(dtype)
        if is_pooled:
            return list(values)
        return [vectors[..., : len(tokens), :].copy() for vectors, tokens in zip(values, batch, strict=True)]

    found: dict[int, np.ndarray] = {}
    counter = Counter(len(sentences), "sentences embedded")
    for batch in embed_batches(embed, sentences):
        found |= {number: vectors for number, _, vectors in batch}
        counter(len(found))
    counter.close()
    return [found[number] for number in range(len(sentences))]


def cosines(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Cosines `(n, m)` of the vectors `(n, size)` with those `(m, size)`; 0 with a vector of zeros.

    >>> cosines(np.array([[1.0, 0.0]]), np.array([[2.0, 0.0], [0.0, 3.0]])).tolist()
    [[1.0, 0.0]]
    """
    return _unit(left) @ _unit(right).T


def _unit(vectors: np.ndarray) -> np.ndarray:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.where(lengths > 0, lengths, 1)


def check_picture(path: str, flag: str) -> ModuleType:
    """matplotlib's pyplot, drawing into files; says before the work is done what would be missing at its end."""
    if not path.lower().endswith((".png", ".pdf", ".svg")):
        raise InputError(f"--{flag}={path}: expected a name that ends in .png, .pdf or .svg", path=path, option=flag)
    try:
        import matplotlib
    except ImportError as error:
        raise InputError("matplotlib is not installed: pip install 'elmo_tf[demo]'") from error
    matplotlib.use("Agg")
    from matplotlib import pyplot

    return pyplot


@contextlib.contextmanager
def picture(pyplot: ModuleType, path: str, width: float, height: float) -> Iterator[Any]:
    """Yields a figure of so many inches and then writes it, whole or not at all."""
    figure = pyplot.figure(figsize=(width, height), layout="constrained")
    try:
        yield figure
        with atomic_write(path) as temporary:
            figure.savefig(temporary, dpi=150)
    finally:
        pyplot.close(figure)
