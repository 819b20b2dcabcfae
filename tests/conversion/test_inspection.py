"""A model is described correctly, and every oddity is reported."""

import hashlib
import json
import zipfile

import h5py
import numpy as np
import pytest
from model_cases import CASES, CHARACTERS, changed
from model_folders import LATEST_STEP, change_options, hdf5_folder, trained_folder

from elmo_tf.conversion import inspection
from elmo_tf.conversion.convert import ConvertSettings, convert
from elmo_tf.conversion.inspection import inspect
from elmo_tf.data.word_counts import build_vocabulary, count_corpus
from elmo_tf.errors import InputError
from elmo_tf.store.model_hashes import remove_hashes

FIFTY = changed(CHARACTERS, cnn_max_characters_per_token=50)


@pytest.fixture
def folders(tmp_path):
    """A model of a kind that everybody loads, in two forms; without hashes, for tests edit words and options."""
    trained_folder(tmp_path / "model", FIFTY, best=False)
    convert(str(tmp_path / "model"), str(tmp_path / "hdf5"))
    convert(str(tmp_path / "model"), str(tmp_path / "tf1"), settings=ConvertSettings("tf1"))
    for form in ("hdf5", "tf1"):
        remove_hashes(str(tmp_path / form))
    return tmp_path


def test_a_good_model_is_described_and_nothing_is_odd(folders):
    found = inspect(str(folders / "hdf5"))
    path = folders / "hdf5" / "weights.hdf5"
    assert found.facts["form"] == "HDF5 of bilm-tf and AllenNLP"
    assert found.facts["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert found.facts["size"] == f"{path.stat().st_size:,} bytes"
    assert found.facts["known as"].startswith("not the file of a published model")
    assert found.facts["vocabulary"] == "11 words, in vocab.txt"
    assert found.facts["step"] == "not known"
    with h5py.File(path) as file:
        numbers = sum(file[name].size for name in found.arrays)
        assert all(file[name].shape == shape for name, shape in found.arrays.items())
    assert found.facts["parameters"] == f"{numbers:,}, no softmax"
    assert found.consumers == {"AllenNLP": "yes", "bilm-tf": "yes", "simple_elmo": "yes"}
    assert found.oddities == ()
    assert found.describe().endswith("nothing odd")


@pytest.mark.parametrize(
    ("optimizer", "expected"),
    [("adagrad", "accumulators of every array"), ("adam", "no accumulators, for it was trained by adam")],
)
def test_the_optimizer_says_whether_there_are_accumulators(tmp_path, optimizer, expected):
    trained_folder(tmp_path, changed(CHARACTERS, optimizer=optimizer), best=False)
    assert inspect(str(tmp_path)).facts["Adagrad"] == expected


def test_a_training_checkpoint_tells_its_step_its_softmax_and_its_accumulators(folders):
    found = inspect(str(folders / "tf1"))
    assert found.facts["form"] == "TensorFlow 1 checkpoint of bilm-tf"
    assert found.facts["step"] == str(LATEST_STEP)
    assert found.facts["Adagrad"] == "accumulators of every array"
    assert "without the softmax, which has 55" in found.facts["parameters"]
    assert "lm/RNN_0/rnn/multi_rnn_cell/cell_0/lstm_cell/kernel" in found.arrays
    assert found.consumers["AllenNLP"] == "after elmo-tf convert --target=allennlp"
    assert found.consumers["bilm-tf"] == "yes"
    assert "sha256" not in found.facts


def test_a_published_file_is_known_by_its_digest(folders, monkeypatch):
    path = folders / "hdf5" / "weights.hdf5"
    monkeypatch.setitem(inspection.KNOWN, hashlib.sha256(path.read_bytes()).hexdigest(), "the model of the test")
    with zipfile.ZipFile(folders / "packed.zip", "w") as archive:
        for name in ("weights.hdf5", "options.json"):
            archive.write(folders / "hdf5" / name, name)
    for given in (path, folders / "hdf5", folders / "packed.zip"):
        assert inspect(str(given)).facts["known as"] == "the model of the test"
    small = inspection.KNOWN["747ba97abce8a5f446558369e10bb0f7931437a46867476fdd156f5d7f576229"]
    assert small == "AllenNLP's small model, elmo_2x1024_128_2048cnn_1xhighway_weights.hdf5"


def test_a_zip_file_and_the_weights_in_it_have_a_digest_each(folders):
    with zipfile.ZipFile(folders / "packed.zip", "w") as archive:
        for name in ("weights.hdf5", "options.json"):
            archive.write(folders / "hdf5" / name, name)
    found = inspect(str(folders / "packed.zip")).facts
    inside = hashlib.sha256((folders / "hdf5" / "weights.hdf5").read_bytes()).hexdigest()
    assert found["sha256"] == hashlib.sha256((folders / "packed.zip").read_bytes()).hexdigest()
    assert found["weights"] == f"weights.hdf5 in it, with the sha256 {inside}"


def test_an_error_in_a_zip_file_names_the_zip_file(folders):
    with zipfile.ZipFile(folders / "packed.zip", "w") as archive:
        for name in ("weights.hdf5", "options.json"):
            archive.write(folders / "hdf5" / name, name)
        archive.writestr("vocab.txt", b"\xff\n")
    assert f"{folders / 'packed.zip'}/vocab.txt" in inspect(str(folders / "packed.zip")).describe()
    assert "/elmo_tf." not in inspect(str(folders / "packed.zip")).describe()


def in_order(words):
    return "".join(f"{word}\n" for word in ["<S>", "</S>", "<UNK>", *words])


@pytest.mark.parametrize(
    ("words", "is_odd"),
    [
        ([f"w{n:04}" for n in range(3000)], True),
        (sorted((f"{a}{n:04}" for n in range(1500) for a in "wW"), key=str.casefold), True),
        # by frequency, equal counts by the alphabet: 40 words with counts of their own, then long ties
        ([f"{97 * n % 41:02}" for n in range(40)] + [f"w{n:04}" for n in range(3000)], False),
        ([f"{97 * n % 41:02}" for n in range(40)] + [f"w{n:04}" for n in range(70)], False),
        ([f"w{n:04}" for n in range(50)], False),  # too few to tell
    ],
    ids=["alphabet", "small and capital letters", "long ties", "short ties", "few"],
)
def test_a_vocabulary_by_frequency_is_not_taken_for_one_by_the_alphabet(folders, words, is_odd):
    (folders / "hdf5" / "vocab.txt").write_text(in_order(words))
    change_options(folders / "hdf5", n_tokens_vocab=None)
    assert any("sorted alphabetically" in oddity for oddity in inspect(str(folders / "hdf5")).oddities) is is_odd


def test_the_vocabulary_of_a_real_text_is_not_odd(shared, folders):
    paths = sorted(str(path) for path in (shared / "data" / "wikitext2" / "train").glob("*.txt"))
    build_vocabulary(count_corpus(paths[:2])[0], min_count=2).save(str(folders / "hdf5" / "vocab.txt"))
    change_options(folders / "hdf5", n_tokens_vocab=None)
    assert inspect(str(folders / "hdf5")).oddities == ()


def spoiled(folder, **arrays):
    with h5py.File(folder / "weights.hdf5", "a") as file:
        for name, array in arrays.items():
            file[name.replace("__", "/")][...] = array


def say(folder, **values):
    path = folder / "options.json"
    options = json.loads(path.read_text())
    options["char_cnn"].update(values)
    path.write_text(json.dumps(options))


def without(folder, name):
    path = folder / "options.json"
    options = json.loads(path.read_text())
    options.pop(name)
    path.write_text(json.dumps(options))


def rename(folder, old, new):
    with h5py.File(folder / "weights.hdf5", "a") as file:
        file.move(old, new)


CELL = "RNN_1/RNN/MultiRNNCell/Cell0/LSTMCell/W_0"


@pytest.mark.parametrize(
    ("form", "spoil", "part"),
    [
        ("hdf5", lambda f: spoiled(f, char_embed=np.nan), "array char_embed holds numbers that are not finite"),
        ("hdf5", lambda f: spoiled(f, CNN_proj__W_proj=0.0), "array CNN_proj/W_proj is all zeros"),
        ("hdf5", lambda f: spoiled(f, CNN_proj__b_proj=2e6), "array CNN_proj/b_proj has numbers up to 2e+06"),
        ("hdf5", lambda f: say(f, n_characters=261), "options.json says 261 characters"),
        ("tf1", lambda f: say(f, n_characters=262), "options.json says 262 characters"),
        ("tf1", lambda f: without(f, "bidirectional"), "does not say bidirectional"),
        ("tf1", lambda f: without(f, "n_tokens_vocab"), "does not say n_tokens_vocab"),
        ("tf1", lambda f: (f / "vocab.txt").unlink(), "there is no vocab.txt"),
        (
            "hdf5",
            lambda f: (f / "vocab.txt").write_text("<S>\n</S>\n<UNK>\na\n"),
            "vocab.txt has 4 words, the model 11",
        ),
        ("hdf5", lambda f: (f / "vocab.txt").write_text("a\na\n"), "vocab.txt, line 2"),
        (
            "hdf5",
            lambda f: (f / "vocab.txt").write_text(in_order(f"w{n:03}" for n in range(200))),
            "sorted alphabetically",
        ),
        ("hdf5", lambda f: rename(f, CELL, CELL.replace("W_0", "kernel")), f"such as {CELL.replace('W_0', 'kernel')}"),
    ],
    ids=["nan", "zeros", "large", "261", "262", "directions", "words", "no vocab", "size", "twice", "sorted", "names"],
)
def test_oddities_are_reported(folders, form, spoil, part):
    if "sorted" in part:
        spoil(folders / form)
        change_options(folders / form, n_tokens_vocab=None)
    else:
        spoil(folders / form)
    found = inspect(str(folders / form))
    assert any(part in oddity for oddity in found.oddities)
    assert part in found.describe()


def test_the_conversion_that_a_program_needs_is_named(folders):
    say(folders / "hdf5", n_characters=261)
    options = json.loads((folders / "hdf5" / "options.json").read_text())
    options["lstm"].pop("proj_clip")
    (folders / "hdf5" / "options.json").write_text(json.dumps(options))
    found = inspect(str(folders / "hdf5"))
    assert found.consumers["bilm-tf"] == (
        "not as it is: n_characters must be 262; after elmo-tf convert --format=hdf5 --target=bilm-tf"
    )
    assert "options.json must say lstm.proj_clip" in found.consumers["AllenNLP"]


def test_the_programs_that_read_a_zip_file_are_named(folders):
    settings = ConvertSettings(zipped=True, target="simple_elmo")
    convert(str(folders / "model"), str(folders / "a"), settings=settings)
    found = inspect(str(folders / "a.zip"))
    assert found.facts["form"].endswith("in a ZIP file")
    assert found.consumers["simple_elmo"] == "yes"
    for program in ("AllenNLP", "bilm-tf"):
        assert found.consumers[program].startswith("not as it is: it lies in a ZIP file; after elmo-tf convert")


@pytest.mark.parametrize(
    ("inside", "missing"),
    [
        ({"weights.hdf5": "weights.hdf5", "options.json": "options.json", "vocab.txt": "vocab.txt"}, "model.hdf5"),
        ({"weights.hdf5": "model.hdf5", "options.json": "options.json"}, "vocab.txt"),
        (
            {name: f"x/{name.replace('weights', 'model')}" for name in ("weights.hdf5", "options.json", "vocab.txt")},
            "model.hdf5 and options.json and vocab.txt",
        ),
    ],
)
def test_the_files_that_a_zip_file_lacks_for_simple_elmo_are_named(folders, inside, missing):
    with zipfile.ZipFile(folders / "a.zip", "w") as archive:
        for name, target in inside.items():
            archive.write(folders / "hdf5" / name, target)
    said = inspect(str(folders / "a.zip")).consumers["simple_elmo"]
    assert said.startswith(f"not as it is: its ZIP file must have {missing} at the top; after elmo-tf convert")


def test_a_softmax_that_simple_elmo_may_take_for_the_model_is_reported(folders):
    convert(str(folders / "model"), str(folders / "both"), settings=ConvertSettings(softmax=True))
    found = inspect(str(folders / "both"))
    assert found.consumers["simple_elmo"].startswith("not as it is: it may take softmax.hdf5 for the model")
    assert found.consumers["AllenNLP"] == found.consumers["bilm-tf"] == "yes"
    assert inspect(str(folders / "both" / "weights.hdf5")).consumers["simple_elmo"] == "yes"
    settings = ConvertSettings(softmax=True, target="simple_elmo")
    convert(str(folders / "model"), str(folders / "mended"), settings=settings)
    assert inspect(str(folders / "mended")).consumers["simple_elmo"] == "yes"


def test_a_softmax_alone_is_recognized_as_one(folders):
    convert(str(folders / "model"), str(folders / "both"), settings=ConvertSettings(softmax=True))
    with pytest.raises(InputError, match=r"softmax\.hdf5: it is only a softmax; expected the weights, or their folder"):
        inspect(str(folders / "both" / "softmax.hdf5"))


@pytest.mark.parametrize("case", CASES)
def test_every_kind_of_model_is_described(tmp_path, case):
    trained_folder(tmp_path, CASES[case], best=False)
    found = inspect(str(tmp_path))
    assert found.facts["input"].startswith("word ids" if "char_cnn" not in CASES[case] else "characters: ")
    assert ("forward only" in found.facts["LSTM"]) is (CASES[case].get("bidirectional") is False)
    assert any("one layer" in oddity for oddity in found.oddities) is (CASES[case]["lstm"]["n_layers"] == 1)


def test_an_unreadable_file_is_an_error(folders):
    (folders / "hdf5" / "weights.hdf5").write_bytes(b"no HDF5")
    with pytest.raises(InputError, match="cannot be read as HDF5"):
        inspect(str(folders / "hdf5"))


def test_bilm_tfs_own_files_have_nothing_odd_but_their_missing_vocabulary(shared, tmp_path):
    folder = hdf5_folder(shared / "parity" / "bilm-tf-trained" / "char_2layer", tmp_path, vocabulary=False)
    assert inspect(str(folder)).oddities == ()
    found = inspect(str(shared / "parity" / "bilm-tf-trained" / "char_2layer" / "checkpoint"))
    assert found.oddities == ("there is no vocab.txt beside it",)
