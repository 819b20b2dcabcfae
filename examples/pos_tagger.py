"""Compares learned, static and ELMo's vectors in a BiLSTM part-of-speech tagger, on much and on little data.

    python examples/pos_tagger.py --elmo=model --train=train.conllu --dev=dev.conllu --corpus='wikitext2/train/*.txt'

The biLM is frozen, so its L + 1 layers are computed once for every sentence, before the first step, and kept in memory
as float16: 1.5 KB a word for a projection of 128, 350 MB for UD English EWT. Training then learns the mix of the
layers, as `ElmoLayer` does, and the tagger. With --noprecompute the `ElmoLayer` is in the model and its biLM runs at
every step. This gives the same tagger, many times slower; a model that also trains the biLM would be built in this way.
"""

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from conllu_reader import Sentence, read_conllu
from static_vectors import train_word2vec

from elmo_tf.cli.flags import FlagSet, FlagValues
from elmo_tf.cli.main import run_command
from elmo_tf.cli.quiet import start_tensorflow
from elmo_tf.errors import InputError
from elmo_tf.system.atomic_files import write_text

if TYPE_CHECKING:
    from tagger import Example, Vectors

DESCRIPTION = """
    Trains one BiLSTM tagger with several kinds of word vectors, on all sentences of a CoNLL-U file and on a few of
    them, with several seeds, and prints the accuracy of each on a second file. gensim trains word2vec on the text of
    --corpus; the text that the biLM was trained on is the fairest choice. For example:

      python examples/pos_tagger.py --elmo=model --train=train.conllu --dev=dev.conllu --corpus='wikitext2/train/*.txt'
      python examples/pos_tagger.py --elmo=model --train=train.conllu --dev=dev.conllu --systems=learned,elmo+learned

    The biLM is frozen, and its layers are computed once for all sentences; --noprecompute runs it at every step.
"""

SYSTEMS = ("learned", "word2vec", "elmo", "elmo+learned", "elmo+word2vec")


class Result(NamedTuple):
    """The accuracy of one tagger, and how it was trained."""

    system: str
    sentences: int
    seed: int
    accuracy: float


def define_flags(flag_set: FlagSet) -> None:
    """Declares the command's flags."""
    flag_set.string("elmo", None, "the model: a folder of elmo-tf train, or weights.hdf5 and options.json", True)
    flag_set.string("train", None, "CoNLL-U file to train on, .gz too", True)
    flag_set.string("dev", None, "CoNLL-U file to measure the accuracy on", True)
    flag_set.patterns("corpus", "for word2vec: tokenised text, a sentence a line: files or quoted patterns")
    flag_set.string("output_dir", "pos_tagger", "folder for results.csv, results.png and word2vec.bin")
    flag_set.string("systems", ",".join(SYSTEMS), "the vectors that are compared, comma-separated")
    flag_set.string("sizes", "all,500", "numbers of training sentences, which each seed draws; comma-separated")
    flag_set.integer("seeds", 3, "number of taggers to train for each kind of vectors and size", lower=1)
    flag_set.boolean("precompute", True, "compute ELMo's layers once; negated, run the biLM at every step")
    flag_set.boolean(
        "tune_word2vec", True, "train word2vec's vectors with the tagger, which is better; negated, freeze"
    )
    flag_set.integer("units", 64, "LSTM cells of the tagger in each direction", lower=1)
    flag_set.integer("vector_size", 100, "size of learned vectors and of word2vec's", lower=1)
    flag_set.number("dropout", 0.2, "dropout rate before and behind the BiLSTM", lower=0)
    flag_set.number("word_dropout", 0.25, "a: a word that occurs n times is made unknown at rate a / (a + n)", lower=0)
    flag_set.integer("batch_size", 64, "sentences of a batch", lower=1)
    flag_set.number("learning_rate", 0.01, "Adam's, falling to zero", lower=0)
    flag_set.integer("epochs", 3, "passes over the sentences", lower=1)
    flag_set.integer(
        "min_steps", 400, "least number of training steps; with few sentences, more passes are made", lower=1
    )


