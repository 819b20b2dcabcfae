"""The vectors of words without context are those of the token encoder, in HDF5, word2vec text and for TensorBoard."""

import h5py
import numpy as np
import pytest
from inference_models import WORDS, made_model
from model_cases import WORD_INPUT, filled
from model_folders import WORDS as ELEVEN

from elmo_tf.bulk import token_vectors as module
from elmo_tf.bulk.token_vectors import write_token_vectors
from elmo_tf.data.characters import encode_words
from elmo_tf.data.vocabulary import Vocabulary
from elmo_tf.data.word_vector_files import read_word_vectors
from elmo_tf.errors import InputError
from elmo_tf.models.bilm import BiLM


@pytest.fixture(scope="module")
def bilm():
    return made_model().bilm


@pytest.fixture(scope="module")
def expected(bilm):
    ids = encode_words(WORDS.words, bilm.options.char_cnn.max_characters_per_token)
    return np.asarray(bilm.encoder(ids))


def test_hdf5_has_a_row_a_word_in_order_whatever_goes_through_the_encoder_together(
    bilm, expected, tmp_path, monkeypatch
):
    monkeypatch.setattr(module, "WORDS_AT_ONCE", 7)
    done = []
    write_token_vectors(bilm, WORDS.words, tmp_path / "words.hdf5", progress=done.append)
    with h5py.File(tmp_path / "words.hdf5") as file:
        np.testing.assert_allclose(file["embedding"], expected, atol=1e-6)
        assert file["embedding"].dtype == np.float32
        assert file["words"].asstr()[:].tolist() == list(WORDS.words)
    assert done == [7, 14, 18]


def test_word2vec_text_is_read_by_gensim_and_by_us(bilm, expected, tmp_path):
    write_token_vectors(bilm, WORDS.words, tmp_path / "words.txt", "word2vec")
    words, vectors = read_word_vectors(tmp_path / "words.txt")
    assert list(words) == list(WORDS.words)
    np.testing.assert_allclose(vectors, expected, atol=1e-6)
    gensim = pytest.importorskip("gensim.models")
    loaded = gensim.KeyedVectors.load_word2vec_format(str(tmp_path / "words.txt"))
    np.testing.assert_allclose(loaded["tar"], expected[WORDS["tar"]], atol=1e-6)


def test_a_folder_for_tensorboard_has_the_vectors_in_order(bilm, expected, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "WORDS_AT_ONCE", 7)
    write_token_vectors(bilm, WORDS.words, tmp_path / "words", "projector")
    np.testing.assert_allclose(np.loadtxt(tmp_path / "words" / "vectors.tsv"), expected, rtol=1e-6, atol=1e-7)
    assert (tmp_path / "words" / "metadata.tsv").read_text(encoding="utf-8").splitlines() == list(WORDS.words)
    with pytest.raises(InputError, match=r"projector_config\.pbtxt exists; give --overwrite"):
        write_token_vectors(bilm, WORDS.words, tmp_path / "words", "projector")
    write_token_vectors(bilm, ["tar"], tmp_path / "words", "projector", overwrite=True)
    assert (tmp_path / "words" / "metadata.tsv").read_text(encoding="utf-8") == "tar\n"


def test_a_model_with_word_input_gives_the_rows_of_its_table(tmp_path):
    bilm = filled(BiLM(WORD_INPUT))
    vocabulary = Vocabulary(ELEVEN)
    write_token_vectors(bilm, ["cat", "new"], tmp_path / "words.hdf5", vocabulary=vocabulary)
    table = np.asarray(bilm.encoder.embedding)
    with h5py.File(tmp_path / "words.hdf5") as file:
        np.testing.assert_array_equal(file["embedding"], table[[vocabulary["cat"], vocabulary.unknown]])


@pytest.mark.parametrize(
    ("words", "output_format", "message"), [([], "hdf5", "words: expected"), (["a"], "csv", "output_format: expected")]
)
def test_no_words_and_unknown_formats_are_refused(bilm, tmp_path, words, output_format, message):
    with pytest.raises(InputError, match=message):
        write_token_vectors(bilm, words, tmp_path / "words", output_format)
    assert not list(tmp_path.iterdir())
