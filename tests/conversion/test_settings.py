"""The settings of a conversion: file names, and settings and folders that are refused before it begins."""

import pytest
from model_cases import CHARACTERS, WORD_INPUT

from elmo_tf.conversion.settings import ConvertSettings, check_folder, check_output, check_target, weights_name
from elmo_tf.errors import InputError
from elmo_tf.options import Options


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({}, "weights.hdf5"),
        ({"target": "allennlp"}, "weights.hdf5"),
        ({"target": "bilm-tf"}, "weights.hdf5"),
        ({"target": "simple_elmo"}, "model.hdf5"),
        ({"zipped": True}, "model.hdf5"),
        ({"zipped": True, "target": "allennlp"}, "model.hdf5"),
    ],
)
def test_the_weights_have_the_name_that_the_reader_looks_for(settings, name):
    assert weights_name(ConvertSettings(**settings)) == name


@pytest.mark.parametrize(
    ("there", "settings", "message"),
    [
        ("new.zip/", {"zipped": True}, "--output_dir=new: new.zip is a folder; expected a ZIP file"),
        ("new.zip", {"zipped": True}, "--output_dir=new: new.zip is there already: give a new name"),
        ("new", {}, "--output_dir=new is a file; expected a folder"),
        ("", {"zipped": True, "form": "safetensors"}, "--zip: expected --format=hdf5, got --format=safetensors"),
        ("", {"softmax": True, "form": "checkpoint"}, "--softmax: --format=checkpoint always has its softmax"),
    ],
)
def test_an_output_that_cannot_be_written_is_refused(tmp_path, monkeypatch, there, settings, message):
    monkeypatch.chdir(tmp_path)
    check_output("new", ConvertSettings(softmax=True))
    check_output("new", ConvertSettings(zipped=True))
    if there.endswith("/"):
        (tmp_path / there).mkdir()
    elif there:
        (tmp_path / there).write_bytes(b"")
    with pytest.raises(InputError, match=f"^{message}$"):
        check_output("new", ConvertSettings(**settings))


def test_a_target_that_cannot_load_the_form_or_the_model_is_refused():
    check_target(Options.from_dict(WORD_INPUT), ConvertSettings())
    with pytest.raises(InputError, match=r"^--target=allennlp: expected --format=hdf5.*, got --format=tf1$"):
        check_target(Options.from_dict(CHARACTERS), ConvertSettings("tf1", target="allennlp"))
    with pytest.raises(InputError, match=r"^--target=allennlp: AllenNLP.* cannot load this model: .*it reads word ids"):
        check_target(Options.from_dict(WORD_INPUT), ConvertSettings(target="allennlp"))


def test_a_folder_may_hold_other_files_and_the_vocabulary_that_is_given(tmp_path):
    (tmp_path / "notes.txt").write_text("kept")
    check_folder(str(tmp_path), ConvertSettings(), own=False)
    (tmp_path / "vocab.txt").write_text("<S>\n")
    check_folder(str(tmp_path), ConvertSettings(vocab_file=str(tmp_path / "vocab.txt")), own=False)
    check_folder(str(tmp_path), ConvertSettings(), own=True)
    with pytest.raises(InputError, match=r"holds a model already, or part of one, vocab\.txt: give a new folder"):
        check_folder(str(tmp_path), ConvertSettings(), own=False)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"form": "h5"}, "form: expected hdf5, checkpoint, tf1, safetensors, got 'h5'"),
        ({"target": "AllenNLP"}, "target: expected None, allennlp, bilm-tf, simple_elmo, got 'AllenNLP'"),
    ],
)
def test_an_unknown_form_or_target_is_refused_with_the_names_of_the_known_ones(settings, message):
    with pytest.raises(InputError) as caught:
        ConvertSettings(**settings)
    assert str(caught.value) == message
