"""Embeddings to the digits of bilm-tf and AllenNLP: their fixtures, and models that bilm-tf trained."""

import json

import h5py
import numpy as np
import oracle
import pytest
import tensorflow as tf
from hdf5_files import read_weights

from elmo_tf.data.characters import encode_words
from elmo_tf.models.bilm import BiLM
from elmo_tf.models.weight_names import expected_shapes, named_variables
from elmo_tf.options import Options

TOLERANCE = 2e-6
FIXTURES = ("bilm-tf-fixture", "allennlp-fixture")
TRAINED = ("char_2layer", "char_tanh_3layer_tightclip")


def loaded(folder):
    """The biLM of a folder with its weights, and these by name."""
    options = Options.from_file(str(folder / "options.json"))
    arrays = read_weights(str(folder / "weights.hdf5"), expected_shapes(options))
    bilm = BiLM(options)
    bilm.build()
    for name, variable in named_variables(bilm).items():
        variable.assign(arrays[name])
    return bilm, arrays


def ids_of(bilm, words):
    """Character ids of `<S> words </S>`, `(T, C)`."""
    return encode_words(["<S>", *words, "</S>"], bilm.options.char_cnn.max_characters_per_token)


def is_equal(came, golden):
    np.testing.assert_allclose(came, golden, rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("name", FIXTURES)
def test_the_fixtures_top_layer_with_the_state_carried_from_sentence_to_sentence(name, shared):
    folder = shared / "parity" / name
    bilm, _ = loaded(folder)
    size = bilm.options.lstm.projection_dim
    run = tf.function(lambda ids, state: bilm(ids, initial_state=state), reduce_retracing=True)
    state = bilm.zero_state(1)
    sentences = json.loads((folder / "sentences.json").read_text())
    with h5py.File(folder / "top_layer_embeddings.hdf5") as goldens:
        assert len(goldens) == len(sentences) == 10
        for i, sentence in enumerate(sentences):
            layers, state = run(ids_of(bilm, sentence.split())[None], state)
            top = layers[0, -1, 1:-1].numpy()
            is_equal(np.stack([top[:, :size], top[:, size:]]), goldens[str(i)][...])


def test_allennlps_token_embeddings_are_the_encoders(shared):
    folder = shared / "parity" / "allennlp-fixture"
    bilm, _ = loaded(folder)
    words = [line for line in (folder / "vocab.txt").read_text().splitlines() if line]
    with h5py.File(folder / "token_embeddings.hdf5") as file:
        golden = file["embedding"][...]
    assert len(words) == len(golden) == 458
    is_equal(bilm.encoder(encode_words(words, 50)), golden)


def batch_of(bilm, folder):
    """The sentences as one padded batch: ids `(B, T, C)`, mask `(B, T)`."""
    rows = [ids_of(bilm, words) for words in json.loads((folder / "sentences.json").read_text())]
    longest = max(map(len, rows))
    ids = np.full((len(rows), longest, rows[0].shape[1]), oracle.PADDING, np.int32)
    mask = np.zeros((len(rows), longest), bool)
    for b, row in enumerate(rows):
        ids[b, : len(row)], mask[b, : len(row)] = row, True
    return ids, mask


def are_equal(layers, goldens, key):
    """Compares the words of every sentence, `<S>` and `</S>` left out as in the goldens."""
    for b, length in enumerate(goldens["lengths"]):
        is_equal(layers[b, :, 1 : 1 + length], goldens[key][b, :, :length])


@pytest.mark.parametrize("name", TRAINED)
def test_all_layers_of_the_trained_models_also_with_the_state_carried(name, shared):
    folder = shared / "parity" / "bilm-tf-trained" / name
    bilm, _ = loaded(folder)
    goldens = np.load(folder / "embeddings.npz")
    ids, mask = batch_of(bilm, folder)
    np.testing.assert_array_equal(mask.sum(1) - 2, goldens["lengths"])
    first, state = bilm(ids, mask=mask)
    second, _ = bilm(ids, mask=mask, initial_state=state)
    are_equal(first, goldens, "first_call")
    are_equal(second, goldens, "second_call_state_carried")
    assert np.abs(first - second).max() > 1e-3


@pytest.mark.parametrize("name", TRAINED)
def test_the_oracle_of_the_other_tests_agrees_with_bilm_tf_too(name, shared):
    folder = shared / "parity" / "bilm-tf-trained" / name
    bilm, arrays = loaded(folder)
    goldens = np.load(folder / "embeddings.npz")
    ids, mask = batch_of(bilm, folder)
    options, state = json.loads((folder / "options.json").read_text()), None
    for key in ("first_call", "second_call_state_carried"):
        layers, state = oracle.bilm(arrays, options, ids, mask.sum(1), state)
        are_equal(layers, goldens, key)


def test_the_oracle_spells_words_as_the_library_does():
    words = ["<S>", "</S>", "<UNK>", "été", "日本語の長い言葉", "", "x" * 60]
    for limit in (5, 20, 50):
        np.testing.assert_array_equal(encode_words(words, limit), oracle.character_rows(words, limit))
