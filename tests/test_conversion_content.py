"""What goes into new files: the arrays that are asked for, and the words, or one sentence that says what is missing."""

import contextlib

import pytest
from model_folders import LATEST_STEP, WORDS, trained_folder

from elmo_tf.conversion_content import content_of
from elmo_tf.conversion_settings import ConvertSettings
from elmo_tf.errors import InputError
from elmo_tf.stored_model import open_model


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A training run's folder, not to be changed."""
    made = tmp_path_factory.mktemp("trained")
    trained_folder(made, best=False)
    return made


def content(folder, **settings):
    with open_model(str(folder)) as stored, contextlib.ExitStack() as stack:
        return content_of(stored, ConvertSettings(**settings), stack)


@pytest.mark.parametrize("form", ["hdf5", "safetensors"])
def test_the_softmax_goes_along_only_where_it_is_asked_for(folder, form):
    without, whole = content(folder, form=form), content(folder, form=form, softmax=True)
    assert set(whole.weights) - set(without.weights) == {"softmax/W", "softmax/b"}
    assert (without.step, without.vocabulary.words, without.notes) == (0, WORDS, ())
    assert without.vocab_file == str(folder / "vocab.txt")


@pytest.mark.parametrize("form", ["checkpoint", "tf1"])
def test_a_whole_model_has_its_softmax_accumulators_and_step(folder, form):
    whole = content(folder, form=form)
    assert set(whole.slots) == set(whole.weights) > {"softmax/W", "softmax/b"}
    assert (whole.step, whole.options.n_tokens_vocab) == (LATEST_STEP, len(WORDS))


def test_other_words_have_a_softmax_fitted_to_them_or_are_refused_by_their_file(folder, tmp_path):
    (tmp_path / "less.txt").write_text("\n".join(WORDS[:-1]))
    whole = content(folder, form="tf1", vocab_file=str(tmp_path / "less.txt"))
    assert (whole.options.n_tokens_vocab, whole.weights.shapes["softmax/b"]) == (10, (10,))
    with pytest.raises(InputError, match=r"less\.txt: expected 11 words by options\.json, got 10$"):
        content(folder, vocab_file=str(tmp_path / "less.txt"))
