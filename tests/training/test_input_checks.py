"""A mistake in a run's input is reported in one sentence before anything is written."""

import dataclasses
import json

import pytest
from refusals import refused

from elmo_tf.errors import InputError
from elmo_tf.options import Options
from elmo_tf.training.input_checks import (
    check_model_folder,
    check_run_input,
    check_validation_settings,
    write_model_folder,
)
from elmo_tf.training.settings import TrainSettings

OPTIONS = {
    "lstm": {"dim": 8, "projection_dim": 4},
    "char_cnn": {"activation": "relu", "embedding": {"dim": 4}, "filters": [[1, 2], [2, 2]]},
    "batch_size": 2,
    "unroll_steps": 3,
    "n_negative_samples_batch": 4,
}
VOCABULARY = "<S>\n</S>\n<UNK>\nthe\ncat\nsat\n"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder to stand in: train.txt of 10 words and 3 sentences, valid.txt, vocab.txt of 6 words."""
    monkeypatch.chdir(tmp_path)
    files = {
        "train.txt": "the cat sat on the mat\n\nthe cat sat\nthe\n",
        "valid.txt": "the dog\n",
        "vocab.txt": VOCABULARY,
        "empty.txt": "",
        "blank.txt": "\n \r\n\t\n",
        "other.txt": "кот сидел на ковре\n" * 3,
        "latin.txt": "good\nbl\udce5b\n",
    }
    for name, content in files.items():
        (tmp_path / name).write_text(content, errors="surrogateescape")
    (tmp_path / "folder").mkdir()
    return tmp_path


def prepared(train="train.txt", valid="", vocab="vocab.txt", parts=1, **options):
    """`check_run_input` with file names in a row."""
    return check_run_input(Options.from_dict({**OPTIONS, **options}), train.split(), valid.split(), vocab, parts)


def test_the_options_learn_the_sizes_of_vocabulary_and_text(folder):
    came = prepared(valid="valid.txt")
    assert came.options == Options.from_dict({**OPTIONS, "n_tokens_vocab": 6, "n_train_tokens": 10})
    assert came.vocabulary.words == tuple(VOCABULARY.split())
    assert (came.corpus.sentences, came.corpus.words, came.validation.words) == (3, 10, 2)
    assert prepared().validation is None
    assert prepared(train="train.txt vali*.txt", n_tokens_vocab=6).corpus.words == 12


MISTAKES = {
    "no file": ({"train": "none*.txt"}, "--train_files=none*.txt: no such file"),
    "no held-out file": ({"valid": "none.txt"}, "--valid_files=none.txt: no such file"),
    "only a folder": ({"train": "fol*"}, "--train_files=fol*: only folders match"),
    "empty": ({"train": "empty.txt"}, "empty.txt: no text in it"),
    "blank": ({"train": "blank.txt"}, "blank.txt: no text in it"),
    "empty and blank": ({"train": "empty.txt blank.txt"}, "blank.txt and 1 more files: no text in it"),
    "held-out text blank": ({"valid": "blank.txt"}, "blank.txt: no text in it"),
    "not UTF-8": ({"train": "train.txt latin.txt"}, "latin.txt, line 2: not UTF-8 text"),
    "no vocabulary": ({"vocab": "none.txt"}, "none.txt cannot be read: No such file"),
    "a folder for a vocabulary": ({"vocab": "folder"}, "folder cannot be read: Is a directory"),
    "vocabulary empty": ({"vocab": "empty.txt"}, "empty.txt is empty; expected a vocabulary"),
    "text for a vocabulary": ({"vocab": "train.txt"}, "train.txt, line 1: 'the cat sat on the mat' has white space"),
    "vocabulary of other words": (
        {"train": "other.txt"},
        "vocab.txt covers none of 12 words of the training text, such as 'кот': make it with elmo-tf vocab",
    ),
    "too short": (
        {"batch_size": 7, "unroll_steps": 2},
        "the training text has 13 tokens, sentence ends counted; one batch takes 14: 1 times (by replicas and "
        "accumulation steps) --batch_size=7 rows of --unroll_steps=2",
    ),
    "too short for the replicas": (
        {"parts": 3},
        "the training text has 13 tokens, sentence ends counted; one batch takes 18: 3 times (by replicas and "
        "accumulation steps) --batch_size=2 rows of --unroll_steps=3",
    ),
    "other size of vocabulary": (
        {"n_tokens_vocab": 7},
        "vocab.txt: expected 7 words by n_tokens_vocab of the options, got 6",
    ),
}


def is_one_sentence(message, part):
    assert part in message
    assert "\n" not in message
    assert len(message) < 400


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_one_sentence_that_names_the_file_or_flag(folder, name):
    arguments, part = MISTAKES[name]
    before = sorted(folder.rglob("*"))
    with pytest.raises(InputError) as caught:
        prepared(**arguments)
    is_one_sentence(str(caught.value), part)
    assert sorted(folder.rglob("*")) == before


@pytest.mark.parametrize("missing", ["<S>", "</S>", "<UNK>"])
def test_a_vocabulary_without_a_special_is_refused(folder, missing):
    (folder / "vocab.txt").write_text(VOCABULARY.replace(missing + "\n", ""))
    with pytest.raises(InputError) as caught:
        prepared()
    is_one_sentence(str(caught.value), f"vocab.txt lacks {missing};")


def test_a_vocabulary_that_covers_specials_of_the_text_alone_is_refused(folder):
    (folder / "other.txt").write_text("<UNK> <S> кот\n" * 5)
    with pytest.raises(InputError, match=r"vocab\.txt covers none of 15 words"):
        prepared(train="other.txt")


@pytest.mark.parametrize(
    "enough",
    [
        {"batch_size": 13, "unroll_steps": 1},
        {"replicas": 2},
        {"n_negative_samples_batch": 5},
        {"n_negative_samples_batch": 6},
        {"n_negative_samples_batch": 6, "sample_softmax": False},
        {"n_tokens_vocab": 6},
    ],
)
def test_what_is_just_enough_passes(folder, enough):
    assert prepared(**enough).corpus.predictions == 13


def test_the_full_softmax_is_taken_where_the_vocabulary_is_too_small_to_sample_from_or_as_small_as_asked_for(folder):
    sampled = {
        (5, 0): True,
        (6, 0): False,
        (5, 5): True,
        (5, 6): False,
    }
    for (negatives, words), expected in sampled.items():
        came = prepared(n_negative_samples_batch=negatives, full_softmax_words=words)
        assert came.options.training.sample_softmax == expected
        assert len(came.notes) == (negatives == 6)


def make_model_folder(model_dir, ready):
    """Checks and then writes the model's folder, as a run does."""
    check_model_folder(model_dir, ready)
    write_model_folder(model_dir, ready)


