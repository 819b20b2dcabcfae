"""Models of the Hugging Face Hub are downloaded once, and an error says in one sentence what to do."""

import pathlib
import sys

import pytest
from hub_server import HubServer

from elmo_tf.errors import InputError
from elmo_tf.store.hub import fetch_from_hub, split_hub_name

FILES = {"options.json": b"{}", "weights.hdf5": b"1234", "pytorch_model.bin": b"not for us", "README.md": b"# A"}


@pytest.fixture
def server(tmp_path, monkeypatch):
    """A Hub on this machine, with one model, and an empty cache."""
    constants = pytest.importorskip("huggingface_hub.constants")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.delenv("HF_TOKEN", raising=False)
    with HubServer({"user/model": FILES}).running() as server:
        monkeypatch.setenv("HF_ENDPOINT", server.address)
        yield server


def downloads(server):
    return [request for request in server.requests if request.startswith("GET") and "/resolve/" in request]


def test_the_files_of_a_model_are_downloaded_once_and_no_others(server):
    folder = pathlib.Path(fetch_from_hub("hf://user/model"))
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {
        name: FILES[name] for name in ("options.json", "weights.hdf5")
    }
    assert len(downloads(server)) == 2
    assert fetch_from_hub("hf://user/model@main") == str(folder)
    assert fetch_from_hub(f"hf://user/model@{server.commit('user/model')}") == str(folder)
    assert len(downloads(server)) == 2


def test_a_new_version_is_downloaded_and_the_old_one_stays_under_its_commit(server):
    first = server.commit("user/model")
    fetch_from_hub("hf://user/model")
    server.repositories["user/model"]["options.json"] = b"[]"
    folder = pathlib.Path(fetch_from_hub("hf://user/model"))
    assert (folder / "options.json").read_bytes() == b"[]"
    assert pathlib.Path(fetch_from_hub(f"hf://user/model@{first}"), "options.json").read_bytes() == b"{}"


def test_without_a_network_the_model_comes_from_the_cache(server, monkeypatch):
    folder = fetch_from_hub("hf://user/model")
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    assert fetch_from_hub("hf://user/model") == folder
    with pytest.raises(InputError, match="hf://user/other: the Hub cannot be reached, and the model is not in its"):
        fetch_from_hub("hf://user/other")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("hf://user/none", "there is no such model on the Hub, or it is private: log in by `hf auth login`"),
        ("hf://user/model@v2", "the model has no revision v2"),
        ("hf://user/gated", "its owner has to grant you access: ask on its page"),
        ("hf://user", "expected hf://USER/MODEL or hf://USER/MODEL@REVISION"),
        ("hf://user/model@", "expected hf://USER/MODEL or hf://USER/MODEL@REVISION"),
        ("hf://user/model/more", "expected hf://USER/MODEL or hf://USER/MODEL@REVISION"),
    ],
)
def test_a_model_that_cannot_be_had_is_one_sentence_that_names_it(server, name, message):
    server.repositories["user/gated"] = FILES
    server.gated.add("user/gated")
    with pytest.raises(InputError) as caught:
        fetch_from_hub(name)
    assert str(caught.value).startswith(f"{name}: {message}")
    assert caught.value.path == name
    assert not downloads(server)


def test_without_the_library_the_error_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(InputError, match=r"pip install 'elmo_tf\[hub\]'"):
        fetch_from_hub("hf://user/model")


def test_a_revision_may_be_a_branch_with_a_slash():
    assert split_hub_name("hf://user/model@refs/pr/1") == ("user/model", "refs/pr/1")