def run(values: FlagValues, arguments: Sequence[str]) -> None:
    """Reads the sentences, computes the vectors, trains every tagger, and shows the results."""
    systems = _check_systems(values)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # oneDNN calls the mask of an LSTM an error, and goes on
    start_tensorflow()
    from common import check_picture

    from elmo_tf.training.devices import keep_freed_memory

    keep_freed_memory()
    pyplot = check_picture(f"{values.output_dir}/results.png", "output_dir")
    train, dev = read_conllu(values.train), read_conllu(values.dev)
    sizes = _check_sizes(values.sizes, len(train))
    n_words = sum(len(sentence.words) for sentence in dev)
    print(f"{len(train):,} sentences to learn from; {len(dev):,} with {n_words:,} words to measure on", flush=True)
    vectors = prepare(values, systems)
    examples, n_tags = make_examples(values, systems, train, dev)
    results: list[Result] = []
    for result in compare(values, systems, sizes, vectors, (examples[: len(train)], examples[len(train) :]), n_tags):
        results.append(result)
        print(f"{result.system}, {result.sentences:,} sentences, seed {result.seed}: {result.accuracy:.2%}", flush=True)
        rows = [f"{r.system},{r.sentences},{r.seed},{r.accuracy:.5f}" for r in results]
        write_text(f"{values.output_dir}/results.csv", "\n".join(["system,sentences,seed,accuracy", *rows]) + "\n")
    print("\n" + "\n".join(table(results)))
    draw(pyplot, f"{values.output_dir}/results.png", results)
    print(f"\n{values.output_dir}: results.csv, results.png")


def _check_systems(values: FlagValues) -> list[str]:
    systems = list(dict.fromkeys(values.systems.split(",")))
    for system in systems:
        if system not in SYSTEMS:
            raise InputError(f"--systems={values.systems}: expected some of {','.join(SYSTEMS)}, got {system!r}")
    if any("word2vec" in system for system in systems) and not values.corpus:
        raise InputError(
            "--corpus is required for word2vec: text, a tokenised sentence a line; or leave it out: --systems"
        )
    if values.dropout >= 1:
        raise InputError(f"--dropout={values.dropout}: expected a rate below 1")
    return systems


def _check_sizes(text: str, most: int) -> list[int]:
    sizes = [str(most) if size == "all" else size for size in text.split(",")]
    for size in sizes:
        if not size.isdecimal() or not 1 <= int(size) <= most:
            raise InputError(
                f"--sizes={text}: expected 'all' or numbers from 1 to {most}, such as all,500, got {size!r}"
            )
    return list(dict.fromkeys(map(int, sizes)))


def prepare(values: FlagValues, systems: Sequence[str]) -> dict[str, Callable[[Sequence["Example"], int], "Vectors"]]:
    """Returns, for each kind of vectors, a function that makes them from the training sentences and a seed."""
    import tagger
    from common import load_elmo

    from elmo_tf.elmo.static_embedding import StaticEmbedding

    size = values.vector_size
    makers: dict[str, Any] = {"learned": lambda some, seed: tagger.from_table(tagger.learned_table(some, size, seed))}
    if any("word2vec" in system for system in systems):
        path = f"{values.output_dir}/word2vec.bin"
        train_word2vec(values.corpus, path, size)
        makers["word2vec"] = lambda some, seed: tagger.from_table(
            StaticEmbedding.from_word2vec(path, unknown="mean", lowercase=True, trainable=values.tune_word2vec)
        )
    if values.precompute:
        makers["elmo"] = lambda some, seed: tagger.cached_elmo(some[0].layers.shape[0], some[0].layers.shape[2])
    else:
        makers["elmo"] = lambda some, seed: tagger.elmo_inside(load_elmo(values.elmo))
    return makers


