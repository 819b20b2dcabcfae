"""`examples/pos_tagger.py` on sentences that it can learn in seconds, and what its batches hold."""

import csv

import example_runs
import numpy as np
import pos_tagger
import pytest
import tagger
import tensorflow as tf
import tiny
from example_runs import is_png, one_sentence, tiny_model

from elmo_tf.elmo.elmo_layer import ElmoLayer

SETTINGS = tagger.Settings(
    units=8, dropout=0.0, word_dropout=0.0, batch_size=4, learning_rate=0.02, epochs=1, min_steps=60
)


def conllu(sentences):
    """Words of `tiny` tagged by their last letter."""
    rows = []
    for sentence in sentences:
        for number, word in enumerate(sentence.split(), 1):
            rows.append("\t".join([str(number), word, "_", word[-1].upper(), *"______"]))
        rows.append("")
    return "\n".join(rows)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "train.conllu").write_text(conllu(tiny.sentences(40)))
    (tmp_path / "dev.conllu").write_text(conllu(tiny.sentences(10, seed=1)))
    (tmp_path / "corpus.txt").write_text("\n".join(tiny.sentences(60, seed=2)) + "\n")
    return tiny_model(tmp_path)


def run(folder, *arguments, train="train.conllu", dev="dev.conllu"):
    files = [f"--elmo={folder}", f"--train={folder / train}", f"--dev={folder / dev}", f"--output_dir={folder / 'out'}"]
    small = ["--units=8", "--batch_size=8", "--vector_size=6", "--min_steps=60", "--learning_rate=0.03"]
    return example_runs.run("pos_tagger", *files, *small, *arguments)


