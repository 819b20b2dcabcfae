"""Conversions from every form to every other: equal bits, training that can be continued, no remains of a failure."""

import json
import os
import re
import resource
import shutil
import stat
import zipfile

import h5py
import numpy as np
import pytest
import tensorflow as tf
import tiny
from hdf5_files import read_arrays, write_arrays
from model_cases import CASES, CHARACTERS, WORD_INPUT, changed
from model_folders import LATEST_STEP, WORDS, content_of, hdf5_folder, trained_folder

from elmo_tf.conversion import round_trip
from elmo_tf.conversion.convert import ConvertSettings, convert
from elmo_tf.errors import InputError
from elmo_tf.formats import hdf5
from elmo_tf.formats.arrays import Arrays
from elmo_tf.store.load_model import load_bilm, load_language_model
from elmo_tf.store.open_model import open_model
from elmo_tf.training.run import train


def opened(path, which=None):
    """What lies there, with every array."""
    with open_model(str(path), which) as stored:
        return stored, dict(stored.weights.items()), dict(stored.slots.items())


def converted(source, target, which=None, **settings):
    """Converts, and gives what was written as `opened` does."""
    done = convert(str(source), str(target), which, ConvertSettings(**settings))
    assert done.difference <= 1e-6
    return opened(f"{target}.zip" if settings.get("zipped") else target)


def are_equal(ours, theirs):
    assert set(ours) == set(theirs)
    for name, array in theirs.items():
        assert ours[name].tobytes() == np.ascontiguousarray(array, "f").tobytes(), name


def refused(*arguments, **settings):
    """The one sentence of a conversion that is refused."""
    with pytest.raises(InputError) as caught:
        convert(*map(str, arguments), settings=ConvertSettings(**settings))
    assert "\n" not in str(caught.value)
    return str(caught.value)


OF_THE_SAME_ARRAYS = ("no skip connections", "three layers", "no clips", "tight clips", "tanh", "two highways")


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=pytest.mark.exhaustive) if name in OF_THE_SAME_ARRAYS else name for name in CASES],
)
def test_round_the_world_every_array_is_the_same(tmp_path, name):
    trained_folder(tmp_path / "a", CASES[name], best=False)
    with open_model(str(tmp_path / "a")) as stored:
        weights, options = dict(stored.weights.items()), stored.options
    converted(tmp_path / "a", tmp_path / "b", softmax=True)
    _, again, _ = converted(tmp_path / "b", tmp_path / "c", form="checkpoint")
    are_equal(again, weights)
    written, again, _ = converted(tmp_path / "c", tmp_path / "d", form="tf1")
    are_equal(again, weights)
    assert written.form == "tf1"
    written, again, slots = converted(tmp_path / "d", tmp_path / "e", form="checkpoint")
    are_equal(again, weights)
    assert written.options == options
    assert all((slot == 1).all() for slot in slots.values())
    assert len(slots) == len(weights)


@pytest.mark.parametrize("name", ["char_2layer", "char_tanh_3layer_tightclip", "word_2layer"])
def test_hdf5_from_bilm_tfs_checkpoint_is_its_own_dump_to_the_last_bit(shared, tmp_path, name):
    folder = shared / "parity" / "bilm-tf-trained" / name
    converted(folder / "checkpoint", tmp_path / "out", vocab_file=str(folder / "vocab.txt"))
    with h5py.File(folder / "weights.hdf5") as theirs, h5py.File(tmp_path / "out" / "weights.hdf5") as ours:
        names = []
        theirs.visititems(lambda key, item: names.append(key) if isinstance(item, h5py.Dataset) else None)
        assert set(read_arrays(str(tmp_path / "out" / "weights.hdf5"))) == set(names)
        for key in names:
            assert ours[key].dtype == theirs[key].dtype == np.dtype("<f4")
            assert ours[key][...].tobytes() == theirs[key][...].tobytes()
    options = json.loads((tmp_path / "out" / "options.json").read_text())
    assert options.get("char_cnn", {}).get("n_characters", 262) == 262
    assert (tmp_path / "out" / "vocab.txt").read_bytes() == (folder / "vocab.txt").read_bytes()


