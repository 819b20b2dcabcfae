"""The content of converted files: arrays, options and words, or one sentence that says what is missing."""

import contextlib
import shutil

import pytest
from model_cases import WORD_INPUT
from model_folders import LATEST_STEP, WORDS, trained_folder

from elmo_tf.conversion.content import content_of
from elmo_tf.conversion.settings import ConvertSettings
from elmo_tf.errors import InputError
from elmo_tf.store.open_model import open_model


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
def test_the_softmax_is_written_only_on_request(folder, form):
    without, whole = content(folder, form=form), content(folder, form=form, softmax=True)
    assert set(whole.weights) - set(without.weights) == {"softmax/W", "softmax/b"}
    assert (without.step, without.vocabulary.words, without.notes) == (0, WORDS, ())
    assert without.vocab_file == str(folder / "vocab.txt")


@pytest.mark.parametrize("form", ["checkpoint", "tf1"])
def test_a_whole_model_has_its_softmax_accumulators_and_step(folder, form):
    whole = content(folder, form=form)
    assert set(whole.slots) == set(whole.weights) > {"softmax/W", "softmax/b"}
    assert (whole.step, whole.options.n_tokens_vocab) == (LATEST_STEP, len(WORDS))


def without(folder, tmp_path, words):
    """A copy of the model whose vocabulary cannot be used."""
    shutil.copytree(folder, tmp_path / "model")
    (tmp_path / "model" / "vocab.txt").write_bytes(words)
    return tmp_path / "model"


UNUSABLE = {
    "torn": (b"<S>\n</S>\n<UNK>\n\xff\n", "not UTF-8 text"),
    "short": ("\n".join(WORDS[:-1]).encode(), "expected 11 words by options.json, got 10"),
}


@pytest.mark.parametrize("form", ["hdf5", "safetensors"])
@pytest.mark.parametrize(("words", "fault"), UNUSABLE.values(), ids=UNUSABLE)
def test_a_vocabulary_that_cannot_be_used_is_left_out_with_a_note_where_characters_need_none(
    folder, tmp_path, words, fault, form
):
    model = without(folder, tmp_path, words)
    made = content(model, form=form)
    assert (made.vocabulary, set(made.weights)) == (None, set(content(folder, form=form).weights))
    (note,) = made.notes
    assert note.startswith(f"{model}/vocab.txt")
    assert fault in note
    assert note.endswith("the model reads characters and was converted without its vocabulary")


@pytest.mark.parametrize(("words", "fault"), UNUSABLE.values(), ids=UNUSABLE)
@pytest.mark.parametrize(
    "needs",
    [
        {"softmax": True},
        {"form": "safetensors", "softmax": True},
        {"form": "tf1"},
        {"form": "checkpoint"},
        {"zipped": True, "target": "simple_elmo"},
        {"vocab_file": "given"},
    ],
    ids=str,
)
def test_a_vocabulary_that_is_needed_or_given_must_be_one_that_fits(folder, tmp_path, words, fault, needs):
    model = without(folder, tmp_path, words)
    if "vocab_file" in needs:
        needs = {"vocab_file": str(model / "vocab.txt")}
    with pytest.raises(InputError, match=fault):
        content(model, **needs)


def test_word_input_must_have_its_vocabulary(tmp_path):
    trained_folder(tmp_path, WORD_INPUT, best=False)
    (tmp_path / "vocab.txt").write_text("\n".join(WORDS[:-1]))
    with pytest.raises(InputError, match=r"expected 11 words by options\.json, got 10$"):
        content(tmp_path)


def test_other_words_have_a_softmax_fitted_to_them_or_are_refused_by_their_file(folder, tmp_path):
    (tmp_path / "less.txt").write_text("\n".join(WORDS[:-1]))
    whole = content(folder, form="tf1", vocab_file=str(tmp_path / "less.txt"))
    assert (whole.options.n_tokens_vocab, whole.weights.shapes["softmax/b"]) == (10, (10,))
    with pytest.raises(InputError, match=r"less\.txt differs from .*vocab\.txt, which says what the model"):
        content(folder, vocab_file=str(tmp_path / "less.txt"))
