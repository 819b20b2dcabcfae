"""Finds the sentences of a text that are similar to each other or to a given one, and prints and plots them.

    python examples/sentence_similarity.py --elmo=model --text=sentences.txt --picture=similarity.png

The vector of a sentence is the mean or the maximum of its words' vectors, by `ElmoLayer(pooling=...)`.
"""

import sys
from collections.abc import Sequence
from types import ModuleType

import numpy as np

from elmo_tf.cli.flags import FlagSet, FlagValues
from elmo_tf.cli.main import run_command
from elmo_tf.cli.quiet import start_tensorflow
from elmo_tf.errors import InputError

DESCRIPTION = """
    Computes a vector for every sentence of a text, and prints the most similar pairs of sentences, or, with --query,
    the sentences most similar to the query. Similarity is the cosine of the vectors after their mean is subtracted. The
    picture is a heat map of the cosines between the printed sentences. For example:

      python examples/sentence_similarity.py --elmo=model --text=sentences.txt --picture=similarity.png
      python examples/sentence_similarity.py --elmo=model --text=sentences.txt --query='Where is the station ?'
"""

LABEL = 44
"""The largest number of letters of a sentence that is printed beside the heat map."""


def define_flags(flag_set: FlagSet) -> None:
    """Declares the command's flags."""
    flag_set.string("elmo", None, "the model: a folder of elmo-tf train, or weights.hdf5 and options.json", True)
    flag_set.string("text", None, "text, a tokenised sentence a line, .gz too", True)
    flag_set.string("query", None, "a tokenised sentence; not set: the most similar pairs of the text")
    flag_set.choice("pooling", "mean", ("mean", "max"), "a sentence's vector from those of its words")
    flag_set.choice("layers", "average", ("average", "top"), "which vectors: the mean of all layers, or the last one's")
    flag_set.integer("neighbours", 10, "number of sentences or pairs to print", lower=1)
    flag_set.integer("max_sentences", 5000, "largest number of sentences, from the start of the text", lower=2)
    flag_set.string("picture", None, "picture to write: .png, .pdf or .svg")


def distinct(sentences: Sequence[list[str]], most: int) -> list[list[str]]:
    """Returns the first `most` different sentences."""
    return [list(words) for words, _ in zip(dict.fromkeys(map(tuple, sentences)), range(most), strict=False)]


def nearest_pairs(alike: np.ndarray, count: int) -> list[tuple[int, int]]:
    """Returns the places of the largest values of a symmetric matrix, as pairs of two different rows.

    >>> nearest_pairs(np.array([[1.0, 0.2, 0.9], [0.2, 1.0, 0.3], [0.9, 0.3, 1.0]]), 2)
    [(0, 2), (1, 2)]
    """
    rows, columns = np.triu_indices(len(alike), 1)
    order = np.argsort(-alike[rows, columns], kind="stable")[:count]
    return [(int(rows[place]), int(columns[place])) for place in order]


def run(values: FlagValues, arguments: Sequence[str]) -> None:
    """Embeds the sentences, compares them, prints the nearest ones and draws the picture."""
    start_tensorflow()
    from common import check_picture, cosines, load_elmo, read_sentences, vectors_of

    pyplot = check_picture(values.picture, "picture") if values.picture else None
    sentences = distinct(read_sentences(values.text), values.max_sentences)
    if len(sentences) < 2:
        raise InputError(
            f"{values.text}: expected two different sentences or more, got {len(sentences)}", path=values.text
        )
    query = None if values.query is None else values.query.split()
    if query == []:
        raise InputError("--query is empty: expected a tokenised sentence")
    elmo = load_elmo(values.elmo, output=values.layers, pooling=values.pooling)
    vectors = np.stack(vectors_of(elmo, sentences + ([query] if query else []), is_pooled=True)).astype(np.float64)
    vectors -= vectors[: len(sentences)].mean(0)
    print(f"{len(sentences)} sentences of {values.text}")
    if query:
        shown = show_nearest(query, sentences, cosines(vectors[-1:], vectors[:-1])[0], values.neighbours)
        shown = [len(sentences), *shown]
    else:
        shown = show_pairs(sentences, cosines(vectors, vectors), values.neighbours)
    if pyplot is not None:
        labels = [" ".join(([*sentences, query] if query else sentences)[number]) for number in shown]
        draw(pyplot, values.picture, labels, cosines(vectors[shown], vectors[shown]))
        print(f"\n{values.picture}: the cosines among them")


def show_nearest(query: list[str], sentences: Sequence[list[str]], alike: np.ndarray, count: int) -> list[int]:
    """Prints the sentences nearest to the query; returns their numbers."""
    print(f"\n{' '.join(query)}")
    found = [int(number) for number in np.argsort(-alike, kind="stable")[:count]]
    for number in found:
        print(f"  {alike[number]:6.3f}  {' '.join(sentences[number])}")
    return found


def show_pairs(sentences: Sequence[list[str]], alike: np.ndarray, count: int) -> list[int]:
    """Prints the most similar pairs; returns the numbers of their sentences, each once."""
    pairs = nearest_pairs(alike, count)
    for first, second in pairs:
        print(f"\n  {alike[first, second]:6.3f}  {' '.join(sentences[first])}\n          {' '.join(sentences[second])}")
    return list(dict.fromkeys(number for pair in pairs for number in pair))


def draw(pyplot: ModuleType, path: str, sentences: Sequence[str], alike: np.ndarray) -> None:
    """Draws the heat map of cosines, with the sentences beside it."""
    from common import picture

    labels = [text if len(text) <= LABEL else text[: LABEL - 1] + "…" for text in sentences]
    labels = [text.replace("$", r"\$") for text in labels]
    size = 3 + 0.3 * len(labels)
    with picture(pyplot, path, size + 4, size) as figure:
        axes = figure.subplots()
        image = axes.imshow(alike, cmap="RdBu_r", vmin=-1, vmax=1)
        axes.set_yticks(range(len(labels)), labels, fontsize=7)
        axes.set_xticks(range(len(labels)), [str(number) for number in range(1, len(labels) + 1)], fontsize=7)
        figure.colorbar(image, ax=axes, label="cosine")


if __name__ == "__main__":
    sys.exit(run_command(sys.modules[__name__], "python examples/sentence_similarity.py", sys.argv[1:]))
