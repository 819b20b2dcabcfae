"""Runs every step on a small text: tokenize -> split -> vocab -> train -> evaluate -> convert -> embed -> plot.

    python examples/demo.py [--corpus=file] [--language=en] [--output_dir=demo]

Each step is printed as the command that a user would type, before it is run. The results are shown at the end.
"""

import csv
import importlib.util
import os
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import h5py
import numpy as np

from elmo_tf.cli.flags import FlagSet, FlagValues
from elmo_tf.cli.main import main as elmo_tf
from elmo_tf.cli.main import run_command
from elmo_tf.data.text import iterate_lines
from elmo_tf.errors import InputError
from elmo_tf.system.atomic_files import copy, make_folder, write_text

DESCRIPTION = """
    Runs every step on a small text: tokenize, a split into training and held-out sentences, vocab, train, evaluate,
    convert, embed and plot. At the end it prints the results. Without --corpus it uses the Lee background corpus, 300
    Australian news stories of 2000 and 2001, which comes with the package gensim. For example:

      python examples/demo.py --corpus=my.txt --language=nb --output_dir=my_demo
"""

HERE = os.path.dirname(os.path.abspath(__file__))
EVERY = 10
"""Every tenth sentence is held out."""

MARK = ".elmo_tf_demo"
"""The file that marks a folder as made by the demo, whose files may be removed."""


class Made(NamedTuple):
    """The names or the paths of the files and folders that the demo makes."""

    raw: str = "raw"
    corpus: str = "corpus"
    train: str = "train.txt"
    held: str = "held.txt"
    vocab: str = "vocab.txt"
    model: str = "model"
    hdf5: str = "hdf5"
    embeddings: str = "embeddings.hdf5"
    charts: str = "training.png"


def define_flags(flag_set: FlagSet) -> None:
    """Declares the command's flags."""
    flag_set.string("corpus", None, "raw text, UTF-8, .gz too; not set: the Lee background corpus of gensim")
    flag_set.string("language", "en", "language of the text, for the tokeniser")
    flag_set.string(
        "output_dir", "demo", "folder to work in: new, empty, or of an earlier demo, whose files are then removed"
    )
    flag_set.integer(
        "max_steps", 1500, "largest number of training steps, so that a large text does not take long", lower=1
    )


def elmo_tf_command(*arguments: str) -> None:
    """Prints and runs one command; ends the demo if the command fails."""
    print(f"\n$ elmo-tf {' '.join(arguments)}", flush=True)
    code = elmo_tf(arguments)
    if code:
        sys.exit(code)


def lee_corpus() -> str:
    """Returns the path of gensim's Lee background corpus."""
    try:
        from gensim.test.utils import datapath
    except ImportError as error:
        message = "gensim is not installed: pip install 'elmo_tf[demo]', or give a text with --corpus=FILE"
        raise InputError(message) from error
    return str(datapath("lee_background.cor"))


def check_corpus(corpus: str, folder: str) -> None:
    """Raises an `InputError` if the corpus does not exist, or lies in the folder where the demo removes files."""
    if not os.path.isfile(corpus):
        raise InputError(f"--corpus={corpus}: no such file; expected a raw text, one or more paragraphs")
    above = os.path.realpath(corpus)
    while os.path.isdir(folder) and above != os.path.dirname(above):
        above = os.path.dirname(above)
        if os.path.samefile(above, folder):
            raise InputError(
                f"--corpus={corpus} lies in --output_dir={folder}, where the demo removes files: give another folder"
            )


def prepare_folder(folder: str) -> Made:
    """Makes the demo's folder, or removes the files of an earlier demo from it; returns the paths of the new files.

    Raises:
        InputError: the folder cannot be made or emptied, or it holds files that are not of a demo. These are kept.
    """
    make_folder(folder)
    mark = os.path.join(folder, MARK)
    made = Made(*(os.path.join(folder, name) for name in Made()))
    try:
        if os.listdir(folder) and not os.path.isfile(mark):
            raise InputError(
                f"--output_dir={folder} holds files that are not known to be of a demo (no {MARK} is among them); "
                "expected a new or empty folder, or that of an earlier demo"
            )
        write_text(mark, "examples/demo.py works here, and removes what it made before.\n")
        for path in made:
            remove(path)
    except OSError as error:
        raise InputError(f"--output_dir={folder} cannot be emptied: {error}") from error
    return made


def remove(path: str) -> None:
    """Removes a file, a link or a whole folder, if it is there."""
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    elif os.path.lexists(path):
        os.remove(path)


def split(source: str, train: str, held: str) -> None:
    """Writes every tenth sentence to `held`, and the others to `train`."""
    with open(train, "w", encoding="utf-8") as train_file, open(held, "w", encoding="utf-8") as held_file:
        for number, line in enumerate(iterate_lines(source)):
            (held_file if number % EVERY == 0 else train_file).write(line + "\n")


def perplexities(log: str) -> list[float]:
    """Reads the validation perplexities of a training log, in order."""
    with open(log, encoding="utf-8", newline="") as file:
        return [float(row["val_perplexity"]) for row in csv.DictReader(file) if row["val_perplexity"]]


def occurrences(sentences: list[list[str]], word: str) -> Iterator[tuple[int, int]]:
    """Yields the first place of a word in each sentence that holds it: the sentence's number and the position."""
    for number, sentence in enumerate(sentences):
        if word in sentence:
            yield number, sentence.index(word)


