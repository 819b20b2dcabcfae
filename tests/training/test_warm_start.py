"""Fine-tuning: a new run starts from a trained model's weights, of any form, for the same words or others."""

import csv
import dataclasses
import shutil

import numpy as np
import pytest
import tiny

from elmo_tf.conversion.convert import ConvertSettings, convert
from elmo_tf.data.corpus import Corpus
from elmo_tf.data.vocabulary import Vocabulary
from elmo_tf.errors import InputError
from elmo_tf.inference.evaluator import Evaluator
from elmo_tf.store.load_model import load_language_model
from elmo_tf.store.open_model import open_model
from elmo_tf.training.loop import TrainingLoop
from elmo_tf.training.run import train

pytestmark = pytest.mark.usefixtures("kept_trainers")


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A model that was trained for a while, in several forms, and the settings of its run."""
    folder = tmp_path_factory.mktemp("trained")
    learning = {"learning_rate": 1.0, "sample_softmax": False, "dropout": 0.0, "batch_size": 16}
    settings = tiny.settings(folder, count=300, max_steps=300, n_epochs=400, **learning)
    train(settings, lambda line: None)
    for form in ("hdf5", "tf1", "checkpoint"):
        convert(settings.model_dir, str(folder / form), "latest", ConvertSettings(form))
    (folder / "tf1" / "vocab.txt").unlink()
    return folder, settings


def started(settings, path, model_dir, **changes):
    """Trains a new run from `path`; its lines and the perplexities of its validations."""
    lines = []
    values = {**settings.__dict__, "model_dir": str(model_dir), "initialize_from": str(path), **changes}
    train(type(settings)(**values), lines.append)
    with open(model_dir / "log.csv") as file:
        rows = [row for row in csv.DictReader(file) if row["val_perplexity"]]
    return lines, [float(row["val_perplexity"]) for row in rows]


def perplexity(settings, folder, vocab_file=None, rows=32):
    loaded = load_language_model(folder, "latest" if "model" in str(folder) else None, vocab_file)
    return Evaluator(loaded.model, Corpus.scan(list(settings.valid_files)), loaded.vocabulary, rows)().mean


def test_the_same_words_start_from_the_perplexity_that_the_model_has(trained, tmp_path):
    folder, settings = trained
    before = perplexity(settings, settings.model_dir)
    for form in ("model", "tf1", "checkpoint"):
        lines, found = started(settings, folder / form, tmp_path / form, validate_first=True, max_steps=1)
        words = len(Vocabulary.from_file(settings.vocab_file))
        assert lines[0].startswith("initialized from ")
        assert lines[0].endswith(f", with rows of {words} of {words} words")
        supposed = [line for line in lines if line.startswith("note: --vocab_file was taken for the model's own")]
        assert len(supposed) == (form == "tf1")
        assert all("--initialize_vocab_file" in line for line in supposed)
        if form != "model":  # of which the best counts, not the latest
            assert found[0] == pytest.approx(before, rel=1e-4)


def test_a_run_that_only_gets_worse_keeps_its_start_as_the_best(trained, tmp_path):
    folder, settings = trained
    _, found = started(
        settings, folder / "checkpoint", tmp_path / "new", validate_first=True, max_steps=4, options=fast(settings)
    )
    assert found[-1] > found[0]
    with open_model(str(tmp_path / "new"), "best") as best, open_model(str(folder / "checkpoint")) as start:
        assert best.step == 0
        for name, array in start.weights.items():
            np.testing.assert_array_equal(best.weights[name], array)


def fast(settings):
    """Options with which a trained model forgets what it knew."""
    training = dataclasses.replace(settings.options.training, learning_rate=8.0)
    return dataclasses.replace(settings.options, training=training)


def test_a_model_without_a_softmax_keeps_all_else_and_learns_faster_than_from_nothing(trained, tmp_path):
    folder, settings = trained
    lines, found = started(settings, folder / "hdf5", tmp_path / "new", validate_first=True, max_steps=60)
    assert lines[0].endswith(", with a new softmax")
    _, scratch = started(settings, folder / "hdf5", tmp_path / "scratch", initialize_from=None, max_steps=60)
    assert found[-1] < 0.8 * found[0]
    assert found[-1] < 0.8 * scratch[-1]


def test_new_text_with_other_words_is_learned_from_the_rows_of_those_that_stay(trained, tmp_path):
    folder, settings = trained
    own = Vocabulary.from_file(settings.vocab_file)
    new = Vocabulary((*own.words[:20], "never", "seen"))
    new.save(str(tmp_path / "new.txt"))
    lines, found = started(
        settings,
        folder / "checkpoint",
        tmp_path / "tuned",
        vocab_file=str(tmp_path / "new.txt"),
        validate_first=True,
        max_steps=60,
    )
    assert lines[0].endswith("with rows of 20 of 22 words")
    assert found[-1] < 0.9 * found[0]
    with open_model(str(tmp_path / "tuned"), "latest") as stored:
        assert stored.weights.shapes["softmax/W"][0] == 22


@pytest.fixture
def begun(trained, tmp_path, monkeypatch):
    """Starts a run from a form of the trained model, and takes no step: what it starts with, and its lines."""
    folder, settings = trained
    seen = {}

    def run(loop, stream):
        trainer, seen["step"] = loop._trainer, loop._state.step
        seen["weights"] = {name: variable.numpy() for name, variable in trainer.variables.items()}
        seen["slots"] = {name: variable.numpy() for name, variable in trainer.optimizer.accumulators.items()}

    def begin(form="tf1", **changes):
        values = {"model_dir": str(tmp_path / "run"), "initialize_from": str(folder / form), **changes}
        seen["lines"] = []
        train(dataclasses.replace(settings, **values), seen["lines"].append)
        return seen

    monkeypatch.setattr(TrainingLoop, "run", run)
    return begin


def other_words(own, tmp_path, kind):
    """A vocabulary of the same words in another order, or of some of them and others, and its file."""
    words = list(own.words)
    np.random.default_rng(0).shuffle(words)
    if kind == "partial":
        words = [word for word in words if word in own.words[:20]] + ["never", "seen"]
    new = Vocabulary(tuple(words))
    new.save(str(tmp_path / "new.txt"))
    return new, str(tmp_path / "new.txt")


@pytest.mark.parametrize("kind", ["shuffled", "partial"])
def test_each_word_keeps_its_row_where_the_models_vocabulary_is_named(trained, tmp_path, begun, kind):
    folder, settings = trained
    own = Vocabulary.from_file(settings.vocab_file)
    new, path = other_words(own, tmp_path, kind)
    seen = begun(vocab_file=path, initialize_vocab_file=settings.vocab_file)
    shared = [word for word in new.words if word in own.ids]
    assert len(shared) == (len(own) if kind == "shuffled" else 20)
    assert seen["lines"][0].endswith(f", with rows of {len(shared)} of {len(new)} words")
    assert not any(line.startswith("note:") for line in seen["lines"])
    with open_model(str(folder / "tf1")) as stored:
        for name in ("softmax/W", "softmax/b"):
            there, here = stored.weights[name], seen["weights"][name]
            for word in shared:
                np.testing.assert_array_equal(here[new.ids[word]], there[own.ids[word]], err_msg=word)
    assert all(seen["weights"]["softmax/b"][new.ids[word]] == 0 for word in new.words if word not in own.ids)
    assert all((slot == 1).all() for slot in seen["slots"].values())


def test_where_the_models_vocabulary_is_not_known_the_lines_say_so_and_name_the_flag(trained, tmp_path, begun):
    _, settings = trained
    own = Vocabulary.from_file(settings.vocab_file)
    _, path = other_words(own, tmp_path, "shuffled")
    assert begun(vocab_file=path)["lines"][1] == (
        "note: --vocab_file was taken for the model's own vocabulary, for none lies beside it and the count of words, "
        f"{len(own)}, is the same; if its own is another, give it as --initialize_vocab_file"
    )
    _, path = other_words(own, tmp_path, "partial")
    assert begun(vocab_file=path, model_dir=str(tmp_path / "partial"))["lines"][0].endswith(
        "with rows of 0 of 22 words: no vocabulary lies beside the model; give it as --initialize_vocab_file to keep "
        "those of its words"
    )


def test_a_model_without_a_softmax_needs_no_vocabulary_and_one_that_does_not_fit_it_does_no_harm(
    trained, tmp_path, begun
):
    folder, settings = trained
    lines = begun("hdf5", initialize_vocab_file=settings.vocab_file)["lines"]
    assert "note: the model has no softmax, and so --initialize_vocab_file was not needed" in lines
    shutil.copytree(folder / "hdf5", tmp_path / "hdf5")
    (tmp_path / "hdf5" / "vocab.txt").write_text("nonsense\n")
    (tmp_path / "hdf5" / "model.sha256").unlink()
    lines = begun(model_dir=str(tmp_path / "again"), initialize_from=str(tmp_path / "hdf5"))["lines"]
    assert lines[0].endswith("with a new softmax")


def test_a_vocabulary_that_is_not_the_models_is_refused_by_its_count(trained, tmp_path, begun):
    _, settings = trained
    own = Vocabulary.from_file(settings.vocab_file)
    _, path = other_words(own, tmp_path, "partial")
    with pytest.raises(InputError, match=rf"^--initialize_vocab_file={path}: expected {len(own)} words, .*, got 22$"):
        begun(initialize_vocab_file=path)
    with pytest.raises(InputError, match=r"none\.txt cannot be read"):
        begun("hdf5", initialize_vocab_file=str(tmp_path / "none.txt"))
    assert not (tmp_path / "run" / "latest").exists()


def test_a_vocabulary_of_no_model_is_refused(trained, tmp_path):
    _, settings = trained
    values = {"model_dir": str(tmp_path / "run"), "initialize_vocab_file": settings.vocab_file}
    with pytest.raises(InputError, match=r"--initialize_vocab_file=.*: expected --initialize_from too"):
        train(dataclasses.replace(settings, **values), lambda line: None)


def test_the_words_of_word_ids_must_be_known(tmp_path):
    first = tiny.settings(tmp_path, model="first", max_steps=1, char_cnn=None)
    train(first, lambda line: None)
    (tmp_path / "first" / "vocab.txt").unlink()
    own = Vocabulary.from_file(first.vocab_file)
    _, path = other_words(own, tmp_path, "partial")
    values = {"model_dir": str(tmp_path / "second"), "initialize_from": first.model_dir, "vocab_file": path}
    second = dataclasses.replace(first, **values)
    with pytest.raises(InputError, match=r"reads word ids, and no vocabulary .*: give --initialize_vocab_file$"):
        train(second, lambda line: None)
    lines = []
    train(dataclasses.replace(second, initialize_vocab_file=first.vocab_file), lines.append)
    assert lines[0].endswith("with rows of 20 of 22 words")


def test_the_run_starts_with_the_models_arrays_a_fresh_adagrad_and_step_0(trained, begun):
    folder, _ = trained
    seen = begun()
    with open_model(str(folder / "tf1")) as stored:
        for name, array in stored.weights.items():
            np.testing.assert_array_equal(seen["weights"][name], array)
    assert seen["step"] == 0
    assert all((slot == 1).all() for slot in seen["slots"].values())


def test_a_run_that_goes_on_is_not_initialized_again(trained, tmp_path):
    folder, settings = trained
    started(settings, folder / "tf1", tmp_path / "run", max_steps=2)
    lines, _ = started(settings, folder / "none", tmp_path / "run", max_steps=3)
    assert lines[0] == f"resumed from step 2 of {tmp_path}/run"
    assert lines[1] == "note: --initialize_from says where a run begins; this one goes on"


@pytest.mark.parametrize(
    ("changes", "part"),
    [
        ({"initialize_from": "none"}, "none: there is no such file or folder"),
        (
            {"lstm": {"dim": 16}},
            "tf1: lstm.dim is 12 in the model and 16 in --options_file: --options_file must contain "
            '"lstm": {"dim": 12}',
        ),
        (
            {"bidirectional": False},
            "tf1: bidirectional is true in the model and false in --options_file: --options_file must contain "
            '"bidirectional": true',
        ),
        (
            {"char_cnn": None, "lstm": {"cell_clip": None, "dim": 16}, "share_embedding_softmax": True},
            '"share_embedding_softmax": false, "lstm": {"dim": 12, "cell_clip": 3}',
        ),
    ],
)
def test_another_architecture_is_refused_and_nothing_is_written(trained, tmp_path, changes, part):
    folder, settings = trained
    values = {"model_dir": str(tmp_path / "run"), "initialize_from": str(folder / "tf1")}
    if "initialize_from" in changes:
        values.update(changes)
    else:
        lstm = dataclasses.replace(settings.options.lstm, **changes.get("lstm", {}))
        values["options"] = settings.options.replace(**{**changes, "lstm": lstm})
    with pytest.raises(InputError) as caught:
        train(dataclasses.replace(settings, **values), lambda line: None)
    assert part in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "run" / "latest").exists()
