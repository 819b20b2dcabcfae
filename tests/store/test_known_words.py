"""Words to look up come from a list, a file of words or the file of `elmo-tf tokens`; others are refused."""

import h5py
import numpy as np
import pytest
from model_cases import CHARACTERS, WORD_INPUT, filled
from refusals import refused

from elmo_tf.models.bilm import BiLM
from elmo_tf.store.known_words import DIGEST, EMBEDDING, WORDS, KnownWords, encoder_digest, known_words


@pytest.fixture(scope="module")
def bilm():
    return filled(BiLM(CHARACTERS))


def write(path, words=("a", "b", "a"), vectors=((1, 2), (3, 4), (5, 6)), digest="d"):
    with h5py.File(path, "w") as file:
        file[EMBEDDING], file[WORDS] = np.array(vectors, np.float32), list(words)
        if digest is not None:
            file.attrs[DIGEST] = digest
    return path


def test_a_file_of_vectors_gives_each_word_once_with_its_first_vector(tmp_path):
    known = known_words(write(tmp_path / "words.hdf5"))
    assert known.words == ["a", "b"]
    np.testing.assert_array_equal(known.vectors, [[1, 2], [3, 4]])
    assert (known.digest, known.source) == ("d", f"{tmp_path}/words.hdf5")


def test_a_list_and_a_file_of_words_have_no_vectors(tmp_path):
    (tmp_path / "words.txt").write_text("øl\n\n cat \nøl\n", encoding="utf-8")
    assert known_words(tmp_path / "words.txt") == KnownWords(["øl", "cat"], source=f"{tmp_path}/words.txt")
    assert known_words(iter(["b", "a", "b"])) == KnownWords(["b", "a"])


def test_what_is_no_file_of_words_is_refused(tmp_path):
    write(tmp_path / "old.hdf5", digest=None)
    assert "does not say which model its vectors are of" in refused(known_words, tmp_path / "old.hdf5")
    write(tmp_path / "short.hdf5", words=["a"])
    assert "expected a vector for each of 1 words, got an array of shape (3, 2)" in refused(
        known_words, tmp_path / "short.hdf5"
    )
    with h5py.File(tmp_path / "other.hdf5", "w") as file:
        file["0"] = [1.0]
    assert "expected the datasets embedding and words" in refused(known_words, tmp_path / "other.hdf5")
    (tmp_path / "vectors.txt").write_text("1 2\na 0.5 1\n")
    assert "is word2vec text" in refused(known_words, tmp_path / "vectors.txt")
    (tmp_path / "empty.txt").write_text("\n")
    assert "is empty" in refused(known_words, tmp_path / "empty.txt")
    assert "cannot be read: No such file" in refused(known_words, tmp_path / "none")


def test_the_digest_is_of_the_encoder_alone(bilm):
    digest = encoder_digest(bilm)
    other = filled(BiLM(CHARACTERS))
    assert encoder_digest(other) == digest
    lstm = other.stacks[0].weights[0]
    lstm.assign(lstm + 1)
    assert encoder_digest(other) == digest
    weight = other.encoder.weights[-1]
    weight.assign(weight + 1)
    assert encoder_digest(other) != digest
    assert encoder_digest(filled(BiLM(WORD_INPUT))) != digest


def test_vectors_of_another_model_are_refused(bilm):
    known = KnownWords(["a"], np.zeros((1, 4), np.float32), encoder_digest(bilm), "words.hdf5")
    known.check(bilm)
    message = refused(known._replace(digest="other").check, bilm)
    assert message.startswith("words.hdf5 holds vectors of another model; expected those that elmo-tf tokens writes")