def word_in_two_contexts(sentences: list[list[str]]) -> tuple[str, tuple[int, int], tuple[int, int]] | None:
    """Chooses a word that occurs in at least two sentences: the longest of the 40 most frequent ones.

    Returns:
        The word, and its places in the first two sentences that hold it; None if there is no such word.
    """
    counts: dict[str, int] = {}
    for sentence in sentences:
        for word in set(sentence):
            if word.isalpha() and word.islower() and len(word) > 3:
                counts[word] = counts.get(word, 0) + 1
    often = sorted((word for word in counts if counts[word] > 1), key=lambda word: (-counts[word], word))[:40]
    if not often:
        return None
    word = max(often, key=lambda word: (len(word), word))
    first, second, *_ = occurrences(sentences, word)
    return word, first, second


def show_contexts(held: str, embeddings: str) -> None:
    """Prints how the vectors of one word in two sentences differ, layer by layer."""
    from common import cosines

    sentences = [line.split() for line in iterate_lines(held)]
    found = word_in_two_contexts(sentences)
    if found is None:
        print("No longer word stands in two held-out sentences; a larger text would show one word in two contexts.")
        return
    word, *places = found
    print(f"The word {word!r} in two contexts of the held-out text:")
    with h5py.File(embeddings, "r") as file:
        vectors = [file[str(sentence)][:, position] for sentence, position in places]
    for sentence, position in places:
        around = sentences[sentence][max(0, position - 6) : position + 7]
        print(f"  line {sentence + 1}: ... {' '.join(around)} ...")
    for layer, (left, right) in enumerate(zip(*vectors, strict=True)):
        what = "the word alone" if layer == 0 else f"LSTM layer {layer}"
        print(
            f"  layer {layer} ({what}): cosine {cosines(left[None], right[None])[0, 0]:.3f}, "
            f"largest difference of a component {np.abs(left - right).max():.3f}"
        )


def run(values: FlagValues, arguments: Sequence[str]) -> None:
    """Runs every step, and shows the results."""
    started = time.perf_counter()
    corpus = values.corpus or lee_corpus()
    check_corpus(corpus, values.output_dir)
    source = os.path.realpath(corpus)  # a link in the demo's folder would be removed; the file that it leads to is not
    made = prepare_folder(values.output_dir)
    copy(source, os.path.join(made.raw, "text.txt.gz" if corpus.endswith(".gz") else "text.txt"))
    print(f"Corpus: {corpus}")
    prepare(made, values.language)
    train_and_use(made, values.max_steps)
    show(made, time.perf_counter() - started)


def prepare(made: Made, language: str) -> None:
    """Tokenises the raw text, splits it in two, and makes a vocabulary."""
    elmo_tf_command("tokenize", f"--input_files={made.raw}/*", f"--output_dir={made.corpus}", f"--language={language}")
    split(os.path.join(made.corpus, "text.txt"), made.train, made.held)
    print(f"Every {EVERY}th sentence is held out: {made.train}, {made.held}")
    elmo_tf_command("vocab", f"--train_files={made.train}", f"--vocab_file={made.vocab}", "--min_count=2")


def train_and_use(made: Made, max_steps: int) -> None:
    """Trains a model, evaluates it, converts it to HDF5, embeds the held-out text, and draws the training."""
    elmo_tf_command(
        "train",
        f"--flagfile={os.path.join(os.path.dirname(HERE), 'configs', 'tiny.flags')}",
        f"--train_files={made.train}",
        f"--valid_files={made.held}",
        f"--vocab_file={made.vocab}",
        f"--model_dir={made.model}",
        f"--max_steps={max_steps}",
        "--validate_first",
    )
    elmo_tf_command("evaluate", f"--model_dir={made.model}", f"--test_files={made.held}")
    elmo_tf_command("convert", f"--model_dir={made.model}", f"--output_dir={made.hdf5}")
    elmo_tf_command(
        "embed", f"--model_dir={made.hdf5}", f"--input_file={made.held}", f"--output_file={made.embeddings}"
    )
    if importlib.util.find_spec("matplotlib") is None:
        print("\nmatplotlib is not installed, so no charts are drawn: pip install 'elmo_tf[plot]'")
    else:
        elmo_tf_command("plot", f"--model_dir={made.model}", f"--output_file={made.charts}")


def show(made: Made, seconds: float) -> None:
    """Prints which files were made, what the model learned, and how a word's vectors differ."""
    before, *_, after = perplexities(os.path.join(made.model, "log.csv"))
    print(f"\nMade in {seconds:.0f} s:")
    print(f"  {made.model}: the model, with its checkpoints, log.csv and TensorBoard logs")
    print(f"  {made.hdf5}: weights.hdf5, options.json and vocab.txt for AllenNLP, bilm-tf and simple_elmo")
    print(f"  {made.embeddings}: three layers of vectors for every token of {made.held}")
    if os.path.exists(made.charts):
        print(f"  {made.charts}: charts of the loss, the perplexity, the gradient's norm and the speed")
    print(f"Held-out perplexity before training {before:.1f}, after it {after:.1f} (mean of both directions).")
    show_contexts(made.held, made.embeddings)


if __name__ == "__main__":
    sys.exit(run_command(sys.modules[__name__], "python examples/demo.py", sys.argv[1:]))