@pytest.mark.parametrize("name", ["char_2layer", "word_2layer"])
def test_a_tf1_checkpoint_keeps_adagrad_and_step_there_and_back(shared, tmp_path, name):
    folder = shared / "parity" / "bilm-tf-trained" / name
    _, weights, slots = opened(folder / "checkpoint")
    vocab = str(folder / "vocab.txt")
    ours, found, our_slots = converted(folder / "checkpoint", tmp_path / "ours", form="checkpoint", vocab_file=vocab)
    assert (ours.step, ours.source) == (60, str(tmp_path / "ours" / "latest" / "ckpt-60"))
    are_equal(found, weights)
    are_equal(our_slots, slots)
    back, found, their_slots = converted(tmp_path / "ours", tmp_path / "back", form="tf1", which="latest")
    assert back.step == 60
    are_equal(found, weights)
    are_equal(their_slots, slots)
    theirs = tf.train.load_checkpoint(str(folder / "checkpoint"))
    written = tf.train.load_checkpoint(str(tmp_path / "back"))
    assert written.get_variable_to_shape_map() == theirs.get_variable_to_shape_map()
    assert written.get_variable_to_dtype_map() == theirs.get_variable_to_dtype_map()
    for key in theirs.get_variable_to_shape_map():
        np.testing.assert_array_equal(written.get_tensor(key), theirs.get_tensor(key))
    options = json.loads((tmp_path / "back" / "options.json").read_text())
    wanted = json.loads((folder / "checkpoint" / "options.json").read_text())
    assert {key: options[key] for key in wanted} == {**wanted, "lstm": options["lstm"]}
    assert {key: options["lstm"][key] for key in wanted["lstm"]} == wanted["lstm"]


def test_training_goes_on_from_a_tf1_checkpoint_with_its_adagrad(shared, tmp_path):
    folder = shared / "parity" / "bilm-tf-trained" / "char_2layer"
    vocab = str(folder / "vocab.txt")
    convert(
        str(folder / "checkpoint"), str(tmp_path / "model"), settings=ConvertSettings("checkpoint", vocab_file=vocab)
    )
    with open_model(str(tmp_path / "model")) as stored:
        options, before = stored.options, dict(stored.slots.items())
    lines = []
    settings = tiny.settings(tmp_path, max_steps=62, n_epochs=200, validate_first=False)
    settings = type(settings)(
        **{
            **settings.__dict__,
            "options": options.replace(n_epochs=40, batch_size=2),
            "train_files": (str(folder / "heldout.txt"),),
            "valid_files": (),
            "vocab_file": vocab,
        }
    )
    result = train(settings, lines.append)
    assert lines[0] == f"resumed from step 60 of {tmp_path}/model"
    assert result.steps == 62
    slots = opened(tmp_path / "model", "latest")[2]
    grown = [name for name in slots if (slots[name] != before[name]).any()]
    assert all((slots[name] >= before[name]).all() for name in slots)
    assert set(grown) >= {name for name in slots if "softmax" not in name}
    assert train(settings, lines.append).steps == 62
    assert any("already trained for 62 steps" in line for line in lines)


@pytest.mark.parametrize("name", ["characters", "word input", "shared softmax", "forward only"])
def test_safetensors_there_and_back(tmp_path, name):
    safetensors = pytest.importorskip("safetensors.numpy")
    trained_folder(tmp_path / "a", CASES[name], best=False)
    _, weights, _ = opened(tmp_path / "a")
    converted(tmp_path / "a", tmp_path / "b", form="safetensors", softmax=True)
    are_equal(safetensors.load_file(str(tmp_path / "b" / "model.safetensors")), weights)
    _, found, _ = converted(tmp_path / "b", tmp_path / "c", form="checkpoint")
    are_equal(found, weights)
    _, found, _ = converted(tmp_path / "a", tmp_path / "d", form="safetensors")
    are_equal(found, {key: value for key, value in weights.items() if not key.startswith("softmax/")})


@pytest.mark.parametrize("umask", [0o022, 0o027])
@pytest.mark.parametrize("form", ["hdf5", "hdf5 in a ZIP", "checkpoint", "tf1", "safetensors"])
def test_written_files_have_the_usual_permissions(tmp_path, form, umask):
    if form == "safetensors":
        pytest.importorskip("safetensors")
    trained_folder(tmp_path / "a", latest=False)
    kind, *zipped = form.split(" ", 1)
    usual = os.umask(umask)
    try:
        done = convert(str(tmp_path / "a"), str(tmp_path / "b"), settings=ConvertSettings(kind, zipped=bool(zipped)))
    finally:
        os.umask(usual)
    modes = {path: stat.S_IMODE(os.stat(path).st_mode) for path in done.paths}
    assert modes == dict.fromkeys(done.paths, 0o666 & ~umask)


