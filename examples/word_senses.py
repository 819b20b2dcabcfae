"""Finds which uses of a word are nearest to each other, and prints and plots them.

    python examples/word_senses.py --elmo=model --text=sentences.txt --word=bank --picture=bank.png

A word has a different vector in every sentence. The vectors of one sense lie near each other, so the nearest neighbours
of a use are uses in the same sense (Peters et al. 2018, table 4).
"""

import sys
from collections.abc import Sequence
from types import ModuleType
from typing import NamedTuple

import numpy as np

from elmo_tf.cli.flags import FlagSet, FlagValues
from elmo_tf.cli.main import run_command
from elmo_tf.cli.quiet import start_tensorflow
from elmo_tf.errors import InputError

DESCRIPTION = """
    Finds the uses of a word in a text, computes their vectors, and prints for some uses the nearest ones. Nearness is
    the cosine of the vectors after the mean of all uses is subtracted. The picture shows the uses in two dimensions,
    the first two principal components of their vectors, and labels them with the words around. For example:

      python examples/word_senses.py --elmo=model --text=sentences.txt --word=bank --picture=bank.png
      python examples/word_senses.py --elmo=model --text=sentences.txt --word=bank --query='She sat on the bank .'
"""

WINDOW = 5
"""The number of words that are shown on each side of a use."""


class Use(NamedTuple):
    """A word in a sentence."""

    sentence: list[str]
    position: int

    def text(self, window: int = WINDOW) -> str:
        """The use with some words around it.

        >>> Use("They sat on the bank of the river .".split(), 4).text(2)
        '... on the [bank] of the ...'
        """
        start, end = max(0, self.position - window), self.position + window + 1
        words = list(self.sentence)
        words[self.position] = f"[{words[self.position]}]"
        before, behind = ["..."] * (start > 0), ["..."] * (end < len(words))
        return " ".join([*before, *words[start:end], *behind])


def define_flags(flag_set: FlagSet) -> None:
    """Declares the command's flags."""
    flag_set.string("elmo", None, "the model: a folder of elmo-tf train, or weights.hdf5 and options.json", True)
    flag_set.string("text", None, "text, a tokenised sentence a line, .gz too", True)
    flag_set.string("word", None, "the word, in any case of its letters", True)
    flag_set.string("query", None, "a tokenised sentence with the word; not set: different uses from the text")
    flag_set.choice("layers", "top", ("top", "average"), "which vectors: the last layer's, or the mean of all layers")
    flag_set.integer("queries", 4, "without --query: the number of uses whose neighbours are printed", lower=1)
    flag_set.integer("neighbours", 3, "number of neighbours to print for each use", lower=1)
    flag_set.integer("max_uses", 500, "largest number of uses, from the start of the text", lower=2)
    flag_set.string("picture", None, "picture to write: .png, .pdf or .svg")


def uses_of(word: str, sentences: Sequence[list[str]], most: int) -> list[Use]:
    """Finds the first `most` uses of a word, in any case of its letters."""
    places = (
        Use(sentence, position)
        for sentence in sentences
        for position, token in enumerate(sentence)
        if token.lower() == word.lower()
    )
    return [use for use, _ in zip(places, range(most), strict=False)]


def unlike(vectors: np.ndarray, count: int) -> list[int]:
    """Chooses uses that are far apart: first the one farthest from the mean, then the one farthest from those chosen.

    Returns:
        The numbers of the chosen uses.
    """
    chosen = [int(np.argmax(np.linalg.norm(vectors - vectors.mean(0), axis=1)))]
    while len(chosen) < min(count, len(vectors)):
        distances = np.linalg.norm(vectors[:, None] - vectors[chosen], axis=2).min(1)
        chosen.append(int(np.argmax(distances)))
    return chosen


def plane(vectors: np.ndarray) -> np.ndarray:
    """Projects vectors `(n, size)` onto their first two principal components, `(n, 2)`."""
    centred = vectors - vectors.mean(0)
    left, scale, _ = np.linalg.svd(centred, full_matrices=False)
    found = np.zeros((len(vectors), 2))
    found[:, : min(2, len(scale))] = left[:, :2] * scale[:2]
    return found


def run(values: FlagValues, arguments: Sequence[str]) -> None:
    """Finds the uses, embeds and compares them, prints the nearest ones and draws the picture."""
    start_tensorflow()
    from common import check_picture, cosines, load_elmo, read_sentences, vectors_of

    pyplot = check_picture(values.picture, "picture") if values.picture else None
    uses = uses_of(values.word, read_sentences(values.text), values.max_uses)
    if len(uses) < 2:
        raise InputError(f"--word={values.word}: expected two uses or more in {values.text}, got {len(uses)}")
    asked = []
    if values.query is not None:
        asked = uses_of(values.word, [values.query.split()], 1)
        if not asked:
            raise InputError(f"--query={values.query!r} does not hold the word {values.word!r}")
    elmo = load_elmo(values.elmo, output=values.layers)
    shown = asked + uses
    layers = vectors_of(elmo, [use.sentence for use in shown])
    vectors = np.stack([layer[use.position] for layer, use in zip(layers, shown, strict=True)]).astype(np.float64)
    vectors -= vectors.mean(0)
    queries = [0] if asked else unlike(vectors, values.queries)
    near = cosines(vectors[queries], vectors)
    near[np.arange(len(queries)), queries] = -np.inf
    print(f"{len(uses)} uses of {values.word!r} in {values.text}")
    for query, row in zip(queries, near, strict=True):
        print(f"\n{shown[query].text()}")
        for other in np.argsort(-row, kind="stable")[: min(values.neighbours, len(shown) - 1)]:
            print(f"  {row[other]:6.3f}  {shown[other].text()}")
    if pyplot is not None:
        draw(pyplot, values.picture, values.word, shown, plane(vectors), queries, near)
        print(f"\n{values.picture}: all uses in two dimensions")


def draw(
    pyplot: ModuleType,
    path: str,
    word: str,
    uses: Sequence[Use],
    points: np.ndarray,
    queries: list[int],
    near: np.ndarray,
) -> None:
    """Draws a point for each use, in the colour of the nearest query. Queries are stars; some points have labels."""
    from common import picture

    near = near.copy()
    near[np.arange(len(queries)), queries] = np.inf
    groups = np.argmax(near, axis=0)
    labelled = {*queries, *range(0, len(uses), max(1, len(uses) // 40))}
    with picture(pyplot, path, 11, 8) as figure:
        axes = figure.subplots()
        for group, query in enumerate(queries):
            members = np.flatnonzero(groups == group)
            axes.scatter(*points[members].T, s=18, color=f"C{group}", alpha=0.7)
            axes.scatter(*points[query], s=160, marker="*", color=f"C{group}", edgecolor="black", zorder=3)
        for number in sorted(labelled):
            text = uses[number].text(3 if number in queries else 1).replace("$", r"\$")
            axes.annotate(
                text,
                points[number],
                (7, -3),
                textcoords="offset points",
                fontsize=8 if number in queries else 6,
                alpha=0.9,
            )
        axes.margins(x=0.15)  # room for the words beside the last points
        axes.set(title=f"{word!r} in {len(uses)} sentences", xlabel="first component", ylabel="second component")


if __name__ == "__main__":
    sys.exit(run_command(sys.modules[__name__], "python examples/word_senses.py", sys.argv[1:]))
