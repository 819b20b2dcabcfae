"""A model is found and its form recognized by the names of files; the files may be empty, because none is read."""

import pytest
import tensorflow as tf

from elmo_tf.errors import InputError
from elmo_tf.store.model_location import ModelLocation, check_for_training, find_model, has_checkpoint, is_zip_file


def made(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"")
    return str(folder)


def found(folder, which=None):
    return find_model(str(folder), "the model", which)


@pytest.mark.parametrize(
    ("names", "form", "weights"),
    [
        (["weights.hdf5"], "hdf5", "weights.hdf5"),
        (["model.hdf5"], "hdf5", "model.hdf5"),
        (["small_weights.hdf5", "small_options.json"], "hdf5", "small_weights.hdf5"),
        (["weights.hdf5", "softmax.hdf5"], "hdf5", "weights.hdf5"),
        (["weights.hdf5", "other_weights.hdf5"], "hdf5", "weights.hdf5"),
        (["any.safetensors"], "safetensors", "any.safetensors"),
        (["weights.hdf5", "model.safetensors", "any.safetensors"], "safetensors", "model.safetensors"),
    ],
)
def test_the_form_follows_from_the_names_of_the_files(tmp_path, names, form, weights):
    folder = made(tmp_path, *names)
    assert found(tmp_path) == ModelLocation(form, f"{folder}/{weights}", folder)
    assert found(tmp_path / weights) == ModelLocation(form, f"{folder}/{weights}", folder)
    assert not has_checkpoint(folder)


@pytest.mark.parametrize("ending", ["", ".index"])
@pytest.mark.parametrize(
    ("prefix", "form", "inside"),
    [("model.ckpt-60", "tf1", ""), ("best/ckpt-3", "checkpoint", ""), ("run/latest/ckpt-3", "checkpoint", "/run")],
)
def test_a_checkpoint_may_be_given_as_tensorflow_names_it(tmp_path, monkeypatch, prefix, form, inside, ending):
    folder = made(tmp_path, f"{prefix}.index", f"{prefix}.data-00000-of-00001", "model.ckpt-9.index")
    assert found(f"{folder}/{prefix}{ending}") == ModelLocation(form, f"{folder}/{prefix}", folder + inside)
    monkeypatch.chdir(tmp_path)
    assert found(prefix + ending) == ModelLocation(form, prefix, inside.removeprefix("/") or ".")
    with pytest.raises(InputError, match=r"^the model: it holds no latest checkpoint, only "):
        found(prefix + ending, "latest")


def test_a_checkpoint_may_be_given_from_inside_its_folder(tmp_path, monkeypatch):
    made(tmp_path, "run/latest/ckpt-3.index")
    monkeypatch.chdir(tmp_path / "run" / "latest")
    for name in ("ckpt-3", "./ckpt-3", "ckpt-3.index"):
        assert found(name) == ModelLocation("checkpoint", name.removesuffix(".index"), "..")


def test_a_folder_is_preferred_to_a_checkpoint_of_its_name(tmp_path):
    folder = made(tmp_path / "x", "weights.hdf5")
    made(tmp_path, "x.index")
    assert found(folder) == ModelLocation("hdf5", f"{folder}/weights.hdf5", folder)


def test_a_folder_that_hides_a_published_model_is_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    made(tmp_path / "medium", "notes.txt")
    with pytest.raises(InputError, match=r"^medium: it holds no model, and it hides the published model of that name"):
        find_model("medium", "medium", None)
    with pytest.raises(
        InputError,
        match=r"or the name of a published model: small, medium, original, 5\.5B; or hf://USER/MODEL or nlpl:NUMBER$",
    ):
        find_model("Small", "Small", None)


@pytest.mark.parametrize(
    ("names", "both"),
    [
        (["weights.hdf5", "model.hdf5"], "weights.hdf5, model.hdf5"),
        (["a_weights.hdf5", "b_weights.hdf5"], "a_weights.hdf5, b_weights.hdf5"),
        (["b.safetensors", "a.safetensors"], "a.safetensors, b.safetensors"),
    ],
)
def test_two_models_in_a_folder_are_refused_by_their_names(tmp_path, names, both):
    made(tmp_path, *names)
    with pytest.raises(InputError, match=f"^the model: it holds 2 models, {both}: expected one, or its own path$"):
        found(tmp_path)
    assert found(tmp_path / names[0]).weights == str(tmp_path / names[0])


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["options.json"], "the model: it holds no model; expected"),
        (["softmax.hdf5"], "the model: it holds no model; expected"),
        ([], "the model: it holds no model; expected"),
    ],
)
def test_a_folder_without_a_model_is_refused(tmp_path, names, message):
    made(tmp_path, *names)
    with pytest.raises(InputError, match=f"^{message}"):
        found(tmp_path)