def test_without_the_package_safetensors_is_refused_with_the_command_that_installs_it(tmp_path, monkeypatch):
    trained_folder(tmp_path / "a")
    monkeypatch.setitem(__import__("sys").modules, "safetensors", None)
    message = refused(tmp_path / "a", tmp_path / "b", form="safetensors")
    assert message == "safetensors is not installed: pip install 'elmo_tf[safetensors]'"
    assert not (tmp_path / "b").exists()


def test_a_zip_file_is_laid_out_as_nlpls(tmp_path):
    weights = trained_folder(tmp_path / "a")["best"]
    stored, found, _ = converted(tmp_path / "a", tmp_path / "new" / "b", zipped=True, softmax=True)
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["b.zip"]
    assert sorted(zipfile.ZipFile(tmp_path / "new" / "b.zip").namelist()) == [
        "model.hdf5", "options.json", "softmax.hdf5", "vocab.txt",
    ]  # fmt: skip
    assert stored.source == str(tmp_path / "new" / "b.zip")
    are_equal(found, weights)
    assert load_language_model(str(tmp_path / "new" / "b.zip")).vocabulary.words == WORDS
    convert(str(tmp_path / "a"), str(tmp_path / "b.zip"), settings=ConvertSettings(zipped=True))
    assert load_bilm(str(tmp_path / "b.zip")).vocabulary.words == WORDS
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b.zip", "new"]


def test_a_zip_file_for_simple_elmo_without_a_vocabulary_is_refused(tmp_path):
    trained_folder(tmp_path / "a", latest=False)
    (tmp_path / "a" / "vocab.txt").rename(tmp_path / "vocab.txt")
    before = content_of(tmp_path)
    message = refused(tmp_path / "a", tmp_path / "b", target="simple_elmo", zipped=True)
    assert message.startswith("--target=simple_elmo --zip: ")
    assert message.endswith("give --vocab_file")
    assert content_of(tmp_path) == before
    words = str(tmp_path / "vocab.txt")
    settings = ConvertSettings(target="simple_elmo", zipped=True, vocab_file=words)
    convert(str(tmp_path / "a"), str(tmp_path / "b"), settings=settings)
    assert "vocab.txt" in zipfile.ZipFile(tmp_path / "b.zip").namelist()


def test_an_error_in_a_zip_file_names_the_zip_file_and_not_the_folder_it_was_unpacked_into(tmp_path):
    trained_folder(tmp_path / "a", best=False)
    convert(str(tmp_path / "a"), str(tmp_path / "b"), settings=ConvertSettings())
    for name, content, part in (
        ("options.json", b"{", "not valid JSON"),
        ("weights.hdf5", b"no HDF5", "cannot be read as HDF5"),
    ):
        with zipfile.ZipFile(tmp_path / f"{name}.zip", "w") as archive:
            for other in ("vocab.txt", "options.json", "weights.hdf5"):
                own = content if other == name else (tmp_path / "b" / other).read_bytes()
                archive.writestr(other, own)
        message = refused(tmp_path / f"{name}.zip", tmp_path / "c")
        assert message.startswith(f"{tmp_path / name}.zip/{name}"), message
        assert part in message


