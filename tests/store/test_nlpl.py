"""Models of the NLPL repository are fetched by number, once, from the repository, a mirror or a hand-made cache."""

import io
import pathlib
import zipfile

import pytest
from file_server import FileServer
from hdf5_files import write_arrays
from model_cases import CHARACTERS, filled, weights_of

from elmo_tf.conversion.convert import ConvertSettings, convert
from elmo_tf.errors import InputError
from elmo_tf.models.bilm import BiLM
from elmo_tf.options import Options
from elmo_tf.store.load_model import load_bilm
from elmo_tf.store.nlpl import LANGUAGES, fetch_from_nlpl
from elmo_tf.system import resumable_transfer

ROOT = pathlib.Path(__file__).parents[2]


@pytest.fixture
def mirror(tmp_path, monkeypatch):
    """A mirror with three entries, of which the first is a model."""
    folder = tmp_path / "source"
    write_arrays(str(folder / "weights.hdf5"), weights_of(filled(BiLM(CHARACTERS))))
    Options.from_dict(CHARACTERS).write(str(folder / "options.json"))
    (folder / "vocab.txt").write_text("<S>\n</S>\n<UNK>\nthe\n")
    convert(folder, tmp_path / "217.zip", settings=ConvertSettings(zipped=True))
    other = io.BytesIO()
    with zipfile.ZipFile(other, "w") as archive:
        archive.writestr("model.txt", "1 2\n")
    monkeypatch.setattr(resumable_transfer, "PAUSE", 0.0)
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setenv("ELMO_TF_CACHE", str(tmp_path / "cache"))
    files = {"217": (tmp_path / "217.zip").read_bytes(), "3": other.getvalue(), "4": b"<html>"}
    with FileServer({f"/20/{number}.zip": content for number, content in files.items()}).running() as server:
        monkeypatch.setenv("ELMO_TF_MIRROR", f"{server.address}/20")
        yield server


def test_a_model_is_fetched_once_and_loaded(mirror, tmp_path):
    loaded = load_bilm("nlpl:217")
    for name, array in weights_of(loaded.bilm).items():
        assert (array == weights_of(filled(BiLM(CHARACTERS)))[name]).all(), name
    assert fetch_from_nlpl("nlpl:217") == str(tmp_path / "cache" / "nlpl-217" / "217.zip")
    assert len(mirror.requests) == 1


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nlpl:217x", "nlpl:217x: expected nlpl:NUMBER, such as nlpl:217"),
        ("nlpl:5", "nlpl:5 cannot be fetched from http://127.0.0.1"),
        ("nlpl:4", "expected a ZIP file, got something else"),
        ("nlpl:3", "3.zip holds no model"),
    ],
)
def test_an_entry_that_cannot_be_used_is_one_sentence(mirror, name, message):
    with pytest.raises(InputError) as caught:
        load_bilm(name)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_advice_for_a_file_put_there_by_hand_works(mirror, tmp_path, monkeypatch):
    content = mirror.files.pop("/20/217.zip")
    with pytest.raises(InputError) as caught:
        fetch_from_nlpl("nlpl:217")
    path = pathlib.Path(str(caught.value).split("by hand as ")[1])
    path.write_bytes(content)
    monkeypatch.setenv("ELMO_TF_MIRROR", "http://127.0.0.1:9")
    assert load_bilm("nlpl:217").source == str(path)


def test_the_docs_list_the_known_entries():
    page = (ROOT / "docs" / "models_and_formats.md").read_text(encoding="utf-8")
    for number, language in LANGUAGES.items():
        assert f"| `nlpl:{number}` | {language} |" in page