def make_examples(
    values: FlagValues, systems: Sequence[str], train: Sequence[Sentence], dev: Sequence[Sentence]
) -> tuple[list["Example"], int]:
    """Makes the taggers' input for all sentences; returns it with the number of tags."""
    from common import load_elmo, vectors_of
    from tagger import Example, case_of

    both = [*train, *dev]
    layers: Sequence[np.ndarray | None] = [None] * len(both)
    if values.precompute and any("elmo" in system for system in systems):
        layers = vectors_of(
            load_elmo(values.elmo, output="all"), [sentence.words for sentence in both], dtype="float16"
        )
    numbers = {tag: number for number, tag in enumerate(sorted({tag for sentence in both for tag in sentence.tags}))}
    examples = [
        Example(
            sentence.words,
            np.array([case_of(word) for word in sentence.words], np.int32),
            np.array([numbers[tag] for tag in sentence.tags], np.int32),
            array,
        )
        for sentence, array in zip(both, layers, strict=True)
    ]
    return examples, len(numbers)


def compare(
    values: FlagValues,
    systems: Sequence[str],
    sizes: Sequence[int],
    makers: dict[str, Callable[[Sequence["Example"], int], "Vectors"]],
    data: tuple[Sequence["Example"], Sequence["Example"]],
    n_tags: int,
) -> Iterator[Result]:
    """Trains and measures each system with each size and seed; a seed draws the same sentences for all systems."""
    import keras
    from tagger import Settings, accuracy, build, train

    settings = Settings(*(getattr(values, name) for name in Settings._fields))
    for size in sizes:
        for seed in range(1, values.seeds + 1):
            rows = np.sort(np.random.default_rng(seed).permutation(len(data[0]))[:size])
            some = [data[0][row] for row in rows]
            for system in systems:
                keras.utils.set_random_seed(seed)
                model = build([makers[part](some, seed) for part in system.split("+")], n_tags, settings)
                train(model, some, settings, seed)
                yield Result(system, size, seed, accuracy(model, data[1]))
                keras.backend.clear_session()


def table(results: Sequence[Result]) -> list[str]:
    """Makes a Markdown table of mean and standard deviation over the seeds: systems in rows, sizes in columns."""
    sizes = list(dict.fromkeys(result.sentences for result in results))
    lines = ["| vectors |" + "".join(f" {size:,} sentences |" for size in sizes), "| --- |" + " --- |" * len(sizes)]
    for system in dict.fromkeys(result.system for result in results):
        cells = []
        for size in sizes:
            found = [100 * r.accuracy for r in results if (r.system, r.sentences) == (system, size)]
            spread = f" ± {np.std(found, ddof=1):.2f}" if len(found) > 1 else ""
            cells.append(f" {np.mean(found):.2f}{spread} |")
        lines.append(f"| {system} |" + "".join(cells))
    return lines


def draw(pyplot: Any, path: str, results: Sequence[Result]) -> None:
    """Draws a panel for each size, with every tagger's accuracy as a dot and the mean over the seeds as a line."""
    from common import picture

    sizes = list(dict.fromkeys(result.sentences for result in results))
    systems = list(dict.fromkeys(result.system for result in results))
    with picture(pyplot, path, 1 + 4 * len(sizes), 4) as figure:
        for axes, size in zip(figure.subplots(1, len(sizes), squeeze=False)[0], sizes, strict=True):
            for place, system in enumerate(systems):
                found = [100 * r.accuracy for r in results if (r.system, r.sentences) == (system, size)]
                axes.scatter([place] * len(found), found, color=f"C{place}")
                axes.hlines(np.mean(found), place - 0.3, place + 0.3, color=f"C{place}")
            axes.set_xticks(range(len(systems)), systems, rotation=25, ha="right")
            axes.set(title=f"{size:,} sentences", ylabel="words tagged right, %")
            axes.grid(axis="y", alpha=0.3)


if __name__ == "__main__":
    sys.exit(run_command(sys.modules[__name__], "python examples/pos_tagger.py", sys.argv[1:]))