def test_a_zip_file_with_a_folder_inside_is_read_too(tmp_path):
    trained_folder(tmp_path / "a")
    convert(str(tmp_path / "a"), str(tmp_path / "b"))
    with zipfile.ZipFile(tmp_path / "c.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("weights.hdf5", "options.json", "vocab.txt"):
            archive.write(tmp_path / "b" / name, f"model/{name}")
        archive.writestr("README", "by somebody")
    are_equal(opened(tmp_path / "c.zip")[1], read_arrays(str(tmp_path / "b" / "weights.hdf5")))


def test_allennlps_own_file_names_are_known(tmp_path):
    trained_folder(tmp_path / "a")
    convert(str(tmp_path / "a"), str(tmp_path / "b"))
    for name in ("weights.hdf5", "options.json"):
        (tmp_path / "b" / name).rename(tmp_path / "b" / f"elmo_2x1024_{name}")
    are_equal(opened(tmp_path / "b")[1], read_arrays(opened(tmp_path / "b" / "elmo_2x1024_weights.hdf5")[0].source))


def test_new_words_get_new_rows_and_known_words_keep_theirs(tmp_path):
    weights = trained_folder(tmp_path / "a", best=False)["latest"]
    new = ("<S>", "</S>", "<UNK>", "mat", "new", "the")
    (tmp_path / "new.txt").write_text("\n".join(new))
    done = convert(
        str(tmp_path / "a"),
        str(tmp_path / "b"),
        settings=ConvertSettings("checkpoint", vocab_file=str(tmp_path / "new.txt")),
    )
    assert any("keeps 5 of 6 words" in note for note in done.notes)
    stored, found, slots = opened(tmp_path / "b")
    assert stored.options.n_tokens_vocab == 6
    for row, word in enumerate(new):
        if word in WORDS:
            np.testing.assert_array_equal(found["softmax/W"][row], weights["softmax/W"][WORDS.index(word)])
            assert found["softmax/b"][row] == weights["softmax/b"][WORDS.index(word)]
    assert found["softmax/b"][new.index("new")] == 0
    assert 0 < np.abs(found["softmax/W"][new.index("new")]).max() < 4
    assert slots["softmax/W"].shape == (6, 4)
    rest = {name: array for name, array in weights.items() if not name.startswith("softmax/")}
    are_equal({name: found[name] for name in rest}, rest)
    assert load_language_model(str(tmp_path / "b")).vocabulary.words == new


def test_hdf5_without_a_softmax_gets_a_new_one_for_its_vocabulary_or_a_given_one(tmp_path):
    weights = trained_folder(tmp_path / "a", best=False)["latest"]
    convert(str(tmp_path / "a"), str(tmp_path / "b"), settings=ConvertSettings(softmax=True))
    (tmp_path / "b" / "softmax.hdf5").rename(tmp_path / "softmax.hdf5")
    done = convert(str(tmp_path / "b"), str(tmp_path / "c"), settings=ConvertSettings("checkpoint"))
    assert "it has no softmax: the softmax starts anew" in done.notes
    found = opened(tmp_path / "c")[1]
    assert (found["softmax/b"] == 0).all()
    assert np.std(found["softmax/W"]) == pytest.approx(0.5, rel=0.5)
    _, found, _ = converted(
        tmp_path / "b", tmp_path / "d", form="checkpoint", softmax_file=str(tmp_path / "softmax.hdf5")
    )
    are_equal(found, weights)
    for number, form in enumerate(("hdf5", "safetensors")):
        target = tmp_path / f"e{number}"
        _, found, _ = converted(tmp_path / "b", target, form=form, softmax_file=str(tmp_path / "softmax.hdf5"))
        are_equal(found, weights)


def test_a_best_checkpoint_has_no_accumulators_and_says_so(tmp_path):
    trained_folder(tmp_path / "a")
    settings = ConvertSettings("tf1")
    assert "accumulators: they start anew" in convert(str(tmp_path / "a"), str(tmp_path / "b"), None, settings).notes[0]
    assert convert(str(tmp_path / "a"), str(tmp_path / "c"), "latest", settings).notes == ()
    assert opened(tmp_path / "c")[0].step == LATEST_STEP


@pytest.mark.parametrize("form", ["tf1", "checkpoint"])
@pytest.mark.parametrize("optimizer", ["adagrad", "adam", "adamw"])
def test_a_conversion_says_of_each_optimizer_what_starts_anew(tmp_path, optimizer, form):
    trained_folder(tmp_path / "a", changed(CHARACTERS, optimizer=optimizer))
    done = convert(str(tmp_path / "a"), str(tmp_path / "b"), "latest", ConvertSettings(form))
    anew = f"the moments of {optimizer} are not taken over: the optimizer starts anew, Adagrad's accumulators at 1"
    assert done.notes == (() if optimizer == "adagrad" else (anew,))
    first = all((array == 1).all() for array in opened(tmp_path / "b")[2].values())
    assert opened(tmp_path / "b")[2].keys() == opened(tmp_path / "b")[1].keys()
    assert optimizer == "adagrad" or first


@pytest.mark.parametrize(
    ("target", "form", "case", "words"),
    [
        ("allennlp", "hdf5", CHARACTERS, "9 characters instead of 50"),
        ("allennlp", "hdf5", changed(CHARACTERS, lstm_use_skip_connections=False), "no skip connections"),
        ("allennlp", "tf1", CHARACTERS, "--target=allennlp: expected --format=hdf5, got --format=tf1"),
        ("bilm-tf", "hdf5", changed(CHARACTERS, bidirectional=False), "forwards only"),
        ("bilm-tf", "hdf5", changed(CHARACTERS, cnn_filters=[[1, 3]]), "3 filters, fewer than projection_dim"),
        ("bilm-tf", "hdf5", changed(CHARACTERS, lstm_n_layers=9), "9 layers, more than 8"),
        ("simple_elmo", "hdf5", WORD_INPUT, "word ids"),
        ("simple_elmo", "tf1", changed(CHARACTERS, bidirectional=False), "forwards only"),
        ("simple_elmo", "checkpoint", CHARACTERS, "expected --format=hdf5 or --format=tf1"),
    ],
)
def test_a_model_that_a_target_cannot_load_is_refused_with_the_targets_name(tmp_path, target, form, case, words):
    trained_folder(tmp_path / "a", case, latest=False)
    message = refused(tmp_path / "a", tmp_path / "b", target=target, form=form)
    assert message.startswith(f"--target={target}: ")
    assert words in message
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a"]


@pytest.mark.parametrize(
    ("target", "case", "name"),
    [
        ("allennlp", changed(CHARACTERS, cnn_max_characters_per_token=50), "weights.hdf5"),
        ("bilm-tf", CHARACTERS, "weights.hdf5"),
        ("bilm-tf", CASES["one layer"], "weights.hdf5"),
        ("bilm-tf", WORD_INPUT, "weights.hdf5"),
        ("simple_elmo", CHARACTERS, "model.hdf5"),
    ],
)
def test_what_a_target_can_load_is_written_under_the_name_that_it_looks_for(tmp_path, target, case, name):
    trained_folder(tmp_path / "a", case, latest=False)
    convert(str(tmp_path / "a"), str(tmp_path / "b"), settings=ConvertSettings(target=target))
    assert set(content_of(tmp_path / "b")) == {name, "options.json", "vocab.txt", "model.sha256"}


@pytest.mark.parametrize(
    ("settings", "part"),
    [
        ({"form": "checkpoint"}, "--format=checkpoint: no vocab.txt lies beside"),
        ({"form": "tf1"}, "give --vocab_file"),
        ({"form": "checkpoint", "vocab_file": "less.txt"}, "less.txt: expected 11 words, those of the model, got 10"),
        ({"vocab_file": "less.txt"}, "less.txt: expected 11 words by options.json, got 10"),
        ({"form": "tf1", "zipped": True}, "--zip: expected --format=hdf5"),
        ({"form": "tf1", "softmax": True}, "--softmax: --format=tf1 always has its softmax"),
        ({"form": "checkpoint", "vocab_file": "none.txt"}, "none.txt cannot be read"),
    ],
)
def test_what_cannot_be_written_from_a_tf1_checkpoint_is_refused(tmp_path, monkeypatch, settings, part):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "less.txt").write_text("\n".join(WORDS[:-1]))
    trained_folder(tmp_path / "a", best=False)
    convert("a", "b", settings=ConvertSettings("tf1"))
    (tmp_path / "b" / "vocab.txt").unlink()
    before = content_of(tmp_path)
    assert part in refused("b", "c", **settings)
    assert content_of(tmp_path) == before
    assert not (tmp_path / "c").exists()