def test_systems_are_trained_and_reported(folder):
    for needed in ("gensim", "matplotlib"):
        pytest.importorskip(needed)
    systems = ["learned", "elmo", "elmo+word2vec"]
    corpus = f"--corpus={folder / 'corpus.txt'}"
    result = run(folder, corpus, f"--systems={','.join(systems)}", "--sizes=all,10", "--seeds=1")
    assert result.returncode == 0, result.stderr
    assert "40 sentences to learn from; 10 with" in result.stdout
    with open(folder / "out" / "results.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["system"] for row in rows] == 2 * systems
    best = max(float(row["accuracy"]) for row in rows if row["system"] == "learned" and row["sentences"] == "40")
    assert best > 0.9  # each word has one tag
    for system in systems:
        assert f"\n| {system} | " in result.stdout
    assert is_png(folder / "out" / "results.png")
    assert (folder / "out" / "word2vec.bin").exists()


def test_the_layer_can_be_inside_the_model(folder):
    pytest.importorskip("matplotlib")
    result = run(folder, "--systems=elmo", "--sizes=20", "--seeds=1", "--noprecompute", "--min_steps=2")
    assert result.returncode == 0, result.stderr
    assert "elmo, 20 sentences, seed 1: " in result.stdout


def examples_of(sentences, layers=None):
    made = []
    for number, sentence in enumerate(sentences):
        words = sentence.split()
        tags = np.array(["rsxlv".index(word[-1]) for word in words], np.int32)
        made.append(tagger.Example(words, np.ones(len(words), np.int32), tags, layers[number] if layers else None))
    return made


def test_layers_computed_before_give_what_the_layer_inside_gives(folder):
    from common import vectors_of

    sentences = tiny.sentences(9, seed=3)
    elmo = ElmoLayer.from_pretrained(folder, output="all")
    layers = vectors_of(elmo, [sentence.split() for sentence in sentences], dtype="float32")
    examples = examples_of(sentences, layers)
    outside = tagger.build([tagger.cached_elmo(3, 12)], 5, SETTINGS)
    inside = tagger.build([tagger.elmo_inside(ElmoLayer.from_pretrained(folder))], 5, SETTINGS)
    tail = [w for w in inside.weights if "bilm" not in w.path]
    assert [w.shape for w in tail] == [w.shape for w in outside.weights]
    for target, source in zip(tail, outside.weights, strict=True):
        target.assign(source)
    logits = []
    for model in (outside, inside):
        inputs, _ = tagger.batch(examples, tagger.names_of(model))
        logits.append(model({name: tf.constant(value) for name, value in inputs.items()}).numpy())
    is_word = np.arange(logits[0].shape[1]) < np.array([[len(e.words)] for e in examples])
    np.testing.assert_allclose(logits[0][is_word], logits[1][is_word], atol=2e-3)  # layers go in as float16
    assert tagger.accuracy(outside, examples) == tagger.accuracy(inside, examples)


def test_padding_does_not_matter():
    examples = examples_of(tiny.sentences(7))
    model = tagger.build([tagger.from_table(tagger.learned_table(examples, 4, seed=1))], 5, SETTINGS)

    def logits(some):
        inputs, _ = tagger.batch(some, tagger.names_of(model))
        return model({name: tf.constant(value) for name, value in inputs.items()})

    together = logits(examples)
    is_word = np.arange(together.shape[1]) < np.array([[len(example.words)] for example in examples])
    np.testing.assert_array_equal(together._keras_mask, is_word)
    for example, values in zip(examples, together.numpy(), strict=True):
        np.testing.assert_allclose(logits([example])[0], values[: len(example.words)], atol=1e-6)


def test_accuracy_counts_words_and_no_padding():
    examples = examples_of(tiny.sentences(7))
    model = tagger.build([tagger.from_table(tagger.learned_table(examples, 4, seed=1))], 5, SETTINGS)
    right = words = 0
    for example in examples:
        inputs, tags = tagger.batch([example], tagger.names_of(model))
        best = np.argmax(model({name: tf.constant(value) for name, value in inputs.items()}), -1)
        right, words = right + np.sum(best == tags), words + len(example.words)
    assert tagger.accuracy(model, examples, batch_size=3) == right / words


def test_a_pass_has_every_sentence_once_in_an_order_of_its_own():
    examples = examples_of(tiny.sentences(11))
    model = tagger.build([tagger.from_table(tagger.learned_table(examples, 4, seed=1))], 5, SETTINGS)
    batches = tagger.dataset(model, examples, 4, {}, seed=1)
    passes = []
    for _ in range(2):
        passes.append([" ".join(w.decode() for w in row if w) for x, _ in batches for row in x["words"].numpy()])
    assert sorted(passes[0]) == sorted(passes[1]) == sorted(" ".join(e.words) for e in examples)
    assert passes[0] != passes[1]


def test_words_are_dropped_at_their_rate():
    examples = examples_of(["tar tax"] * 400)
    rates = {"tar": 0.5, "tax": 0.0}
    inputs, _ = tagger.batch(examples, {"words"}, rates, np.random.default_rng(1))
    assert 150 < np.sum(inputs["words"][:, 0] == tagger.UNKNOWN) < 250
    assert set(inputs["words"][:, 1]) == {"tax"}


def test_a_table_row_has_mean_and_spread():
    results = [pos_tagger.Result("elmo", 500, seed, value) for seed, value in enumerate((0.90, 0.92, 0.94))]
    assert pos_tagger.table(results) == ["| vectors | 500 sentences |", "| --- | --- |", "| elmo | 92.00 ± 2.00 |"]


def test_mistakes_are_one_sentence(folder):
    assert "--corpus is required for word2vec" in one_sentence(run(folder))
    assert "expected some of learned,word2vec" in one_sentence(run(folder, "--systems=glove"))
    assert "--sizes=all,41: expected 'all' or numbers" in one_sentence(
        run(folder, "--systems=learned", "--sizes=all,41")
    )
    assert "none.conllu cannot be read" in one_sentence(run(folder, "--systems=learned", train="none.conllu"))
    (folder / "bad.conllu").write_text("1\ta\n")
    assert "bad.conllu, line 1: expected 10 columns" in one_sentence(run(folder, "--systems=learned", dev="bad.conllu"))
    assert "--dev is required" in one_sentence(example_runs.run("pos_tagger", f"--elmo={folder}", "--train=x"), 2)
    assert not (folder / "out").exists()
