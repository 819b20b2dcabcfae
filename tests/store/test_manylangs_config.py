"""What a folder of ELMoForManyLangs says about its model is read as its own program reads it."""

import json

import manylangs_models
import pytest
from manylangs_models import CHARACTERS, CONFIGURATION, WORDS, changed
from refusals import refused

from elmo_tf.option_groups import LstmOptions
from elmo_tf.options import Options
from elmo_tf.store.manylangs_config import read_config, read_lexicon


def written(folder, configuration=CONFIGURATION, config_path="configuration.json"):
    """Writes the files that `read_config` reads."""
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps({"config_path": config_path, "seed": 1}))
    (folder / "configuration.json").write_text(json.dumps(configuration))
    manylangs_models.write_lexicons(folder)
    return str(folder)


def test_options_and_the_arguments_of_the_encoder_follow_from_the_configuration(tmp_path):
    came = read_config(written(tmp_path))
    lstm = LstmOptions(dim=10, projection_dim=6, n_layers=2, cell_clip=3, proj_clip=3, use_skip_connections=True)
    assert came.options == Options(lstm)
    assert came.lexicon_encoder == {
        "projection_dim": 6,
        "words": list(WORDS),
        "word_dim": 5,
        "characters": list(CHARACTERS),
        "char_dim": 4,
        "filters": ((1, 3), (2, 4), (4, 5)),
        "activation": "relu",
        "n_highway": 2,
        "max_characters": 9,
    }
    assert came.path == f"{tmp_path}/configuration.json"


def test_a_lexicon_that_is_not_used_need_not_be_there(tmp_path):
    folder = written(tmp_path, changed(token_embedder={"word_dim": 0}))
    (tmp_path / "word.dic").unlink()
    assert read_config(folder).lexicon_encoder["words"] is None
    folder = written(tmp_path, changed(token_embedder={"name": "lstm", "char_dim": 0}))
    (tmp_path / "char.dic").unlink()
    came = read_config(folder).lexicon_encoder
    assert came == {"projection_dim": 6, "words": list(WORDS), "word_dim": 5, "characters": None, "char_dim": 0}


@pytest.mark.parametrize("bound", [0, 0.0, None])
def test_a_clip_of_zero_clips_nothing(tmp_path, bound):
    lstm = read_config(written(tmp_path, changed(encoder={"cell_clip": bound, "proj_clip": bound}))).options.lstm
    assert (lstm.cell_clip, lstm.proj_clip) == (None, None)


@pytest.mark.parametrize(
    "config_path", ["../configs/cnn_50_100_512_4096_sample.json", "/users/x/cnn_0_100_512_4096_sample.json"]
)
def test_the_configurations_that_came_with_the_program_are_known(tmp_path, config_path):
    """Most published models name such a file and do not hold it; one beside `config.json` comes first."""
    folder = written(tmp_path, config_path=config_path)
    came = read_config(folder)
    name = config_path.rsplit("/", 1)[1]
    assert (came.path, came.options.lstm.dim, came.lexicon_encoder["char_dim"]) == (name, 4096, 50)
    assert sum(number for _, number in came.lexicon_encoder["filters"]) == 2048
    (tmp_path / name).write_text(json.dumps(CONFIGURATION))
    came = read_config(folder)
    assert (came.path, came.options.lstm.dim) == (f"{tmp_path}/{name}", 10)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"encoder": {"name": "lstm"}}, 'encoder.name: expected "elmo", for plain LSTM layers are not read, got'),
        ({"encoder": {"dim": 6}}, "encoder.projection_dim: expected less than dim, 6, got 6"),
        ({"encoder": {"cell_clip": -1}}, "encoder.cell_clip: expected a number of at least 0, got -1"),
        ({"encoder": {"n_layers": 0}}, "encoder.n_layers: expected a whole number of at least 1"),
        ({"token_embedder": {"name": "lstm"}}, 'token_embedder.name: expected "cnn", for ELMoForManyLangs itself'),
        ({"token_embedder": {"name": "gru"}}, "token_embedder.name: expected"),
        ({"token_embedder": {"word_dim": 0, "char_dim": 0}}, "token_embedder.word_dim: expected a size above 0"),
        ({"token_embedder": {"filters": [[10, 2]]}}, "filters: expected widths of at most max_characters_per_token, 9"),
        ({"token_embedder": {"activation": "gelu"}}, 'token_embedder.activation: expected "relu" or "tanh"'),
        ({"token_embedder": {"max_characters_per_token": None}}, "max_characters_per_token is missing"),
    ],
)
def test_a_model_that_cannot_be_read_is_refused_in_one_sentence(tmp_path, changes, message):
    said = refused(read_config, written(tmp_path, changed(**changes)))
    assert said.startswith(f"{tmp_path}/configuration.json: ")
    assert message in said


@pytest.mark.parametrize("content", ["{}", "[]", '{"config_path": 1}', '{"config_path": ""}'])
def test_a_config_that_names_no_configuration_is_refused(tmp_path, content):
    folder = written(tmp_path)
    (tmp_path / "config.json").write_text(content)
    assert refused(read_config, folder).startswith(
        f"{tmp_path}/config.json: config_path: expected the path of a config"
    )


def test_a_configuration_that_is_nowhere_is_named(tmp_path):
    said = refused(read_config, written(tmp_path, config_path="../other.json"))
    assert said.startswith(f"{tmp_path}/config.json: config_path: '../other.json' is no file beside it, and none of")


def test_rows_are_in_any_order_and_white_space_is_the_ideographic_space(tmp_path):
    path = tmp_path / "char.dic"
    path.write_text("b\t2\na\t0\n\u3000\t3\n<oov>\t1\n", encoding="utf-8")
    assert read_lexicon(str(path), ["<oov>"]) == ["a", "<oov>", "b", "\u3000"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"<oov>\t0\na\tx\n", r", line 2: expected an entry, a tab and its row below 2, got 'a\tx'"),
        (b"<oov>\t0\na\t2\n", ", line 2: expected an entry, a tab and its row below 2, got"),
        (b"<oov>\t0\na\t-1\n", ", line 2: expected an entry"),
        (b"<oov>\t0\na\tb\t1\n", ", line 2: expected an entry"),
        (b"<oov>\t0\n\n", ", line 2: expected an entry"),
        (b"<oov>\t0\na\t" + b"1" * 5000, ", line 2: expected an entry"),
        (b"<oov>\t0\na\t1\na\t2\n", ", line 3: the entry 'a' is there twice"),
        (b"<oov>\t0\na\t1\nb\t1\n", ": expected every row from 0 to 2 once, got one twice"),
        (b"a\t0\n", ": the entry <oov> is missing; expected <oov>"),
        (b"", ": the entry <oov> is missing"),
        (b"\xff\t0\n", " is not UTF-8 text: invalid start byte at byte 0"),
    ],
)
def test_a_damaged_lexicon_is_one_sentence_on_the_line(tmp_path, content, message):
    path = tmp_path / "char.dic"
    path.write_bytes(content)
    said = refused(read_lexicon, str(path), ["<oov>"])
    assert said.startswith(f"{path}{message}")
    assert refused(read_lexicon, f"{path}x", []) == f"{path}x cannot be read: No such file or directory"
