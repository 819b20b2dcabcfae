"""Words of a list, of a file and of the output of `elmo-tf tokens` are looked up, and have the encoder's vectors."""

import copy

import numpy as np
import pytest
from elmo_cases import padded
from model_folders import trained_folder
from refusals import refused

from elmo_tf.bulk.token_vectors import write_token_vectors
from elmo_tf.elmo.elmo_layer import ElmoLayer
from elmo_tf.inference.sentence_embedder import SentenceEmbedder
from elmo_tf.store.load_model import load_bilm

LISTED = ["the", "øl", "cat", "日本"]
SENTENCES = [["the", "cat", "zebra"], [], ["øl", "日本"]]


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    """A folder with a model, its words in both kinds of file; the loaded model, and its vectors of every sentence."""
    folder = tmp_path_factory.mktemp("stored")
    trained_folder(folder / "model", latest=False)
    loaded = load_bilm(folder / "model")
    write_token_vectors(loaded.bilm, LISTED, folder / "words.hdf5")
    write_token_vectors(loaded.bilm, ["<S>", *LISTED, "</S>"], folder / "bounded.hdf5")
    (folder / "words.txt").write_text("\n".join(LISTED), encoding="utf-8")
    return folder, loaded.bilm, SentenceEmbedder(loaded.bilm, compiled=False)(SENTENCES)


@pytest.mark.parametrize("word_cache", [0, 3])
@pytest.mark.parametrize("given", ["words.hdf5", "bounded.hdf5", "words.txt", LISTED])
def test_an_embedder_looks_words_up_and_gives_the_same_vectors(stored, encoded, given, word_cache):
    folder, bilm, wanted = stored
    to_cache = folder / given if isinstance(given, str) else given
    embedder = SentenceEmbedder(bilm, compiled=False, word_cache=word_cache, vocab_to_cache=to_cache)
    made = encoded[:]
    assert made == ([] if str(given).endswith("hdf5") else [6])
    came = embedder(SENTENCES)
    assert encoded[len(made)] == 1  # zebra
    for vectors in (came, copy.copy(embedder)(SENTENCES)):
        for one, right in zip(vectors, wanted, strict=True):
            np.testing.assert_allclose(one, right, rtol=0, atol=1e-6)


def test_a_layer_copies_the_vectors_of_a_file(stored, encoded):
    folder, _, wanted = stored
    layer = ElmoLayer.from_pretrained(folder / "model", output="all", vocab_to_cache=folder / "words.hdf5")
    assert encoded == []
    tokens = padded(SENTENCES)
    came = layer(tokens)
    assert encoded == [1]
    np.testing.assert_allclose(came[0], wanted[0], rtol=0, atol=1e-6)
    np.testing.assert_allclose(came[2, :, :2], wanted[2], rtol=0, atol=1e-6)


def test_the_vectors_of_another_model_are_refused(stored, tmp_path):
    trained_folder(tmp_path / "other", best=False)
    path = stored[0] / "words.hdf5"
    message = f"{path} holds vectors of another model; expected those that elmo-tf tokens writes for this model"
    assert refused(SentenceEmbedder, load_bilm(tmp_path / "other").bilm, vocab_to_cache=path) == message
    assert refused(ElmoLayer.from_pretrained, tmp_path / "other", vocab_to_cache=path) == message
