"""`ElmoLayer.from_pretrained` on the models of bilm-tf and AllenNLP: strings in, their goldens out."""

import json

import h5py
import numpy as np
import oracle
import pytest
import tensorflow as tf
from hdf5_files import read_weights
from model_folders import hdf5_folder

from elmo_tf.data.characters import encode_words, shift_for_prediction
from elmo_tf.elmo.elmo_layer import ElmoLayer
from elmo_tf.models.weight_names import expected_shapes
from elmo_tf.options import Options

TOLERANCE = 2e-6
FIXTURES = ("bilm-tf-fixture", "allennlp-fixture")
TRAINED = ("char_2layer", "char_tanh_3layer_tightclip")


def is_equal(came, golden):
    np.testing.assert_allclose(came, golden, rtol=0, atol=TOLERANCE)


def padded(sentences):
    longest = max(map(len, sentences))
    return np.array([[*words, *[""] * (longest - len(words))] for words in sentences], dtype=object)


@pytest.mark.parametrize("name", FIXTURES)
def test_the_fixtures_top_layer_with_the_state_carried_from_sentence_to_sentence(name, shared):
    elmo = ElmoLayer.from_pretrained(shared / "parity" / name, output="top", return_state=True)
    run = tf.function(lambda tokens, state: elmo(tokens, initial_state=state), reduce_retracing=True)
    size, state = elmo.bilm.options.lstm.projection_dim, elmo.zero_state(1)
    sentences = json.loads((shared / "parity" / name / "sentences.json").read_text())
    with h5py.File(shared / "parity" / name / "top_layer_embeddings.hdf5") as goldens:
        assert len(goldens) == len(sentences) == 10
        for i, sentence in enumerate(sentences):
            top, state = run(tf.constant([sentence.split()]), state)
            is_equal(np.stack([top[0, :, :size], top[0, :, size:]]), goldens[str(i)][...])


def test_allennlps_token_embeddings_are_layer_zero(shared):
    folder = shared / "parity" / "allennlp-fixture"
    elmo = ElmoLayer.from_pretrained(folder, output="all")
    words = [line for line in (folder / "vocab.txt").read_text().splitlines() if line]
    with h5py.File(folder / "token_embeddings.hdf5") as file:
        golden = file["embedding"][...]
    is_equal(elmo(tf.constant([words]))[0, 0], np.concatenate([golden, golden], -1))


@pytest.mark.parametrize("name", TRAINED)
def test_all_layers_of_the_trained_models_also_with_the_state_carried(name, shared):
    folder = shared / "parity" / "bilm-tf-trained" / name
    elmo = ElmoLayer.from_pretrained(folder, output="all", return_state=True)
    goldens, sentences = np.load(folder / "embeddings.npz"), json.loads((folder / "sentences.json").read_text())
    tokens = padded(sentences)
    first, state = elmo(tokens)
    second, _ = elmo(tokens, initial_state=state)
    assert first.shape == goldens["first_call"].shape
    for b, length in enumerate(goldens["lengths"]):
        is_equal(first[b, :, :length], goldens["first_call"][b, :, :length])
        is_equal(second[b, :, :length], goldens["second_call_state_carried"][b, :, :length])
        np.testing.assert_array_equal(first[b, :, length:], 0)


@pytest.mark.parametrize("layer_norm", [None, "bilm-tf", "token"])
@pytest.mark.parametrize("name", TRAINED)
def test_the_mix_of_the_goldens_from_strings_and_from_character_ids(name, layer_norm, shared):
    folder = shared / "parity" / "bilm-tf-trained" / name
    goldens, sentences = np.load(folder / "embeddings.npz"), json.loads((folder / "sentences.json").read_text())
    n_layers = goldens["first_call"].shape[1]
    w = np.linspace(-1, 1, n_layers)
    elmo = ElmoLayer.from_pretrained(folder, scalar_mix_init=w, layer_norm=layer_norm)
    elmo.mixes[0].gamma.assign(0.7)
    tokens = padded(sentences)
    mask = tokens != ""
    limit = elmo.bilm.options.char_cnn.max_characters_per_token
    ids = shift_for_prediction(encode_words(tokens.ravel().tolist(), limit).reshape(*tokens.shape, limit), mask)
    expected = oracle.scalar_mix(w, 0.7, goldens["first_call"], mask, layer_norm)[mask]
    for inputs in (tokens, ids, tf.RaggedTensor.from_tensor(tokens, padding="")):
        np.testing.assert_allclose(elmo(inputs).numpy()[mask], expected, rtol=0, atol=2e-5 if layer_norm else 2e-6)


def test_the_model_with_word_input_gives_what_the_oracle_does(shared, tmp_path):
    source = shared / "parity" / "bilm-tf-trained" / "word_2layer"
    folder = hdf5_folder(source, tmp_path / "word")
    elmo = ElmoLayer.from_pretrained(folder, output="all")
    options = json.loads((folder / "options.json").read_text())
    arrays = read_weights(str(folder / "weights.hdf5"), expected_shapes(elmo.bilm.options))
    words = (folder / "vocab.txt").read_text(encoding="utf-8").split("\n")
    sentences = [line.split() for line in (source / "heldout.txt").read_text().splitlines()[:4]]
    came = elmo(padded(sentences))
    for row, sentence in enumerate(sentences):
        ids = [words.index(word) if word in words else words.index("<UNK>") for word in ["<S>", *sentence, "</S>"]]
        layers, _ = oracle.bilm(arrays, options, np.array([ids]))
        is_equal(came[row, :, : len(sentence)], layers[0, :, 1:-1])
    assert Options.from_dict(options).char_cnn is None
