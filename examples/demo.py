"""The whole way on a small text: tokenize -> split -> vocab -> train -> evaluate -> convert -> embed, and a look at it.

    python examples/demo.py [--corpus=file] [--language=en] [--output_dir=demo]

Without --corpus it takes the Lee background corpus, 300 Australian news stories of 2000 and 2001, which the package
gensim ships. Every step is printed as the command that a user would type.
"""

import csv
import os
import shutil
import sys
import time
from collections.abc import Iterator

import h5py
import numpy as np
from absl import app, flags, logging

from elmo_tf.cli.main import main as elmo_tf
from elmo_tf.data.text import iterate_lines

CORPUS = flags.DEFINE_string("corpus", None, "raw text, UTF-8; not set: the Lee background corpus of gensim")
LANGUAGE = flags.DEFINE_string("language", "en", "language of the text, for the tokeniser")
OUTPUT = flags.DEFINE_string("output_dir", "demo", "folder to work in; what an earlier demo left there is removed")
MAX_STEPS = flags.DEFINE_integer("max_steps", 1500, "most training steps, so that a large text does not take long")

HERE = os.path.dirname(os.path.abspath(__file__))
EVERY = 10
"""Every tenth sentence is held out."""

MADE = ("raw", "corpus", "train.txt", "held.txt", "vocab.txt", "model", "hdf5", "embeddings.hdf5")


def run(*arguments: str) -> None:
    """Prints and runs one command; ends the demo where it fails."""
    print(f"\n$ elmo-tf {' '.join(arguments)}", flush=True)
    code = elmo_tf(arguments)
    if code:
        sys.exit(code)


def lee_corpus() -> str:
    """The path of gensim's Lee background corpus."""
    try:
        from gensim.test.utils import datapath
    except ImportError:
        sys.exit("demo: gensim is not installed: pip install 'elmo_tf[demo]', or give a text with --corpus=FILE")
    return str(datapath("lee_background.cor"))


def clear(folder: str) -> None:
    """Makes the folder, without what an earlier demo left."""
    os.makedirs(folder, exist_ok=True)
    for name in MADE:
        path = os.path.join(folder, name)
        if os.path.isdir(path):
            shutil.rmtree(path)
        elif os.path.exists(path):
            os.remove(path)


def split(source: str, train: str, held: str) -> None:
    """Every tenth sentence to `held`, the others to `train`."""
    with open(train, "w", encoding="utf-8") as train_file, open(held, "w", encoding="utf-8") as held_file:
        for number, line in enumerate(iterate_lines(source)):
            (held_file if number % EVERY == 0 else train_file).write(line + "\n")


def perplexities(log: str) -> list[float]:
    """The validations of a training log, in order."""
    with open(log, encoding="utf-8", newline="") as file:
        return [float(row["val_perplexity"]) for row in csv.DictReader(file) if row["val_perplexity"]]


def occurrences(sentences: list[list[str]], word: str) -> Iterator[tuple[int, int]]:
    """Where a word stands: sentence and position."""
    for number, sentence in enumerate(sentences):
        if word in sentence:
            yield number, sentence.index(word)


def word_in_two_contexts(sentences: list[list[str]]) -> tuple[str, tuple[int, int], tuple[int, int]] | None:
    """A word that stands in two sentences of the held-out text: the longest of those that stand there most often."""
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


def cosine(left: np.ndarray, right: np.ndarray) -> float:
    """Cosine of the angle between two vectors."""
    return float(left @ right / (np.linalg.norm(left) * np.linalg.norm(right)))


def show_contexts(held: str, embeddings: str) -> None:
    """How the vectors of one word in two sentences differ, layer by layer."""
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
            f"  layer {layer} ({what}): cosine {cosine(left, right):.3f}, "
            f"largest difference of a component {np.abs(left - right).max():.3f}"
        )


def main(_: list[str]) -> None:
    """Runs the demo."""
    logging.set_verbosity(logging.WARNING)
    started = time.perf_counter()
    folder, corpus = OUTPUT.value, CORPUS.value or lee_corpus()
    if not os.path.isfile(corpus):
        sys.exit(f"demo: {corpus}: no such file; expected a raw text, one or more paragraphs")
    clear(folder)
    raw, tokenized, train, held, vocab, model, hdf5, embeddings = (os.path.join(folder, name) for name in MADE)
    os.makedirs(raw)
    ending = ".txt.gz" if corpus.endswith(".gz") else ".txt"
    shutil.copyfile(corpus, os.path.join(raw, f"text{ending}"))
    print(f"Corpus: {corpus}")

    run("tokenize", f"--input_files={raw}/*", f"--output_dir={tokenized}", f"--language={LANGUAGE.value}")
    split(os.path.join(tokenized, "text.txt"), train, held)
    print(f"Every {EVERY}th sentence is held out: {train}, {held}")
    run("vocab", f"--train_files={train}", f"--vocab_file={vocab}", "--min_count=2")
    config = os.path.join(os.path.dirname(HERE), "configs", "tiny.flags")
    run(
        "train",
        f"--flagfile={config}",
        f"--train_files={train}",
        f"--valid_files={held}",
        f"--vocab_file={vocab}",
        f"--model_dir={model}",
        f"--max_steps={MAX_STEPS.value}",
        "--validate_first",
    )
    run("evaluate", f"--model_dir={model}", f"--test_files={held}")
    run("convert", f"--model_dir={model}", f"--output_dir={hdf5}")
    run("embed", f"--model_dir={hdf5}", f"--input_file={held}", f"--output_file={embeddings}")

    before, *_, after = perplexities(os.path.join(model, "log.csv"))
    print(f"\nMade in {time.perf_counter() - started:.0f} s:")
    print(f"  {model}: the model, with its checkpoints, log.csv and TensorBoard logs")
    print(f"  {hdf5}: weights.hdf5, options.json and vocab.txt for AllenNLP, bilm-tf and simple_elmo")
    print(f"  {embeddings}: three layers of vectors for every token of {held}")
    print(f"Held-out perplexity before training {before:.1f}, after it {after:.1f} (mean of both directions).")
    show_contexts(held, embeddings)


if __name__ == "__main__":
    app.run(main)
