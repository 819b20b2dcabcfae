"""A model is loaded from its folder, or refused in one sentence that names what is wrong."""

import pathlib
import shutil
import zipfile

import numpy as np
import pytest
from hdf5_files import read_arrays, write_arrays
from model_cases import CASES, CHARACTERS, WORD_INPUT, weights_of
from model_folders import BEST_STEP, LATEST_STEP, WORDS, change_options, cut_to, hdf5_folder, trained_folder

from elmo_tf.conversion.convert import convert
from elmo_tf.errors import InputError
from elmo_tf.store.load_model import load_bilm, load_language_model

GIVE = "put it beside them, or give its path as vocab_file (--vocab_file)"


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder with a best and a latest checkpoint, not to be changed, and the weights of both."""
    folder = tmp_path_factory.mktemp("trained")
    return folder, trained_folder(folder)


@pytest.fixture(scope="module")
def trained_on_words(tmp_path_factory):
    """The same of a model with word input."""
    folder = tmp_path_factory.mktemp("trained")
    return folder, trained_folder(folder, WORD_INPUT, latest=False)


def copy_of(folder, target):
    """A copy that can be damaged. Checkpoints name their files by names relative to their folder."""
    return pathlib.Path(shutil.copytree(folder, target / "copy"))


def are_equal(came, wanted):
    """Whether every array that came has the numbers of the one wanted by that name."""
    assert came
    for name, array in came.items():
        np.testing.assert_array_equal(array, wanted[name])


def refused(call, *arguments):
    """The one sentence that a call is refused with."""
    with pytest.raises(InputError) as caught:
        call(*arguments)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("which", "name", "step"),
    [(None, "best", BEST_STEP), ("best",) * 2 + (BEST_STEP,), ("latest",) * 2 + (LATEST_STEP,)],
)
def test_weights_of_the_checkpoint_asked_for_and_of_the_best_by_default(trained, which, name, step):
    folder, weights = trained
    loaded = load_bilm(str(folder), which)
    assert loaded.source == str(folder / name / f"ckpt-{step}")
    assert loaded.vocabulary.words == WORDS
    assert loaded.bilm.options.lstm.dim == CHARACTERS["lstm"]["dim"]
    whole = load_language_model(str(folder), which)
    assert (whole.source, whole.vocabulary.words) == (loaded.source, WORDS)
    are_equal(weights_of(whole.model), weights[name])
    assert len(weights_of(whole.model)) == len(weights[name])
    are_equal(weights_of(loaded.bilm), weights[name])
    assert set(weights[name]) - set(weights_of(loaded.bilm)) == {"softmax/W", "softmax/b"}


def test_the_latest_counts_where_there_is_no_best(tmp_path):
    weights = trained_folder(tmp_path, best=False)
    assert load_bilm(str(tmp_path)).source == str(tmp_path / "latest" / f"ckpt-{LATEST_STEP}")
    are_equal(weights_of(load_language_model(str(tmp_path)).model), weights["latest"])
    assert refused(load_bilm, str(tmp_path), "best").startswith(f"{tmp_path} holds no best checkpoint")


@pytest.mark.parametrize("name", ["forward only", "shared softmax", "no projection at all", "two highways"])
def test_models_of_other_options_are_read_too(tmp_path, name):
    weights = trained_folder(tmp_path, CASES[name], latest=False)
    model = load_language_model(str(tmp_path)).model
    assert len(weights_of(model)) == len(weights["best"])
    are_equal(weights_of(model), weights["best"])
    are_equal(weights_of(load_bilm(str(tmp_path)).bilm), weights["best"])


def test_a_folder_may_be_a_path_and_so_may_a_vocabulary(trained, tmp_path):
    folder, _ = trained
    copy = copy_of(folder, tmp_path)
    (copy / "vocab.txt").rename(tmp_path / "words.txt")
    for load in (load_bilm, load_language_model):
        loaded = load(copy, vocab_file=tmp_path / "words.txt")
        assert (loaded.source, loaded.vocabulary.words) == (str(copy / "best" / f"ckpt-{BEST_STEP}"), WORDS)
    message = refused(load_language_model, tmp_path / "none")
    assert message.startswith(f"{tmp_path / 'none'}: there is no such file or folder")


def test_a_folder_that_was_moved_is_read_from_where_it_is(trained, tmp_path):
    copy = copy_of(trained[0], tmp_path)
    assert load_bilm(str(copy)).source == str(copy / "best" / f"ckpt-{BEST_STEP}")


REFERENCES = ["bilm-tf-fixture", "allennlp-fixture", "bilm-tf-trained/char_2layer", "bilm-tf-trained/word_2layer"]


@pytest.mark.parametrize("name", REFERENCES)
def test_a_folder_of_bilm_tf_or_allennlp_is_read_as_it_is(shared, tmp_path, name):
    folder = hdf5_folder(shared / "parity" / name, tmp_path, vocabulary="word" in name)
    loaded = load_bilm(str(folder))
    assert loaded.source == str(folder / "weights.hdf5")
    assert (loaded.vocabulary is not None) == ("word" in name)
    arrays = read_arrays(loaded.source)
    are_equal(weights_of(loaded.bilm), arrays)
    assert len(weights_of(loaded.bilm)) == len(arrays)


def test_where_both_lie_the_checkpoint_counts(trained, tmp_path):
    copy = copy_of(trained[0], tmp_path)
    write_arrays(str(copy / "weights.hdf5"), {name: array + 1 for name, array in trained[1]["best"].items()})
    are_equal(weights_of(load_bilm(str(copy)).bilm), trained[1]["best"])


def test_word_input_without_a_vocabulary_size_has_that_of_its_embedding(shared, tmp_path):
    folder = hdf5_folder(shared / "parity" / "bilm-tf-trained" / "word_2layer", tmp_path)
    change_options(folder, n_tokens_vocab=None)
    loaded = load_bilm(str(folder))
    assert loaded.bilm.options.n_tokens_vocab == len(loaded.vocabulary) == 2000


def test_checkpoints_cannot_be_asked_of_an_hdf5_folder(shared, tmp_path):
    folder = str(hdf5_folder(shared / "parity" / "bilm-tf-fixture", tmp_path))
    assert refused(load_bilm, folder, "latest") == f"{folder}: it holds no latest checkpoint, only weights.hdf5"
    assert refused(load_language_model, folder).startswith(
        f"{folder}: weights.hdf5 holds no softmax; expected a folder"
    )


LOADERS = pytest.mark.parametrize("load", [load_bilm, load_language_model])


@LOADERS
def test_a_folder_that_is_not_there_or_holds_no_model_is_refused(tmp_path, trained, load):
    missing, empty = str(tmp_path / "none"), tmp_path / "empty"
    assert refused(load, missing).startswith(f"{missing}: there is no such file or folder; expected")
    empty.mkdir()
    assert refused(load, str(empty)).startswith(f"{empty}: it holds no model")
    shutil.copyfile(trained[0] / "options.json", empty / "options.json")
    assert refused(load, str(empty)).startswith(f"{empty}: it holds no model")
    copy = copy_of(trained[0], tmp_path)
    (copy / "options.json").unlink()
    assert refused(load, str(copy)).startswith(f"{copy}: it holds no model")


@LOADERS
@pytest.mark.parametrize("share", [0, 0.5, 0.999])
@pytest.mark.parametrize("ending", [".data-00000-of-00001", ".index"])
def test_a_checkpoint_that_is_cut_short_is_refused(trained, tmp_path, load, share, ending):
    copy = copy_of(trained[0], tmp_path)
    path = copy / "best" / f"ckpt-{BEST_STEP}"
    cut_to(path.with_name(path.name + ending), share)
    message = refused(load, str(copy))
    assert message.startswith(f"{path} ")
    assert "damaged" in message


@LOADERS
def test_a_checkpoint_with_other_bytes_is_refused(trained, tmp_path, load):
    path = copy_of(trained[0], tmp_path) / "best" / f"ckpt-{BEST_STEP}.data-00000-of-00001"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 255
    path.write_bytes(content)
    message = refused(load, str(tmp_path / "copy"))
    assert message.startswith(str(path).removesuffix(".data-00000-of-00001"))
    assert "damaged" in message


@LOADERS
@pytest.mark.parametrize("content", [b"", b"\xff\0", b"nothing of the kind"])
def test_a_damaged_list_of_checkpoints_decides_nothing_and_is_refused_without_their_files(
    trained, tmp_path, load, content
):
    copy = copy_of(trained[0], tmp_path)
    for name in ("best", "latest"):
        (copy / name / "checkpoint").write_bytes(content)
    load(str(copy))
    for path in copy.glob("*/ckpt-*"):
        path.unlink()
    message = refused(load, str(copy))
    assert str(copy) in message


@LOADERS
@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"lstm": {"dim": 7}}, r"W_0: expected shape \(8, 28\) by the options, got \(8, 24\)"),
        ({"lstm": {"n_layers": 3}}, "Cell2/LSTMCell/W_0 is missing"),
        ({"lstm": {"n_layers": 1}}, r"Cell1/LSTMCell/\w+ has no place in a model of these options"),
        ({"char_cnn": {"n_highway": 0}}, r"CNN_high_0/\w+ has no place in a model of these options"),
        ({"char_cnn": {"filters": [[1, 3], [2, 5], [3, 2]]}}, "W_cnn_1: expected shape"),
        ({"bidirectional": False}, r"RNN_1/\S+ has no place in a model of these options"),
        ({"char_cnn": None}, "array embedding is missing"),
    ],
    ids=str,
)
def test_options_that_do_not_fit_the_checkpoint_are_refused_by_the_arrays_name(trained, tmp_path, load, changes, what):
    copy = copy_of(trained[0], tmp_path)
    change_options(copy, **changes)
    with pytest.raises(InputError, match=what) as caught:
        load(str(copy))
    assert str(caught.value).startswith(str(copy / "best"))
    assert "\n" not in str(caught.value)


def test_another_vocabulary_beside_a_language_model_is_refused(trained, tmp_path):
    copy = copy_of(trained[0], tmp_path)
    (copy / "vocab.txt").write_text("\n".join(WORDS[:-1]))
    assert refused(load_language_model, str(copy)) == f"{copy}: vocab.txt: expected 11 words by options.json, got 10"
    (copy / "vocab.txt").unlink()
    assert refused(load_language_model, str(copy)) == (
        f"{copy}: no vocab.txt lies beside the weights; a language model cannot be used without it: {GIVE}"
    )


def test_a_biLM_that_reads_characters_needs_no_vocabulary(trained, tmp_path):
    copy = copy_of(trained[0], tmp_path)
    (copy / "vocab.txt").unlink()
    assert load_bilm(str(copy)).vocabulary is None


def test_a_biLM_with_word_input_needs_its_vocabulary(trained_on_words, tmp_path):
    copy = copy_of(trained_on_words[0], tmp_path)
    assert load_bilm(str(copy)).vocabulary.words == WORDS
    (copy / "vocab.txt").write_text("\n".join([*WORDS, "more"]))
    assert refused(load_bilm, str(copy)) == f"{copy}: vocab.txt: expected 11 words, those of the model, got 12"
    (copy / "vocab.txt").unlink()
    wanted = f"no vocab.txt lies beside the weights; a model with word input cannot be used without it: {GIVE}"
    assert refused(load_bilm, str(copy)) == f"{copy}: {wanted}"
    assert refused(convert, str(copy), str(tmp_path / "hdf5")) == f"{copy}: {wanted}"


def test_the_place_for_a_vocabulary_is_named_for_a_zip_file_and_for_a_file_of_weights_too(trained_on_words, tmp_path):
    convert(str(trained_on_words[0]), str(tmp_path / "hdf5"))
    (tmp_path / "hdf5" / "vocab.txt").unlink()
    with zipfile.ZipFile(tmp_path / "model.zip", "w") as archive:
        for name in ("weights.hdf5", "options.json"):
            archive.write(tmp_path / "hdf5" / name, name)
    for path in (tmp_path / "model.zip", tmp_path / "hdf5" / "weights.hdf5"):
        assert refused(load_bilm, str(path)) == (
            f"{path}: no vocab.txt lies beside the weights; a model with word input cannot be used without it: {GIVE}"
        )


@LOADERS
def test_word_input_whose_options_lost_the_vocabulary_size_has_that_of_its_arrays(trained_on_words, tmp_path, load):
    copy = copy_of(trained_on_words[0], tmp_path)
    change_options(copy, n_tokens_vocab=None)
    loaded = load(str(copy))
    model = loaded.bilm if load is load_bilm else loaded.model
    assert model.options.n_tokens_vocab == len(WORDS)


def test_hdf5_weights_that_do_not_fit_their_options_are_refused(shared, tmp_path):
    folder = hdf5_folder(shared / "parity" / "bilm-tf-fixture", tmp_path)
    change_options(folder, lstm={"n_layers": 1})
    assert refused(load_bilm, str(folder)).startswith(f"{folder}/weights.hdf5: array RNN_0/RNN/MultiRNNCell/Cell1")
    cut_to(folder / "weights.hdf5", 0.5)
    assert refused(load_bilm, str(folder)).startswith(f"{folder}/weights.hdf5 cannot be read as HDF5")
