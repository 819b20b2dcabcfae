"""options.json: read, checked, written by bilm-tf's names."""

import copy
import dataclasses
import json
import pathlib

import pytest

from elmo_tf.errors import InputError
from elmo_tf.options import CharCnnOptions, LstmOptions, Options

CHARACTER_MODEL = {
    "bidirectional": True,
    "char_cnn": {
        "activation": "relu",
        "embedding": {"dim": 4},
        "filters": [[1, 4], [2, 8]],
        "n_highway": 2,
        "n_characters": 262,
        "max_characters_per_token": 50,
    },
    "lstm": {
        "cell_clip": 3,
        "use_skip_connections": True,
        "n_layers": 2,
        "proj_clip": 3,
        "projection_dim": 16,
        "dim": 64,
    },
    "n_tokens_vocab": 100,
    "dropout": 0.1,
}


def changed(path, value):
    values = copy.deepcopy(CHARACTER_MODEL)
    *outer, last = path.split(".")
    inner = values
    for key in outer:
        inner = inner[key]
    if value is ...:
        del inner[last]
    else:
        inner[last] = value
    return values


def test_every_options_file_of_the_parity_data_is_read(shared):
    found = sorted(shared.glob("parity/**/options.json"))
    assert len(found) >= 8
    for path in found:
        raw = json.loads(path.read_text())
        options = Options.from_file(str(path))
        assert options.lstm.dim == raw["lstm"]["dim"]
        assert (options.char_cnn is None) == ("char_cnn" not in raw)
        assert options.bidirectional


@pytest.mark.parametrize("n_characters", [261, 262])
def test_261_and_262_characters_name_the_same_model_and_262_is_written(n_characters):
    options = Options.from_dict(changed("char_cnn.n_characters", n_characters))
    assert options == Options.from_dict(CHARACTER_MODEL)
    assert options.to_dict()["char_cnn"]["n_characters"] == 262


def test_what_is_written_is_read_back_the_same(tmp_path):
    options = Options.from_dict(CHARACTER_MODEL).replace(batch_size=7, n_train_tokens=12345)
    for path in (str(tmp_path / "a.json"), tmp_path / "b.json"):
        options.write(path)
        assert Options.from_file(path) == options


def test_options_are_frozen():
    options = Options(LstmOptions(8, 4))
    with pytest.raises(dataclasses.FrozenInstanceError):
        options.bidirectional = False


def test_filters_sum_to_the_encoder_width():
    assert CharCnnOptions(filters=((1, 4), (3, 9))).n_filters == 13


def test_architecture_leaves_the_training_out():
    options = Options.from_dict(CHARACTER_MODEL)
    assert options.replace(batch_size=1, dropout=0.5).architecture() == options.architecture()
    assert options.replace(n_tokens_vocab=7).architecture() != options.architecture()


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        ("lstm", ..., ["lstm", "missing"]),
        ("lstm", 3, ["lstm", "object", "3"]),
        ("lstm.dim", ..., ["lstm.dim", "missing"]),
        ("lstm.dim", 0, ["lstm.dim", "at least 1", "0"]),
        ("lstm.dim", "64", ["lstm.dim", "whole number", "'64'"]),
        ("lstm.dim", True, ["lstm.dim", "whole number", "True"]),
        ("lstm.projection_dim", 65, ["lstm.projection_dim", "64", "65"]),
        ("lstm.cell_clip", -1, ["lstm.cell_clip", "above 0", "-1"]),
        ("lstm.cell_clip", float("nan"), ["lstm.cell_clip", "number", "nan"]),
        ("lstm.layers", 2, ["lstm.layers", "n_layers"]),
        ("char_cnn.activation", "gelu", ["char_cnn.activation", '"relu" or "tanh"', "gelu"]),
        ("char_cnn.filters", [], ["char_cnn.filters", "pairs", "[]"]),
        ("char_cnn.filters", [[1, 2, 3]], ["char_cnn.filters", "[1, 2, 3]"]),
        ("char_cnn.filters", [[51, 2]], ["char_cnn.filters", "50", "51"]),
        ("char_cnn.n_characters", 260, ["char_cnn.n_characters", "261", "260"]),
        ("char_cnn.embedding", {"dimension": 4}, ["char_cnn.embedding.dim", "missing"]),
        ("char_cnn.max_characters_per_token", 2, ["max_characters_per_token", "3", "2"]),
        ("share_embedding_softmax", True, ["share_embedding_softmax", "false", "char_cnn"]),
        ("bidirectional", "yes", ["bidirectional", "true or false", "yes"]),
        ("n_tokens_vocab", 3, ["n_tokens_vocab", "at least 4", "3"]),
        ("dropout", 1.0, ["dropout", "under 1", "1.0"]),
        ("droput", 0.1, ["droput", "did you mean dropout"]),
        ("all_clip_norm_val", 0, ["all_clip_norm_val", "above 0"]),
    ],
)
def test_a_mistake_is_one_sentence_that_names_the_option(path, value, words):
    with pytest.raises(InputError) as caught:
        Options.from_dict(changed(path, value), "my.json")
    message = str(caught.value)
    assert message.startswith("my.json: ")
    assert "\n" not in message
    for word in words:
        assert word in message


def test_names_of_other_programs_are_left_alone():
    assert Options.from_dict({**CHARACTER_MODEL, "n_gpus": 3}) == Options.from_dict(CHARACTER_MODEL)


@pytest.mark.parametrize("kind", [str, pathlib.Path])
def test_a_file_that_is_no_json_is_named_with_its_line(tmp_path, kind):
    path = tmp_path / "options.json"
    path.write_text('{\n "lstm": {,}\n}')
    with pytest.raises(InputError, match=r"options.json, line 2: not valid JSON"):
        Options.from_file(kind(path))
