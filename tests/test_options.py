"""`options.json`: read, checked, and written with the names of bilm-tf."""

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


def test_options_that_bilm_tf_does_not_know_are_written_where_they_are_not_its_recipe():
    options = Options.from_dict(CHARACTER_MODEL)
    names = {field.name for field in dataclasses.fields(options.training)}
    assert names & set(options.to_dict()) == {
        "batch_size", "unroll_steps", "n_epochs", "dropout", "sample_softmax", "n_negative_samples_batch",
        "all_clip_norm_val", "learning_rate",
    }  # fmt: skip
    other = options.replace(optimizer="adamw", weight_decay=0.1, token_dropout=0.0, locked_dropout=True)
    assert names & (set(other.to_dict()) - set(options.to_dict())) == {
        "optimizer", "weight_decay", "token_dropout", "locked_dropout",
    }  # fmt: skip
    assert Options.from_dict(other.to_dict()) == other


def test_successive_outputs_cannot_be_compared_where_a_step_has_one_token():
    message = "temporal_activation_regularization: expected unroll_steps of at least 2, got 1$"
    with pytest.raises(InputError, match=message):
        Options.from_dict({**CHARACTER_MODEL, "temporal_activation_regularization": 1.0, "unroll_steps": 1})
    Options.from_dict({**CHARACTER_MODEL, "activation_regularization": 2, "unroll_steps": 1})


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
        ("optimizer", "sgd", ["optimizer", '"adagrad" or "adam" or "adamw"', "'sgd'"]),
        ("weight_decay", 0.1, ["weight_decay", "expected optimizer to be adamw, got adagrad"]),
        ("plateau_factor", 2.0, ["plateau_factor", "above 0 and of at most 1, got 2.0"]),
        ("warmup_steps", -1, ["warmup_steps", "at least 0", "-1"]),
        ("weight_dropout", 1.0, ["weight_dropout", "at least 0 and under 1, got 1.0"]),
        ("activation_regularization", -1, ["activation_regularization", "at least 0 and under 1000, got -1"]),
        ("temporal_activation_regularization", "1", ["temporal_activation_regularization", "a number", "got '1'"]),
        ("average_decay", 1.0, ["average_decay", "under 1", "1.0"]),
        ("lstm.cell_clip", float("inf"), ["lstm.cell_clip", "a number above 0 and of at most 3e+38, got inf"]),
        ("lstm.cell_clip", 10**400, ["lstm.cell_clip", "of at most 3e+38, got 1000", "000"]),
        ("learning_rate", 4e38, ["learning_rate", "a number above 0 and of at most 3e+38, got 4e+38"]),
        ("dropout", float("nan"), ["dropout", "at least 0 and under 1, got nan"]),
        ("dropout", 10**400, ["dropout", "at least 0 and under 1, got 1000"]),
        ("lstm.dim", 2**31, ["lstm.dim", "at least 1 and at most 2,147,483,647, got 2147483648"]),
        ("lstm.dim", 1e300, ["lstm.dim", "at most 2,147,483,647, got 1000"]),
        ("lstm.dim", float("inf"), ["lstm.dim", "at most 2,147,483,647, got inf"]),
        ("lstm.dim", float("nan"), ["lstm.dim", "at most 2,147,483,647, got nan"]),
        ("lstm.n_layers", 101, ["lstm.n_layers", "at least 1 and at most 100, got 101"]),
        ("char_cnn.n_highway", 101, ["char_cnn.n_highway", "at least 0 and at most 100, got 101"]),
        ("char_cnn.max_characters_per_token", 10**4 + 1, ["max_characters_per_token", "at most 10,000, got 10001"]),
        ("char_cnn.filters", [[10**4 + 1, 1]], ["char_cnn.filters", "at most 10,000 and 1,000,000, got [10001, 1]"]),
        ("char_cnn.filters", [[1, 10**6 + 1]], ["char_cnn.filters", "at most 10,000 and 1,000,000, got [1, 1000001]"]),
        ("char_cnn.filters", [[float("nan"), 1]], ["char_cnn.filters", "got [nan, 1]"]),
        ("char_cnn.activation", "relu" * 1000, ["char_cnn.activation", "'relurelu", "..."]),
        ("n_tokens_vocab", 2**31, ["n_tokens_vocab", "at most 2,147,483,647"]),
    ],
)
def test_a_mistake_is_one_sentence_that_names_the_option(path, value, words):
    with pytest.raises(InputError) as caught:
        Options.from_dict(changed(path, value), "my.json")
    message = str(caught.value)
    assert message.startswith("my.json: ")
    assert "\n" not in message
    assert len(message) < 300
    for word in words:
        assert word in message


