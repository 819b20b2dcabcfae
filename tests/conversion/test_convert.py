"""A converted folder holds the checkpoint's numbers, options that others read, and the vocabulary."""

import json
import os
import zipfile

import numpy as np
import pytest
from hdf5_files import read_arrays
from model_cases import CASES, CHARACTERS, WORD_INPUT, changed, weights_of
from model_folders import LATEST_STEP, content_of, hdf5_folder, trained_folder

from elmo_tf.conversion import convert as convert_module
from elmo_tf.conversion.convert import ConvertSettings, allennlp_limits, convert
from elmo_tf.errors import InputError
from elmo_tf.options import Options
from elmo_tf.store.load_model import load_bilm

WEIGHTS = ("weights.hdf5", "model.hdf5", "softmax.hdf5", "vocab.txt.gz", "my_weights.hdf5", "model.safetensors")


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder with a best and a latest checkpoint, not to be changed, and the weights of both."""
    folder = tmp_path_factory.mktemp("trained")
    return folder, trained_folder(folder)


def check_arrays(folder, weights):
    """Whether `weights.hdf5` holds these weights without the softmax, and nothing else."""
    arrays = read_arrays(str(folder / "weights.hdf5"))
    assert set(arrays) == {name for name in weights if not name.startswith("softmax/")}
    for name, array in arrays.items():
        np.testing.assert_array_equal(array, weights[name])
    return arrays


@pytest.mark.parametrize(("which", "name"), [(None, "best"), ("best", "best"), ("latest", "latest")])
def test_the_arrays_are_those_of_the_checkpoint_asked_for(trained, tmp_path, which, name):
    folder, weights = trained
    done = convert(str(folder), str(tmp_path / "new" / "hdf5"), which)
    arrays = check_arrays(tmp_path / "new" / "hdf5", weights[name])
    assert os.path.dirname(done.source) == str(folder / name)
    assert done.arrays == len(arrays)
    assert done.numbers == sum(array.size for array in arrays.values())
    assert [os.path.relpath(path, tmp_path / "new" / "hdf5") for path in done.paths] == [
        "weights.hdf5",
        "options.json",
        "vocab.txt",
        "model.sha256",
    ]
    names = ("weights.hdf5", "options.json", "vocab.txt", "model.sha256")
    assert set(content_of(tmp_path / "new")) == {f"hdf5/{name}" for name in names}


def test_the_options_count_262_characters_and_the_vocabulary_is_the_same(trained, tmp_path):
    convert(str(trained[0]), str(tmp_path))
    options = json.loads((tmp_path / "options.json").read_text())
    assert options["char_cnn"] == {**CHARACTERS["char_cnn"], "n_characters": 262}
    assert options["lstm"] == CHARACTERS["lstm"]
    assert options["n_tokens_vocab"] == 11
    assert (tmp_path / "vocab.txt").read_bytes() == (trained[0] / "vocab.txt").read_bytes()


@pytest.mark.parametrize("name", [*CASES])
def test_every_kind_of_model_is_read_back_to_the_same_weights(tmp_path, name):
    weights = trained_folder(tmp_path / "model", CASES[name], latest=False)["best"]
    convert(str(tmp_path / "model"), str(tmp_path / "hdf5"))
    check_arrays(tmp_path / "hdf5", weights)
    loaded = load_bilm(str(tmp_path / "hdf5"))
    assert loaded.source == str(tmp_path / "hdf5" / "weights.hdf5")
    for array_name, array in weights_of(loaded.bilm).items():
        np.testing.assert_array_equal(array, weights[array_name])


def test_a_model_without_a_best_gives_its_latest(tmp_path):
    weights = trained_folder(tmp_path / "model", best=False)
    done = convert(str(tmp_path / "model"), str(tmp_path / "hdf5"))
    assert done.source == str(tmp_path / "model" / "latest" / f"ckpt-{LATEST_STEP}")
    check_arrays(tmp_path / "hdf5", weights["latest"])


def test_an_existing_folder_keeps_its_other_files(trained, tmp_path):
    (tmp_path / "notes.txt").write_text("kept")
    convert(str(trained[0]), str(tmp_path))
    check_arrays(tmp_path, trained[1]["best"])
    assert (tmp_path / "notes.txt").read_text() == "kept"
    assert len(list(tmp_path.iterdir())) == 5


@pytest.mark.parametrize(
    ("name", "own"),
    [
        *((name, False) for name in ("vocab.txt", "options.json", *WEIGHTS)),
        *((name, True) for name in WEIGHTS),
    ],
)
def test_a_file_that_would_count_as_a_part_of_the_new_model_is_refused_and_kept(tmp_path, name, own):
    trained_folder(tmp_path / "model", latest=False)
    folder = tmp_path / "model" if own else tmp_path / "new"
    folder.mkdir(exist_ok=True)
    (folder / name).write_text("old")
    before = content_of(tmp_path)
    advice = "remove it, or give a new folder" if own else "give a new folder"
    with pytest.raises(
        InputError, match=f"^--output_dir={folder} holds a model already, or part of one, {name}: {advice}$"
    ):
        convert(str(tmp_path / "model"), str(folder))
    assert content_of(tmp_path) == before


def test_the_models_own_folder_can_take_the_files_and_keeps_its_own(tmp_path):
    weights = trained_folder(tmp_path, latest=False)
    (tmp_path / "options.json").write_text((tmp_path / "options.json").read_text() + "\n\n")
    before = content_of(tmp_path)
    done = convert(str(tmp_path), os.path.join(str(tmp_path), "best", ".."))
    check_arrays(tmp_path, weights["best"])
    assert [os.path.basename(path) for path in done.paths] == ["weights.hdf5"]
    assert {name: text for name, text in content_of(tmp_path).items() if name != "weights.hdf5"} == before
    assert load_bilm(str(tmp_path)).source.startswith(str(tmp_path / "best"))
    with pytest.raises(InputError, match=r"part of one, weights\.hdf5: remove it, or give a new folder$"):
        convert(str(tmp_path), str(tmp_path))


@pytest.mark.parametrize("flag", ["vocab_file", "softmax_file"])
def test_the_models_own_folder_takes_no_other_words_or_softmax(tmp_path, flag):
    trained_folder(tmp_path, latest=False)
    before = content_of(tmp_path)
    with pytest.raises(InputError, match=f"--{flag}: .* keeps its run"):
        convert(str(tmp_path), str(tmp_path), settings=ConvertSettings(**{flag: str(tmp_path / "vocab.txt")}))
    assert content_of(tmp_path) == before


def test_the_folder_of_another_training_run_is_refused_and_kept(trained, tmp_path):
    trained_folder(tmp_path, WORD_INPUT)
    before = content_of(tmp_path)
    with pytest.raises(InputError, match="holds a model already, or part of one, best: give a new folder"):
        convert(str(trained[0]), str(tmp_path))
    assert content_of(tmp_path) == before


def test_a_zip_file_that_is_there_is_refused_and_kept(trained, tmp_path):
    (tmp_path / "a.zip").write_text("old")
    with pytest.raises(InputError, match=r"a\.zip is there already: give a new name"):
        convert(str(trained[0]), str(tmp_path / "a"), settings=ConvertSettings(zipped=True))
    assert content_of(tmp_path) == {"a.zip": b"old"}


@pytest.mark.parametrize("name", [".", "..", "/", "//", "./", "a/.", "a/..", ".zip", "a/.zip/"])
def test_a_zip_file_without_a_name_is_refused(trained, tmp_path, monkeypatch, name):
    (tmp_path / "here" / "a").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "here")
    with pytest.raises(InputError) as caught:
        convert(str(trained[0]), name, settings=ConvertSettings(zipped=True))
    assert str(caught.value) == f"--output_dir={name}: expected the name of a ZIP file, such as model.zip, got none"
    assert content_of(tmp_path) == {}


@pytest.mark.parametrize("name", ["a", "a/", "a.zip", "a.zip/"])
def test_a_zip_file_is_named_with_and_without_its_ending_and_a_slash(trained, tmp_path, name):
    convert(str(trained[0]), f"{tmp_path}/{name}", settings=ConvertSettings(zipped=True))
    assert list(content_of(tmp_path)) == ["a.zip"]


def test_a_link_to_nothing_for_a_folder_is_refused_before_anything_is_read(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    with pytest.raises(InputError, match=r"^--output_dir=.*/link is a symbolic link to nothing; expected a folder$"):
        convert(str(tmp_path / "none"), str(tmp_path / "link"))


def test_the_vocabulary_that_is_given_may_lie_in_the_new_folder(trained, tmp_path):
    words = (trained[0] / "vocab.txt").read_bytes()
    (tmp_path / "vocab.txt").write_bytes(words)
    convert(str(trained[0]), str(tmp_path), settings=ConvertSettings(vocab_file=str(tmp_path / "vocab.txt")))
    assert (tmp_path / "vocab.txt").read_bytes() == words


@pytest.mark.parametrize(("zipped", "there"), [(False, "new/model.safetensors"), (True, "new.zip")])
def test_a_model_that_another_conversion_wrote_meanwhile_is_refused_and_kept(
    trained, tmp_path, monkeypatch, zipped, there
):
    checked = convert_module._compare

    def slow(*arguments):
        (tmp_path / there).parent.mkdir(exist_ok=True)
        (tmp_path / there).write_text("theirs")
        return checked(*arguments)

    monkeypatch.setattr(convert_module, "_compare", slow)
    with pytest.raises(InputError, match=r"give a new (folder|name)$"):
        convert(trained[0], tmp_path / "new", settings=ConvertSettings(zipped=zipped))
    assert [str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()] == [there]


def test_a_model_without_a_vocabulary_file_is_converted_without(tmp_path):
    trained_folder(tmp_path / "model", latest=False)
    (tmp_path / "model" / "vocab.txt").unlink()
    done = convert(str(tmp_path / "model"), str(tmp_path / "hdf5"))
    assert set(content_of(tmp_path / "hdf5")) == {"weights.hdf5", "options.json", "model.sha256"}
    assert len(done.paths) == 3


@pytest.mark.parametrize(("name", "old", "new"), [("vocab.txt", "cat", "cut"), ("options.json", "0.1", "0.2")])
def test_a_file_beside_the_converted_weights_that_changed_is_noticed(trained, tmp_path, name, old, new):
    convert(str(trained[0]), str(tmp_path / "new"))
    path = tmp_path / "new" / name
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(InputError, match=f"{name} is not the file that was written with the model"):
        load_bilm(tmp_path / "new")


def test_a_zip_whose_vocabulary_cannot_be_used_is_converted_without_it_and_the_note_names_the_zip(trained, tmp_path):
    weights = trained[1]["best"]
    convert(str(trained[0]), str(tmp_path / "first"), settings=ConvertSettings(zipped=True))
    with zipfile.ZipFile(tmp_path / "first.zip") as first, zipfile.ZipFile(tmp_path / "bad.zip", "w") as bad:
        for name in first.namelist():
            bad.writestr(name, b"the\nthe\n" if name == "vocab.txt" else first.read(name))
    done = convert(str(tmp_path / "bad.zip"), str(tmp_path / "hdf5"))
    check_arrays(tmp_path / "hdf5", weights)
    assert set(content_of(tmp_path / "hdf5")) == {"weights.hdf5", "options.json", "model.sha256"}
    assert done.notes[0].startswith(f"{tmp_path}/bad.zip/vocab.txt")


def test_bilm_tfs_own_files_come_out_with_the_same_arrays(shared, tmp_path):
    folder = hdf5_folder(shared / "parity" / "bilm-tf-trained" / "char_tanh_3layer_tightclip", tmp_path / "theirs")
    convert(str(folder), str(tmp_path / "ours"))
    theirs, ours = (read_arrays(str(tmp_path / name / "weights.hdf5")) for name in ("theirs", "ours"))
    assert set(theirs) == set(ours)
    for name, array in theirs.items():
        np.testing.assert_array_equal(ours[name], array)
    options = json.loads((folder / "options.json").read_text())
    written = json.loads((tmp_path / "ours" / "options.json").read_text())
    assert {name: written[name] for name in options} == options


@pytest.mark.parametrize("name", ["file", "file/folder"])
def test_a_file_for_a_folder_is_refused_and_kept(trained, tmp_path, name):
    (tmp_path / "file").write_text("kept")
    with pytest.raises(InputError, match=f"{name}") as caught:
        convert(str(trained[0]), str(tmp_path / name))
    assert "\n" not in str(caught.value)
    assert content_of(tmp_path) == {"file": b"kept"}


def test_numbers_that_are_not_finite_are_refused_and_nothing_is_written(tmp_path):
    options = changed(WORD_INPUT, lstm_n_layers=1)
    trained_folder(tmp_path / "model", options, latest=False, spoilt="embedding")
    with pytest.raises(InputError, match="array embedding holds numbers that are not finite"):
        convert(str(tmp_path / "model"), str(tmp_path / "hdf5"))
    assert not (tmp_path / "hdf5").exists()


def test_a_folder_that_holds_no_model_makes_no_output_folder(tmp_path):
    with pytest.raises(InputError, match="there is no such file or folder"):
        convert(str(tmp_path / "none"), str(tmp_path / "hdf5"))
    assert not (tmp_path / "hdf5").exists()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({}, []),
        ({"char_cnn": None}, ["word ids"]),
        ({"bidirectional": False}, ["forwards only"]),
        ({"lstm": {"dim": 16}}, ["LSTM has no projection"]),
        ({"lstm": {"use_skip_connections": False}}, ["skip connections"]),
        ({"char_cnn": {"max_characters_per_token": 20}}, ["20 characters"]),
        ({"char_cnn": {"filters": [[1, 16]]}}, ["CNN has no projection"]),
    ],
    ids=str,
)
def test_what_allennlp_cannot_load_is_named(change, words):
    values = {
        "lstm": {"dim": 32, "projection_dim": 16, "use_skip_connections": True},
        "char_cnn": {"activation": "relu", "embedding": {"dim": 4}, "filters": [[1, 8]], "n_characters": 262},
        "n_tokens_vocab": 10,
    }
    for name, value in change.items():
        values[name] = {**values[name], **value} if isinstance(value, dict) else value
    found = allennlp_limits(Options.from_dict(values))
    assert len(found) == len(words)
    assert all(word in limit for word, limit in zip(words, found, strict=True))