@pytest.mark.parametrize("sample_softmax", [True, False])
def test_a_vocabulary_that_is_not_sorted_by_frequency_is_refused_for_the_sampled_softmax(folder, sample_softmax):
    words = [f"w{rank:04d}" for rank in range(1200) for _ in range(1 + 3000 // (rank + 1))]
    (folder / "train.txt").write_text("\n".join(" ".join(words[n : n + 20]) for n in range(0, len(words), 20)))
    specials = ["<S>", "</S>", "<UNK>"]
    by_frequency = sorted(set(words))
    changes = {"sample_softmax": sample_softmax, "n_tokens_vocab": 1203}
    (folder / "vocab.txt").write_text("\n".join([*specials, *by_frequency]))
    assert prepared(**changes).coverage == 1.0
    (folder / "vocab.txt").write_text("\n".join([*specials, *by_frequency[::-1]]))
    if not sample_softmax:
        assert prepared(**changes).coverage == 1.0
        return
    with pytest.raises(InputError, match=r"vocab\.txt is not sorted by frequency.*--nosample_softmax"):
        prepared(**changes)


def test_a_new_folder_gets_options_and_vocabulary(folder):
    make_model_folder("new/model", prepared())
    assert sorted(path.name for path in (folder / "new" / "model").iterdir()) == [
        "model.sha256",
        "options.json",
        "vocab.txt",
    ]
    assert (folder / "new" / "model" / "vocab.txt").read_text() == VOCABULARY
    assert Options.from_file("new/model/options.json") == prepared().options


def test_the_same_folder_again_takes_other_training_options(folder):
    make_model_folder("model", prepared())
    make_model_folder("model", prepared(learning_rate=0.1, batch_size=1))
    assert Options.from_file("model/options.json").training.learning_rate == 0.1


def test_a_folder_that_holds_options_without_a_vocabulary_size_can_be_trained_in(folder):
    (folder / "model").mkdir()
    (folder / "model" / "options.json").write_text(json.dumps(OPTIONS))
    make_model_folder("model", prepared())
    assert Options.from_file("model/options.json").n_tokens_vocab == 6


WORD_INPUT = {key: value for key, value in OPTIONS.items() if key != "char_cnn"}


@pytest.mark.parametrize(
    ("there", "wanted", "name"),
    [
        ({}, {"lstm": {"dim": 9, "projection_dim": 4}}, "lstm"),
        ({}, {"lstm": {"dim": 8, "projection_dim": 4, "use_skip_connections": True}}, "lstm"),
        ({}, {"char_cnn": {**OPTIONS["char_cnn"], "activation": "tanh"}}, "char_cnn"),
        ({}, {"char_cnn": None}, "char_cnn"),
        ({"char_cnn": None}, {}, "char_cnn"),
        ({}, {"bidirectional": False}, "bidirectional"),
        ({"char_cnn": None, "share_embedding_softmax": True}, {"char_cnn": None}, "share_embedding_softmax"),
        ({"char_cnn": None}, {"char_cnn": None, "share_embedding_softmax": True}, "share_embedding_softmax"),
    ],
)
def test_a_folder_with_another_architecture_is_refused_and_left_alone(folder, there, wanted, name):
    make_model_folder("model", prepared(**there))
    before = {path.name: path.read_bytes() for path in (folder / "model").iterdir()}
    with pytest.raises(InputError) as caught:
        make_model_folder("model", prepared(**wanted))
    is_one_sentence(str(caught.value), f"model/options.json: {name} is ")
    assert {path.name: path.read_bytes() for path in (folder / "model").iterdir()} == before


@pytest.mark.parametrize("vocabulary", [VOCABULARY + "mat\n", VOCABULARY.replace("the\ncat", "cat\nthe")])
def test_a_folder_with_another_vocabulary_is_refused_and_left_alone(folder, vocabulary):
    make_model_folder("model", prepared())
    before = {path.name: path.read_bytes() for path in (folder / "model").iterdir()}
    (folder / "vocab.txt").write_text(vocabulary)
    with pytest.raises(InputError, match=r"model/(vocab\.txt differs from --vocab_file|options\.json: n_tokens_vocab)"):
        make_model_folder("model", prepared())
    assert {path.name: path.read_bytes() for path in (folder / "model").iterdir()} == before


def test_a_damaged_options_file_in_the_folder_is_refused_and_left_alone(folder):
    (folder / "model").mkdir()
    (folder / "model" / "options.json").write_text("{")
    with pytest.raises(InputError, match=r"model/options\.json, line 1: not valid JSON"):
        make_model_folder("model", prepared())
    assert [path.name for path in (folder / "model").iterdir()] == ["options.json"]
    assert (folder / "model" / "options.json").read_text() == "{"


def test_a_file_where_the_folder_should_be_is_refused(folder):
    with pytest.raises(InputError, match=r"the folder train\.txt cannot be made"):
        make_model_folder("train.txt", prepared())


@pytest.mark.parametrize(
    ("values", "flag"),
    [
        ({"patience": 3}, "--patience=3"),
        ({"validation_steps": 10}, "--validation_steps=10"),
        ({"validate_first": True}, "--validate_first"),
    ],
)
def test_settings_of_validations_without_a_text_to_validate_with_are_refused(values, flag):
    options = Options.from_dict(OPTIONS)
    settings = TrainSettings(options, train_files=("a",), vocab_file="v", model_dir="m", **values)
    message = refused(check_validation_settings, settings)
    assert message == f"{flag}: expected --valid_files too, the text to validate with"
    check_validation_settings(dataclasses.replace(settings, valid_files=("b",)))


@pytest.mark.parametrize(("name", "old", "new"), [("vocab.txt", "cat", "cut"), ("options.json", "0.1", "0.2")])
def test_a_run_does_not_go_on_in_a_folder_whose_files_changed(folder, name, old, new):
    make_model_folder("model", prepared())
    make_model_folder("model", prepared(batch_size=3))  # options of the training may change from run to run
    path = folder / "model" / name
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    message = refused(
        make_model_folder, "model", prepared(vocab="model/vocab.txt" if name == "vocab.txt" else "vocab.txt")
    )
    assert message.startswith(f"model/{name} is not the file that was written with the model")


def test_a_kill_while_a_folder_is_written_leaves_no_hash_that_is_wrong(folder, monkeypatch):
    make_model_folder("model", prepared())
    monkeypatch.setattr("elmo_tf.training.input_checks.write_hashes", lambda folder: None)
    make_model_folder("model", prepared(batch_size=3))
    monkeypatch.undo()
    monkeypatch.chdir(folder)
    make_model_folder("model", prepared())