@pytest.mark.parametrize("name", ["weights.hdf5", "model.hdf5", "model.safetensors"])
def test_a_folder_with_the_name_of_a_weight_file_is_named_in_the_error(tmp_path, name):
    made(tmp_path, "options.json")
    (tmp_path / name).mkdir()
    with pytest.raises(InputError, match=f"^the model: it holds no model, because {name} in it is a folder; expected"):
        found(tmp_path)
    made(tmp_path, "my_weights.hdf5")
    assert found(tmp_path).weights == str(tmp_path / "my_weights.hdf5")


def test_a_file_that_is_no_model_is_refused(tmp_path):
    made(tmp_path, "softmax.hdf5", "notes.txt", "weights.hdf5")
    with pytest.raises(InputError, match=r"softmax\.hdf5: it is only a softmax; expected the weights"):
        found(tmp_path / "softmax.hdf5")
    with pytest.raises(InputError, match=r"^the model: it is no file of a model; expected"):
        found(tmp_path / "notes.txt")
    with pytest.raises(InputError, match=r"^the model: there is no such file or folder; expected"):
        found(tmp_path / "none")
    with pytest.raises(InputError, match=r"^the model: it holds no best checkpoint, only weights\.hdf5$"):
        found(tmp_path, "best")


def test_options_are_found_under_either_name(tmp_path):
    made(tmp_path, "small_weights.hdf5", "options.json")
    place = found(tmp_path)
    assert place.options_file == str(tmp_path / "options.json")
    made(tmp_path, "small_options.json", "large_options.json")
    assert place.options_file == str(tmp_path / "small_options.json")
    (tmp_path / "options.json").unlink()
    assert place.options_file == str(tmp_path / "small_options.json")
    (tmp_path / "small_options.json").unlink()
    assert place.options_file is None
    assert ModelLocation("hdf5", str(tmp_path / "model.hdf5"), str(tmp_path)).options_file is None
    assert place.beside("vocab.txt", "large_options.json") == str(tmp_path / "large_options.json")


@pytest.mark.parametrize(
    ("name", "content", "is_one"),
    [
        ("11.zip", b"PK\x03\x04", True),
        ("11", b"PK\x03\x04", True),
        ("11.zip", b"cut short", True),
        ("notes.txt", b"text", False),
        ("weights.hdf5", b"PK\x03\x04", False),
        ("model.safetensors", b"PK\x03\x04", False),
    ],
)
def test_a_zip_file_is_recognized_by_its_ending_or_first_bytes(tmp_path, name, content, is_one):
    (tmp_path / name).write_bytes(content)
    assert is_zip_file(str(tmp_path / name)) == is_one


def test_a_folder_or_missing_path_is_no_zip_file(tmp_path):
    (tmp_path / "folder.zip").mkdir()
    assert not is_zip_file(str(tmp_path / "folder.zip"))
    assert not is_zip_file(str(tmp_path / "none.zip"))


def test_a_checkpoint_is_preferred_to_all_other_forms(tmp_path):
    folder = made(tmp_path, "weights.hdf5")
    tf.train.Checkpoint(step=tf.Variable(3)).write(f"{folder}/latest/ckpt-3")
    assert has_checkpoint(folder)
    assert found(tmp_path) == ModelLocation("checkpoint", f"{folder}/latest/ckpt-3", folder)


@pytest.mark.parametrize("name", ["weights.hdf5", "model.safetensors", "model.ckpt-60.index"])
def test_training_refuses_a_folder_with_a_model_of_another_form(tmp_path, name):
    made(tmp_path / "theirs", name, "options.json")
    with pytest.raises(InputError, match=r"theirs holds a model already, .*: to go on with it, give what elmo-tf conv"):
        check_for_training(str(tmp_path / "theirs"))
    for folder in ("none", "new", "run"):
        if folder != "none":
            made(tmp_path / folder, "options.json", "vocab.txt", "log.csv")
        check_for_training(str(tmp_path / folder))
    made(tmp_path / "run", name, "latest/ckpt-3.index")
    (tmp_path / "run" / "latest" / "checkpoint").write_text('model_checkpoint_path: "ckpt-3"\n')
    check_for_training(str(tmp_path / "run"))
