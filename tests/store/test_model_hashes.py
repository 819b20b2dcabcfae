"""The hashes of a model's options and vocabulary: what changes is noticed wherever the model is loaded."""

import json

import pytest
from model_folders import trained_folder
from refusals import refused

from elmo_tf.errors import InputError
from elmo_tf.options import Options
from elmo_tf.store.load_model import load_bilm
from elmo_tf.store.model_hashes import check_hashes, remove_hashes, write_hashes

FILES = ("options.json", "vocab.txt")


@pytest.fixture
def folder(tmp_path):
    Options.from_dict({"lstm": {"dim": 8, "projection_dim": 4}}).write(tmp_path / "options.json")
    (tmp_path / "vocab.txt").write_text("<S>\n</S>\n<UNK>\nthe\n")
    write_hashes(str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("name", FILES)
def test_every_single_bit_that_changes_is_noticed(folder, name):
    path = folder / name
    content = path.read_bytes()
    check_hashes(str(folder))
    for bit in range(8 * len(content)):
        changed = bytearray(content)
        changed[bit // 8] ^= 1 << bit % 8
        path.write_bytes(changed)
        message = refused(check_hashes, str(folder))
        assert message.startswith(f"{path} is not the file that was written with the model, by the hash in model.sha25")


def test_a_change_of_the_hashes_is_noticed_too(folder):
    path = folder / "model.sha256"
    content = path.read_bytes()
    for bit in range(8 * len(content)):
        changed = bytearray(content)
        changed[bit // 8] ^= 1 << bit % 8
        path.write_bytes(changed)
        if changed.decode("latin-1").split() != content.decode().split():  # else it says the same
            refused(check_hashes, str(folder))
    path.write_text("")
    assert "model.sha256 is damaged" in refused(check_hashes, str(folder))


def test_the_form_is_that_of_sha256sum(folder):
    lines = (folder / "model.sha256").read_text().splitlines()
    assert [line[64:] for line in lines] == [f"  {name}" for name in FILES]


def test_without_hashes_or_without_the_vocabulary_nothing_is_refused(folder):
    (folder / "vocab.txt").unlink()
    check_hashes(str(folder))
    remove_hashes(str(folder))
    remove_hashes(str(folder))
    (folder / "options.json").write_text(json.dumps({}))
    check_hashes(str(folder))


@pytest.mark.parametrize(("name", "old", "new"), [("vocab.txt", "cat", "cut"), ("options.json", "0.1", "0.2")])
def test_a_model_whose_file_changed_is_not_loaded(tmp_path, name, old, new):
    trained_folder(tmp_path, best=False)
    write_hashes(str(tmp_path))
    load_bilm(tmp_path)
    path = tmp_path / name
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(InputError, match=f"{name} is not the file that was written with the model"):
        load_bilm(tmp_path)
