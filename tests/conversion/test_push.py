"""A model that is pushed to the Hub and loaded from there is the same model, and its card says what is known of it."""

import pathlib

import numpy as np
import pytest
from hub_server import HubServer
from model_folders import trained_folder

from elmo_tf.cli.main import main
from elmo_tf.conversion.model_card import model_card
from elmo_tf.models.weight_names import named_variables
from elmo_tf.store.load_model import load_bilm, load_language_model
from elmo_tf.store.open_model import open_model

LOG = """step,epoch,loss,val_perplexity_forward,val_perplexity_backward,val_perplexity
4,1,3.5,900,950,925
8,2,2.5,400.126,500,450.063
12,3,2.4,410,500,455
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with a run, and its weights."""
    folder = tmp_path_factory.mktemp("push")
    weights = trained_folder(folder / "model")
    (folder / "model" / "log.csv").write_text(LOG)
    (folder / "other").mkdir()
    (folder / "other" / "weights.hdf5").write_bytes(b"of somebody")
    return folder, weights["best"]


@pytest.fixture
def server(folder, tmp_path, monkeypatch):
    """A Hub on this machine without models, and an empty cache."""
    constants = pytest.importorskip("huggingface_hub.constants")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.chdir(folder[0])
    with HubServer().running() as server:
        monkeypatch.setenv("HF_ENDPOINT", server.address)
        monkeypatch.setenv("HF_TOKEN", server.token)
        yield server


def test_a_model_goes_to_the_hub_and_comes_back_the_same(server, folder, capsys):
    assert main(["push", "--model_dir=model", "--repo=user/nn-elmo", "--license=cc-by-4.0", "--language=nn,nb"]) == 0
    files = server.repositories["user/nn-elmo"]
    assert sorted(files) == ["README.md", "model.sha256", "options.json", "softmax.hdf5", "vocab.txt", "weights.hdf5"]
    assert capsys.readouterr().out == f"{server.address}/user/nn-elmo/commit/{server.commit('user/nn-elmo')}\n"
    loaded = load_language_model("hf://user/nn-elmo")
    for name, variable in named_variables(loaded.model).items():
        np.testing.assert_array_equal(np.asarray(variable), folder[1][name], err_msg=name)
    assert main(["inspect", "hf://user/nn-elmo"]) == 0
    card = files["README.md"].decode()
    assert card.startswith("---\nlicense: cc-by-4.0\nlanguage:\n- nn\n- nb\nlibrary_name: elmo_tf\n")
    code = card.split("```python\n")[1].split("```")[0]
    assert "hf://user/nn-elmo" in code
    found = {}
    exec(compile(code, "README.md", "exec"), found)
    assert found["vectors"].shape == (3, 4, 8)


def test_the_card_says_what_is_known_of_the_model(folder):
    with open_model(str(folder[0] / "model")) as stored:
        card = model_card(stored, "user/nn-elmo", "apache-2.0")
    for row in (
        "| LSTM layers | 2 |",
        "| directions | forward and backward |",
        "| size of a vector | 8 |",
        "| words of the vocabulary | 11 |",
        "| step | 8 |",
        "| forward | 400.13 |",
        "| backward | 500.00 |",
        "| mean | 450.06 |",
    ):
        assert row in card, row
    assert "language:" not in card
    parameters = sum(array.size for name, array in folder[1].items() if not name.startswith("softmax/"))
    assert f"| parameters of the biLM | {parameters:,} |" in card


def test_a_model_without_a_log_has_a_card_without_perplexities(folder, tmp_path):
    trained_folder(tmp_path / "model", best=False)
    with open_model(str(tmp_path / "model")) as stored:
        card = model_card(stored, "user/m", "other")
    assert "erplexity" not in card
    assert card.startswith("---\nlicense: other\nlibrary_name:")


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ("--repo=user --license=mit", "--repo=user: expected USER/MODEL"),
        ("--repo=user/m --license=MIT!", "--license=MIT!: expected an identifier of the Hub, such as apache-2.0"),
        ("--repo=user/m --license=mit --language=norsk", "--language=norsk: expected a code, such as en or nb"),
        ("--repo=user/m --license=mit --output_dir=other", "--output_dir=other holds a model already"),
    ],
)
def test_a_mistake_is_one_sentence_and_nothing_is_uploaded(server, capsys, flags, message):
    assert main(f"push --model_dir=model {flags}".split()) == 1
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not server.repositories


def test_a_wrong_token_is_one_sentence(server, capsys, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "wrong")
    assert main(["push", "--model_dir=model", "--repo=user/m", "--license=mit"]) == 1
    assert "--repo=user/m: the Hub refuses the access token: log in by `hf auth login`" in capsys.readouterr().err
    assert not server.repositories


def test_the_files_can_be_written_without_an_upload(server, tmp_path):
    folder = tmp_path / "files"
    assert main(f"push --model_dir=model --repo=user/m --license=mit --output_dir={folder}".split()) == 0
    assert not server.requests
    assert (folder / "README.md").read_text().startswith("---\nlicense: mit\n")
    assert load_bilm(str(folder)).vocabulary is not None
    assert pathlib.Path(load_bilm(str(folder)).source).name == "weights.hdf5"