def test_a_softmax_that_is_not_there_or_does_not_fit_is_refused(tmp_path):
    trained_folder(tmp_path / "a", best=False)
    convert(str(tmp_path / "a"), str(tmp_path / "b"))
    assert "weights.hdf5" in refused(tmp_path / "b", tmp_path / "c", softmax=True)
    for number, (arrays, part) in enumerate(
        [
            ({"softmax/W": np.zeros((9, 4)), "softmax/b": np.zeros(9)}, "softmax/W: expected shape (11, 4)"),
            ({"softmax/W": np.zeros((11, 4))}, "softmax/b is missing"),
            ({"softmax/b": np.zeros(11)}, "softmax/W is missing"),
            ({"softmax/b": np.zeros(11), "x": np.zeros(1)}, "array x has no place in a softmax"),
        ]
    ):
        path = tmp_path / f"{number}.hdf5"
        write_arrays(str(path), arrays)
        message = refused(tmp_path / "b", tmp_path / "c", form="checkpoint", softmax_file=str(path))
        assert message.startswith(f"{path}: array ")
        assert part in message
    assert not (tmp_path / "c").exists()


@pytest.mark.parametrize("form", ["checkpoint", "tf1", "safetensors", "hdf5"])
def test_a_folder_that_holds_another_model_is_refused(tmp_path, form):
    trained_folder(tmp_path / "a", best=False)
    convert(str(tmp_path / "a"), str(tmp_path / "b"), settings=ConvertSettings(target="simple_elmo"))
    before = content_of(tmp_path)
    message = refused(tmp_path / "a", tmp_path / "b", form=form)
    expected = "holds a model already, or part of one, model.hdf5: give a new folder"
    assert message == f"--output_dir={tmp_path / 'b'} {expected}"
    assert content_of(tmp_path) == before


