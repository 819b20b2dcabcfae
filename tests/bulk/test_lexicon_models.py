"""Files and lists of words are embedded by a model of ELMoForManyLangs, from Python and by the command line."""

import pathlib

import h5py
import manylangs_models
import numpy as np
import pytest
from manylangs_models import WORDS, random_model, write_model

from elmo_tf.bulk.embed import embed
from elmo_tf.bulk.fingerprint import model_digest
from elmo_tf.cli.main import main
from elmo_tf.errors import InputError
from elmo_tf.store.load_model import load_bilm

SENTENCES = [["le", "chat"], ["été", "猫", "longuesses"], []]


@pytest.fixture(scope="module")
def model():
    """The arrays of the model."""
    return random_model()


@pytest.fixture(scope="module")
def folder(tmp_path_factory, model):
    """Its folder."""
    return pathlib.Path(write_model(tmp_path_factory.mktemp("manylangs") / "xx", model))


def test_sentences_and_files_get_the_vectors_of_the_equations(model, folder, tmp_path, capsys):
    expected = [manylangs_models.layers_of(model, sentence)[:, 1:-1] for sentence in SENTENCES]
    for came, layers in zip(embed(SENTENCES, folder, layers="average"), expected, strict=True):
        np.testing.assert_allclose(came, layers.mean(0), rtol=0, atol=1e-5)
    (tmp_path / "text.txt").write_text("\n".join(map(" ".join, SENTENCES)) + "\n", encoding="utf-8")
    line = f"embed --model_dir={folder} --input_file={tmp_path}/text.txt --output_file={tmp_path}/out.hdf5"
    assert main(line.split()) == 0
    with h5py.File(tmp_path / "out.hdf5") as file:
        for number, layers in enumerate(expected):
            np.testing.assert_allclose(file[str(number)], layers, rtol=0, atol=1e-5)


def test_a_list_of_words_gets_the_vectors_of_the_token_encoder(model, folder, tmp_path, capsys):
    (tmp_path / "words.txt").write_text("\n".join(["chat", "<bos>", "dog", "longuesses"]), encoding="utf-8")
    line = f"tokens --model_dir={folder} --words_file={tmp_path}/words.txt --output_file={tmp_path}/out.hdf5"
    assert main(line.split()) == 0
    with h5py.File(tmp_path / "out.hdf5") as file:
        for word, vector in zip(file["words"].asstr(), file["embedding"], strict=True):
            expected = manylangs_models.token_vector(model, word)
            np.testing.assert_allclose(vector, expected, rtol=0, atol=1e-5)


def write_with_another_lexicon(path, model):
    """Writes the same arrays, with two words of the lexicon in another order."""
    write_model(path, model)
    other = WORDS[:4] + WORDS[5:] + WORDS[4:5]
    lines = [f"{word}\t{row}\n" for row, word in enumerate(other)]
    (path / "word.dic").write_text("".join(lines), encoding="utf-8")


def test_words_are_looked_up_in_a_list_or_in_the_vectors_of_the_same_lexicons(model, folder, tmp_path, capsys):
    (tmp_path / "words.txt").write_text("chat\nété\n", encoding="utf-8")
    line = f"tokens --model_dir={folder} --words_file={tmp_path}/words.txt --output_file={tmp_path}/words.hdf5"
    assert main(line.split()) == 0
    expected = list(embed(SENTENCES, folder))
    for given in (["chat", "été"], tmp_path / "words.hdf5"):
        for came, vectors in zip(embed(SENTENCES, folder, vocab_to_cache=given), expected, strict=True):
            np.testing.assert_allclose(came, vectors, rtol=0, atol=1e-6)
    write_with_another_lexicon(tmp_path / "other", model)
    with pytest.raises(InputError, match=r"words.hdf5 holds vectors of another model"):
        list(embed(SENTENCES, tmp_path / "other", vocab_to_cache=tmp_path / "words.hdf5"))


def test_models_whose_lexicons_differ_are_not_the_same(model, folder, tmp_path):
    write_model(tmp_path / "same", model)
    write_with_another_lexicon(tmp_path / "other", model)
    digests = [model_digest(load_bilm(path)) for path in (folder, tmp_path / "same", tmp_path / "other")]
    assert digests[0] == digests[1] != digests[2]