@pytest.mark.parametrize(("path", "pair"), [("lstm.dim", False), ("lstm.cell_clip", False), ("char_cnn.filters", True)])
def test_a_number_that_python_cannot_write_is_a_sentence_too(path, pair):
    huge = 10**5000
    with pytest.raises(InputError, match=f"^my.json: {path}: expected .*, got a number of thousands of digits$"):
        Options.from_dict(changed(path, [[1, huge]] if pair else huge), "my.json")


def test_what_is_large_and_not_too_large_is_taken():
    options = Options.from_dict(changed("n_train_tokens", 5_500_000_000))
    assert options.training.n_train_tokens == 5_500_000_000
    options = Options.from_dict(changed("lstm.cell_clip", 10**30))
    assert isinstance(options.lstm.cell_clip, float)  # TensorFlow makes no tensor of so large a whole number
    assert options.lstm.cell_clip == 1e30
    assert Options.from_dict(changed("lstm.cell_clip", 3)).lstm.cell_clip == 3


@pytest.mark.parametrize("number", ["NaN", "-Infinity", "1e999", "1" * 400])
@pytest.mark.parametrize("key", ["dim", "cell_clip", "n_layers", "use_skip_connections"])
def test_numbers_that_json_or_float32_does_not_know_are_named_with_file_and_option(tmp_path, key, number):
    path = tmp_path / "options.json"
    path.write_text(json.dumps(changed(f"lstm.{key}", "HERE")).replace('"HERE"', number))
    with pytest.raises(InputError, match=rf"^{path}: lstm\.{key}: expected .*, got ") as caught:
        Options.from_file(path)
    assert len(str(caught.value)) < 300


def places(values, path=()):
    """The path of every value in a nest of objects and lists."""
    for key, value in values.items() if isinstance(values, dict) else enumerate(values):
        yield (*path, key)
        if isinstance(value, dict | list):
            yield from places(value, (*path, key))


ODD = [
    *(
        "null",
        "[]",
        "{}",
        '""',
        "-1",
        "0",
        "0.5",
        "2",
        "4.0",
        "1e30",
        "1e400",
        "-1e400",
        "NaN",
        "true",
        "[1]",
        "[[1, 2]]",
    ),
    *('{"a": 1}', '"\\ud800"', '"\\n"', "9" * 30, "9" * 400, "9" * 5000, "[" * 300 + "]" * 300, '"' + "x" * 9999 + '"'),
]


@pytest.mark.parametrize("place", [*places(CHARACTER_MODEL)], ids=lambda place: ".".join(map(str, place)))
def test_any_value_of_an_option_is_accepted_or_refused_in_one_sentence_with_the_file(tmp_path, place):
    path, values = tmp_path / "options.json", copy.deepcopy(CHARACTER_MODEL)
    inner = values
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = "HERE"
    told = []
    for odd in ODD:
        path.write_text(json.dumps(values).replace('"HERE"', odd))
        try:
            Options.from_file(path)
        except InputError as error:
            told.append(str(error))
    assert len(told) > len(ODD) / 2
    for message in told:
        assert message.startswith(str(path))
        assert len(message.splitlines()) == 1
        assert len(message) < len(str(path)) + 300


def test_names_of_other_programs_are_left_alone():
    assert Options.from_dict({**CHARACTER_MODEL, "n_gpus": 3}) == Options.from_dict(CHARACTER_MODEL)


@pytest.mark.parametrize("kind", [str, pathlib.Path])
def test_a_file_that_is_no_json_is_named_with_its_line(tmp_path, kind):
    path = tmp_path / "options.json"
    path.write_text('{\n "lstm": {,}\n}')
    with pytest.raises(InputError, match=r"options.json, line 2: not valid JSON"):
        Options.from_file(kind(path))
