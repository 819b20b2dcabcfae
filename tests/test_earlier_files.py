"""Files that an earlier release wrote, when its modules had other names, load and give the same numbers.

`tests/earlier_files` was written by the commit c79b2a6: a training run of `tiny.settings`, its HDF5 conversion, two
Keras models with `ElmoLayer` and a SavedModel, each with the vectors that it gave then.
"""

import dataclasses
import pathlib
import shutil
import zipfile

import keras
import numpy as np
import pytest
import tensorflow as tf
import tiny

import elmo_tf
from elmo_tf.data.vocabulary import Vocabulary

FILES = pathlib.Path(__file__).parent / "earlier_files"
SENTENCES = [["tar", "kens", "moppel"], ["lix"], ["Unseen", "zur", "zuv", "tar"]]
BATCH = [["tar", "kens", "moppel", ""], ["Unseen", "zur", "", ""]]
TOLERANCE = 1e-6


@pytest.mark.parametrize(("folder", "which"), [("run", "latest"), ("run", "best"), ("hdf5", None)])
def test_the_models_of_an_earlier_run_and_its_conversion_give_the_same_vectors(folder, which):
    loaded = elmo_tf.load_bilm(FILES / folder, which)
    expected = np.load(FILES / "embeddings.npz")
    for number, vectors in enumerate(elmo_tf.SentenceEmbedder(loaded.bilm, loaded.vocabulary)(SENTENCES)):
        np.testing.assert_allclose(vectors, expected[str(number)], atol=TOLERANCE)


@pytest.mark.parametrize("name", ["tagger", "pooled"])
def test_a_keras_file_of_an_earlier_release_gives_the_same_outputs(name):
    classes = {kind.__name__: kind for kind in (elmo_tf.ElmoLayer, elmo_tf.StaticEmbedding)}  # imports register them
    model = keras.models.load_model(FILES / f"{name}.keras", custom_objects=classes)
    expected = np.load(FILES / f"{name}_outputs.npy")
    np.testing.assert_allclose(model(tf.constant(BATCH)), expected, atol=TOLERANCE)


def test_a_saved_model_of_an_earlier_release_gives_the_same_outputs(tmp_path):
    with zipfile.ZipFile(FILES / "served.zip") as archive:
        archive.extractall(tmp_path)
    served = tf.saved_model.load(str(tmp_path / "served")).signatures["serving_default"]
    (outputs,) = served(inputs=tf.constant(BATCH)).values()
    np.testing.assert_allclose(outputs, np.load(FILES / "tagger_outputs.npy"), atol=TOLERANCE)


def test_an_earlier_run_is_resumed_where_it_stopped(tmp_path):
    shutil.copytree(FILES / "run", tmp_path / "run")
    settings = tiny.settings(tmp_path, count=60, max_steps=14, model="run")
    # the run's own text and vocabulary, whatever `tiny` makes of them today
    for name in ("train.txt", "held.txt"):
        shutil.copy(FILES / name, tmp_path / name)
    shutil.copy(FILES / "run" / "vocab.txt", tmp_path / "vocab.txt")
    assert Vocabulary.from_file(str(tmp_path / "vocab.txt")).words
    lines = []
    result = elmo_tf.train(dataclasses.replace(settings, checkpoint_steps=5), lines.append)
    assert lines[0].startswith("resumed from step 12 of ")
    assert result.steps == 14
