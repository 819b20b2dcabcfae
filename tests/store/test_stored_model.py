"""The vocabulary of a stored model: where it is needed, and which words it may hold."""

import shutil

import pytest
from refusals import refused

from elmo_tf.conversion.convert import ConvertSettings, convert
from elmo_tf.data.vocabulary import Vocabulary
from elmo_tf.store.load_model import load_bilm, load_language_model


def test_a_tf1_model_with_word_input_needs_a_vocabulary_file(shared):
    folder = shared / "parity" / "bilm-tf-trained" / "word_2layer"
    assert "give its path as vocab_file" in refused(load_bilm, str(folder / "checkpoint"))
    assert len(load_bilm(str(folder / "checkpoint"), None, str(folder / "vocab.txt")).vocabulary) == 2000
    assert "vocab.txt" in refused(load_language_model, str(folder / "checkpoint"))


def test_a_vocabulary_of_another_size_is_refused(shared, tmp_path):
    folder = shared / "parity" / "bilm-tf-trained" / "char_2layer"
    words = Vocabulary.from_file(str(folder / "vocab.txt")).words[:-1]
    path = tmp_path / "less.txt"
    path.write_text("\n".join(words))
    assert refused(load_language_model, str(folder / "checkpoint"), None, str(path)) == (
        f"{path}: expected 2000 words by options.json, got 1999"
    )


@pytest.mark.parametrize("name", ["char_2layer", "word_2layer"])
def test_a_vocabulary_in_another_order_than_the_models_own_is_refused_where_rows_go_by_it(shared, tmp_path, name):
    source = shared / "parity" / "bilm-tf-trained" / name
    folder, own, other = tmp_path / "model", tmp_path / "model" / "vocab.txt", tmp_path / "other.txt"
    shutil.copytree(source / "checkpoint", folder)
    shutil.copy(source / "vocab.txt", own)
    begin, end, unknown, *words = Vocabulary.from_file(str(own)).words
    other.write_text("\n".join([begin, end, unknown, *reversed(words)]) + "\n")
    message = f"{other} differs from {own}, which says what the model's rows are: leave --vocab_file out, or "
    assert refused(load_language_model, str(folder), None, str(other)).startswith(message)
    settings = ConvertSettings(softmax=True, vocab_file=str(other))
    assert refused(convert, str(folder), str(tmp_path / "new"), None, settings).startswith(message)
    assert not (tmp_path / "new").exists()
    if name == "word_2layer":
        assert refused(load_bilm, str(folder), None, str(other)).startswith(message)
    own_copy = shutil.copy(own, tmp_path / "copy.txt")
    assert load_language_model(str(folder), None, str(own_copy)).vocabulary.words[3:] == tuple(words)
