"""Functions that the examples share: they load a model, compute vectors for many sentences, and draw pictures."""

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
    """Calls `ElmoLayer.from_pretrained`; a model that does not fit is a user's mistake, an `InputError`."""
    try:
        return elmo_tf.ElmoLayer.from_pretrained(folder, **arguments)
    except ValueError as error:
        raise InputError(f"--elmo={folder}: {error}", path=folder, option="elmo") from error


def read_sentences(path: str) -> list[list[str]]:
    """Reads the tokenised sentences of a file, one on each line; skips blank lines."""
    sentences = [tokens for tokens in (line.split() for line in iterate_lines(path)) if tokens]
    if not sentences:
        raise InputError(f"{path} is empty: expected a tokenised sentence a line", path=path)
    return sentences


def padded(sentences: Sequence[Sequence[str]]) -> np.ndarray:
    """Puts sentences into one array `(sentences, longest)` of strings, with "" for padding.

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
    """Computes a layer's vectors for every sentence, in batches of similar length.

    Args:
        layer: the layer.
        sentences: the sentences, as lists of tokens.
        is_pooled: whether the layer returns one vector for each sentence.
        dtype: the type of the result.

    Returns:
        For each sentence, in order, vectors `(..., tokens, size)`; `(size,)` if pooled.
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
    """Computes the cosines `(n, m)` between vectors `(n, size)` and `(m, size)`; 0 for a vector of zeros.

    >>> cosines(np.array([[1.0, 0.0]]), np.array([[2.0, 0.0], [0.0, 3.0]])).tolist()
    [[1.0, 0.0]]
    """
    return _unit(left) @ _unit(right).T


def _unit(vectors: np.ndarray) -> np.ndarray:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.where(lengths > 0, lengths, 1)


def check_picture(path: str, flag: str) -> ModuleType:
    """Returns matplotlib's pyplot, set to draw into files.

    Call it before the computation starts, so that a missing matplotlib or a wrong file name is noticed at once.
    """
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
    """Yields a figure, whose width and height are in inches, and then writes it atomically."""
    figure = pyplot.figure(figsize=(width, height), layout="constrained")
    try:
        yield figure
        with atomic_write(path) as temporary:
            figure.savefig(temporary, dpi=150)
    finally:
        pyplot.close(figure)