def test_hdf5_does_not_go_into_bilm_tfs_folder_whose_options_it_would_change(tmp_path):
    trained_folder(tmp_path / "a", best=False)
    convert(str(tmp_path / "a"), str(tmp_path / "b"), settings=ConvertSettings("tf1"))
    before = content_of(tmp_path)
    message = refused(tmp_path / "b", tmp_path / "b")
    expected = "holds a model already, or part of one, checkpoint: give a new folder"
    assert message == f"--output_dir={tmp_path / 'b'} {expected}"
    assert content_of(tmp_path) == before


@pytest.mark.parametrize("form", ["hdf5", "checkpoint", "tf1", "safetensors"])
def test_a_full_disk_is_one_sentence_and_nothing_stays(tmp_path, form):
    if form == "safetensors":
        pytest.importorskip("safetensors")
    trained_folder(tmp_path / "a", best=False)
    words = [*WORDS, *(f"word{number}" for number in range(500))]
    (tmp_path / "new.txt").write_text("\n".join(words))
    settings = {"vocab_file": str(tmp_path / "new.txt")} if form in ("checkpoint", "tf1") else {}
    before, usual = content_of(tmp_path), resource.getrlimit(resource.RLIMIT_FSIZE)
    for space in (0, 100, 1000, 5000):
        resource.setrlimit(resource.RLIMIT_FSIZE, (space, usual[1]))  # as a disk with that much space
        try:
            message = refused(tmp_path / "a", tmp_path / "b", form=form, **settings)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, usual)
        assert re.fullmatch(rf"{tmp_path}/b/[\w.-]+ cannot be written: File too large", message), message
        assert content_of(tmp_path) == before


@pytest.mark.parametrize("space", [0, 100, 1000, 5000])
def test_a_full_disk_of_a_zip_file_names_the_zip_file(tmp_path, space):
    trained_folder(tmp_path / "a", best=False)
    before, usual = content_of(tmp_path), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (space, usual[1]))
    try:
        message = refused(tmp_path / "a", tmp_path / "b", zipped=True)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, usual)
    assert re.fullmatch(rf"{tmp_path}/b.zip(/[\w.-]+)? cannot be written: File too large", message), message
    assert content_of(tmp_path) == before


@pytest.mark.parametrize("form", ["hdf5", "checkpoint", "tf1"])
def test_wrong_output_is_noticed_and_nothing_is_left_behind(tmp_path, monkeypatch, form):
    trained_folder(tmp_path / "a", best=False)
    before = content_of(tmp_path)

    def wrong(arrays):
        return arrays.with_others({"char_embed": arrays["char_embed"] + np.float32(1e-3)})

    from elmo_tf.conversion import convert as module

    write_file, write_tf1, write_own = hdf5.write_hdf5, module.write_tf1, module.write_imported
    monkeypatch.setattr(hdf5, "write_hdf5", lambda path, arrays: write_file(path, wrong(arrays)))
    monkeypatch.setattr(module, "write_tf1", lambda f, w, *rest: write_tf1(f, wrong(w), *rest))
    monkeypatch.setattr(module, "write_imported", lambda f, w, *rest: write_own(f, wrong(w), *rest))
    assert "char_embed read back differs" in refused(tmp_path / "a", tmp_path / "b", form=form)
    assert content_of(tmp_path) == before
    monkeypatch.setattr(round_trip.np, "array_equal", lambda a, b: True)
    assert "vectors differ from the source's by" in refused(tmp_path / "a", tmp_path / "b", form=form)
    assert content_of(tmp_path) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a"]


def zip_of(path, names):
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in names.items():
            archive.writestr(name, content)
    return path


@pytest.mark.parametrize(
    ("names", "part"),
    [
        ({"../weights.hdf5": b"", "options.json": b""}, "'../weights.hdf5' leads out of the archive's own folder"),
        ({"/tmp/model.hdf5": b""}, "leads out of"),
        ({"a/..\\..\\x.hdf5": b""}, "leads out of"),
        ({"a.hdf5": b"", "b.hdf5": b"", "options.json": b""}, "holds 2 models, a.hdf5, b.hdf5: expected one"),
        ({"a/model.hdf5": b"", "b/model.hdf5": b""}, "holds 2 models"),
        ({"options.json": b"{}"}, "holds no model"),
        ({"model.hdf5": b"nothing"}, "options.json is missing"),
        ({"model.hdf5": b"nothing", "options.json": b"{"}, "not valid JSON"),
    ],
)
def test_a_bad_zip_file_is_refused_and_nothing_is_unpacked(tmp_path, names, part):
    path = zip_of(tmp_path / "model.zip", names)
    before = content_of(tmp_path.parent)
    message = refused(path, tmp_path / "out")
    assert part in message
    assert content_of(tmp_path.parent) == before


@pytest.mark.parametrize("method", [zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2, zipfile.ZIP_DEFLATED])
def test_every_damage_of_a_zip_file_is_one_sentence(tmp_path, method):
    options, weights = json.dumps(CHARACTERS).encode(), np.random.default_rng(0).bytes(150)
    with zipfile.ZipFile(tmp_path / "a.zip", "w", method) as archive:
        archive.writestr("model.hdf5", weights)
        archive.writestr("options.json", options)
    content = (tmp_path / "a.zip").read_bytes()
    for place in range(0, len(content), 3):
        damaged = bytearray(content)
        damaged[place] ^= 255
        (tmp_path / "a.zip").write_bytes(damaged)
        refused(tmp_path / "a.zip", tmp_path / "out")


def test_a_zip_file_that_is_cut_short_or_none_is_refused(tmp_path):
    trained_folder(tmp_path / "a")
    convert(str(tmp_path / "a"), str(tmp_path / "b.zip"), settings=ConvertSettings(zipped=True))
    content = bytearray((tmp_path / "b.zip").read_bytes())
    for damaged in (content[: len(content) // 2], b"PK", b"", b"no ZIP"):
        (tmp_path / "c.zip").write_bytes(damaged)
        assert refused(tmp_path / "c.zip", tmp_path / "out").startswith(f"{tmp_path}/c.zip cannot be read as ZIP")
    content[len(content) // 3] ^= 255
    (tmp_path / "c.zip").write_bytes(content)
    assert refused(tmp_path / "c.zip", tmp_path / "out").startswith(f"{tmp_path}/c.zip cannot be read as ZIP")
    assert not (tmp_path / "out").exists()


@pytest.fixture(scope="module")
def hdf5_form(tmp_path_factory):
    """A model in HDF5, not to be changed."""
    folder = tmp_path_factory.mktemp("hdf5_form")
    trained_folder(folder / "a", latest=False)
    convert(str(folder / "a"), str(folder / "b"))
    return folder / "b"


def with_array(path, name, array):
    with h5py.File(path, "a") as file:
        if name in file:
            del file[name]
        if array is not None:
            file[name] = array


@pytest.mark.parametrize("form", ["hdf5", "checkpoint", "tf1", "safetensors"])
@pytest.mark.parametrize(
    ("spoil", "part"),
    [
        (lambda folder: (folder / "weights.hdf5").write_bytes(b"x" * 99), "weights.hdf5 cannot be read as HDF5"),
        (
            lambda folder: (folder / "weights.hdf5").write_bytes((folder / "weights.hdf5").read_bytes()[:-100]),
            "weights.hdf5 cannot be read as HDF5",
        ),
        (lambda folder: (folder / "weights.hdf5").rename(folder / "other.bin"), "it holds no model"),
        (lambda folder: (folder / "options.json").unlink(), "options.json is missing"),
        (lambda folder: (folder / "options.json").write_text("[]"), "options.json: expected a JSON object"),
        (lambda folder: (folder / "model.hdf5").write_bytes(b""), "it holds 2 models, weights.hdf5, model.hdf5"),
        (lambda folder: with_array(folder / "weights.hdf5", "char_embed", None), "array char_embed is missing"),
        (lambda folder: with_array(folder / "weights.hdf5", "y", [1.0]), "array y has no place in a model"),
        (
            lambda folder: with_array(folder / "weights.hdf5", "char_embed", np.zeros((262, 5))),
            "array char_embed: expected shape (261, 5) by the options, got (262, 5)",
        ),
        (
            lambda folder: with_array(folder / "weights.hdf5", "char_embed", np.full((261, 5), np.nan)),
            "array char_embed holds numbers that are not finite",
        ),
    ],
    ids=["no HDF5", "truncated", "renamed", "no options", "bad options", "two", "missing", "extra", "shape", "nan"],
)
def test_bad_input_is_one_sentence_and_nothing_is_written(hdf5_form, tmp_path, form, spoil, part):
    if form == "safetensors":
        pytest.importorskip("safetensors")
    shutil.copytree(hdf5_form, tmp_path / "b")
    spoil(tmp_path / "b")
    before = content_of(tmp_path)
    assert part in refused(tmp_path / "b", tmp_path / "c", form=form)
    assert content_of(tmp_path) == before
    assert not (tmp_path / "c").exists()


def test_options_of_261_and_262_characters_name_one_model_and_262_is_written(shared, tmp_path):
    folder = hdf5_folder(shared / "parity" / "bilm-tf-trained" / "char_2layer", tmp_path / "a")
    for number in (261, 262):
        options = json.loads((folder / "options.json").read_text())
        options["char_cnn"]["n_characters"] = number
        (folder / "options.json").write_text(json.dumps(options))
        convert(str(folder), str(tmp_path / str(number)))
        written = json.loads((tmp_path / str(number) / "options.json").read_text())
        assert written["char_cnn"]["n_characters"] == 262


def test_bilm_tfs_dump_of_one_layer_which_it_cannot_read_itself_is_read(tmp_path):
    weights = trained_folder(tmp_path / "a", CASES["one layer"], latest=False)["best"]
    convert(str(tmp_path / "a"), str(tmp_path / "b"))
    arrays = {
        name.replace("MultiRNNCell/Cell0/", ""): array for name, array in weights.items() if "softmax" not in name
    }
    hdf5.write_hdf5(str(tmp_path / "b" / "weights.hdf5"), Arrays.of("theirs", arrays))
    assert "RNN_1/RNN/LSTMCell/W_0" in h5py.File(tmp_path / "b" / "weights.hdf5")
    are_equal(opened(tmp_path / "b")[1], {name: array for name, array in weights.items() if "softmax" not in name})


def test_tf1s_own_reader_restores_what_is_written_into_variables_of_bilm_tfs_names(tmp_path):
    weights = trained_folder(tmp_path / "a", CASES["one layer"], best=False)["latest"]
    convert(str(tmp_path / "a"), str(tmp_path / "b"), settings=ConvertSettings("tf1"))
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        with tf.compat.v1.variable_scope("lm/RNN_1/rnn/lstm_cell"):
            variable = tf.compat.v1.get_variable("kernel", (8, 24))
        step = tf.compat.v1.get_variable("global_step", [])
        path = tf.compat.v1.train.latest_checkpoint(str(tmp_path / "b"))
        tf.compat.v1.train.Saver().restore(session, path)
        value, steps = session.run([variable, step])
    np.testing.assert_array_equal(value, weights["RNN_1/RNN/MultiRNNCell/Cell0/LSTMCell/W_0"])
    assert steps == LATEST_STEP
