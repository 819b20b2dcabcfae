"""Models of every form are found, opened and checked; an error is one sentence."""

import json

import numpy as np
import pytest
import tf1
from hdf5_files import read_arrays
from model_cases import CASES, CHARACTERS, filled, weights_of
from model_folders import change_options, cut_to
from refusals import refused

from elmo_tf.inference.sentence_embedder import SentenceEmbedder
from elmo_tf.models.language_model import LanguageModel
from elmo_tf.models.tf1_weight_names import tf1_name
from elmo_tf.models.weight_names import expected_shapes
from elmo_tf.options import Options
from elmo_tf.store.load_model import load_bilm
from elmo_tf.store.open_model import open_model

TRAINED = ("char_2layer", "char_tanh_3layer_tightclip", "word_2layer")


def opened(path, which=None):
    """Opens, reads every array and closes."""
    with open_model(str(path), which) as stored:
        return stored, dict(stored.weights.items()), dict(stored.slots.items())


def tf1_folder(folder, case=CHARACTERS, spelling=None, slots=True, **options):
    """A checkpoint folder as bilm-tf leaves it; gives the weights. `spelling` renames variables."""
    weights = weights_of(filled(LanguageModel(case)))
    made = Options.from_dict(case)
    variables = {}
    for number, (name, array) in enumerate(weights.items()):
        theirs = tf1_name(name, made)
        theirs = spelling(theirs) if spelling else theirs
        variables[theirs] = array
        if slots:
            variables[f"{theirs}/Adagrad"] = np.full_like(array, 1 + number)
    variables |= {"global_step": np.float32(60), "train_perplexity": np.float32(0)}
    tf1.save(folder, variables)
    values = {**case, **options}
    if "char_cnn" in values:
        values["char_cnn"] = {**values["char_cnn"], "n_characters": 261}
    (folder / "options.json").write_text(json.dumps(values))
    return weights


@pytest.mark.parametrize("name", TRAINED)
def test_bilm_tfs_checkpoints_hold_what_its_own_dump_holds_to_the_last_bit(shared, name):
    folder = shared / "parity" / "bilm-tf-trained" / name
    stored, weights, slots = opened(folder / "checkpoint")
    assert (stored.form, stored.step, stored.has_softmax, stored.vocab_file) == ("tf1", 60, True, None)
    assert stored.source == str(folder / "checkpoint" / "model.ckpt-60")
    dumped = read_arrays(str(folder / "weights.hdf5"))
    assert set(weights) == {*dumped, "softmax/W", "softmax/b"} == set(slots)
    for array_name, array in dumped.items():
        assert array.tobytes() == weights[array_name].tobytes()
    assert all((slot >= 1).all() for slot in slots.values())
    assert any((slot > 1).any() for slot in slots.values())


@pytest.mark.parametrize("name", TRAINED[:2])
def test_embeddings_from_a_tf1_checkpoint_are_those_of_the_hdf5(shared, name):
    folder = shared / "parity" / "bilm-tf-trained" / name
    sentences = json.loads((folder / "sentences.json").read_text())
    loaded = load_bilm(str(folder / "checkpoint"))
    assert loaded.vocabulary is None
    goldens = np.load(folder / "embeddings.npz")
    vectors = SentenceEmbedder(loaded.bilm)(sentences)
    for row, (length, found) in enumerate(zip(goldens["lengths"], vectors, strict=True)):
        np.testing.assert_allclose(found, goldens["first_call"][row, :, :length], rtol=0, atol=2e-6)


OLD = {
    "tensorflow 1.0": lambda name: name.replace("kernel", "weights").replace("bias", "biases"),
    "tensorflow 0.12": lambda name: (
        name.replace("rnn/multi_rnn_cell/cell_", "RNN/MultiRNNCell/Cell")
        .replace("projection/kernel", "W_P_0")
        .replace("kernel", "W_0")
        .replace("bias", "B")
        .replace("lstm_cell", "LSTMCell")
    ),
}


@pytest.mark.parametrize("name", [*CASES, *OLD])
def test_every_kind_of_tf1_model_is_read(tmp_path, name):
    case = CASES.get(name, CHARACTERS)
    weights = tf1_folder(tmp_path, case, OLD.get(name))
    stored, found, slots = opened(tmp_path)
    assert stored.options.architecture() == Options.from_dict(case).architecture()
    assert set(found) == set(slots) == set(weights)
    for number, (array_name, array) in enumerate(weights.items()):
        np.testing.assert_array_equal(found[array_name], array)
        assert (slots[array_name] == 1 + number).all()


def test_the_number_of_directions_follows_from_the_arrays_if_the_options_leave_it_out(tmp_path):
    for name, bidirectional in (("forward only", False), ("characters", True)):
        case = {key: value for key, value in CASES[name].items() if key != "bidirectional"}
        options = Options.from_dict(CASES[name])
        arrays = {tf1_name(key, options): np.zeros(shape, "f") for key, shape in expected_shapes(options, True).items()}
        tf1.save(tmp_path / name, arrays)
        (tmp_path / name / "options.json").write_text(json.dumps(case))
        assert opened(tmp_path / name)[0].options.bidirectional is bidirectional


@pytest.mark.parametrize(
    "step", [np.float32("nan"), np.float32("inf"), np.float32(-1), np.ones(2, np.float32)], ids=str
)
def test_a_step_that_is_none_is_refused_by_name(tmp_path, step):
    weights = weights_of(filled(LanguageModel(CHARACTERS)))
    options = Options.from_dict(CHARACTERS)
    tf1.save(tmp_path, {**{tf1_name(name, options): a for name, a in weights.items()}, "global_step": step})
    options.write(str(tmp_path / "options.json"))
    assert "array global_step: expected one number of steps, 0 or more, got " in refused(opened, tmp_path)


def test_a_file_that_may_not_be_read_is_refused_by_name(tmp_path, monkeypatch):
    (tmp_path / "model.zip").write_bytes(b"PK")
    monkeypatch.setattr(
        "builtins.open", lambda *_, **__: (_ for _ in ()).throw(PermissionError(13, "Permission denied"))
    )
    assert refused(opened, tmp_path / "model.zip") == f"{tmp_path}/model.zip cannot be read: Permission denied"


def test_a_tf1_checkpoint_without_slots_has_none(tmp_path):
    tf1_folder(tmp_path, slots=False)
    assert opened(tmp_path)[2] == {}


def test_a_list_of_checkpoints_that_names_another_machines_folder_is_understood(tmp_path):
    tf1_folder(tmp_path)
    (tmp_path / "checkpoint").write_text('model_checkpoint_path: "/gpu7/home/x/model.ckpt-60"\n')
    assert opened(tmp_path)[0].step == 60
    (tmp_path / "checkpoint").unlink()
    assert opened(tmp_path)[0].source == str(tmp_path / "model.ckpt-60")
    (tmp_path / "checkpoint").write_text('model_checkpoint_path: "model.ckpt-70"\n')
    assert "model.ckpt-70" in refused(opened, tmp_path)


def change_variables(folder, change):
    """Writes the checkpoint again after `change` of its variables."""
    variables = {}
    with open_model(str(folder)) as stored:
        for arrays, ending in ((stored.weights, ""), (stored.slots, "/Adagrad")):
            variables |= {tf1_name(name, stored.options) + ending: array for name, array in arrays.items()}
    change(variables)
    tf1.save(folder, {**variables, "global_step": np.float32(60)})


KERNEL = "lm/RNN_1/rnn/multi_rnn_cell/cell_0/lstm_cell/kernel"


@pytest.mark.parametrize(
    ("change", "part"),
    [
        (lambda v: v.pop(KERNEL), f"array {KERNEL} is missing: expected shape (8, 24)"),
        (lambda v: v.pop(f"{KERNEL}/Adagrad"), f"array {KERNEL}/Adagrad is missing"),
        (lambda v: v.update({"lm/extra": np.ones(2, "f")}), "array lm/extra has no place in a model of these options"),
        (lambda v: v.update({"beta1_power": np.ones(2, "f")}), "array beta1_power has no place in a model of bilm-tf"),
        (lambda v: v.update({KERNEL: np.ones((8, 20), "f")}), f"{KERNEL}: expected shape (8, 24) by the options, got"),
        (lambda v: v.update({KERNEL: np.full((8, 24), np.nan, "f")}), f"{KERNEL} holds numbers that are not finite"),
        (lambda v: v.update({KERNEL: np.full((8, 24), b"x")}), f"{KERNEL}: expected numbers, got string"),
        (lambda v: v.update({KERNEL.replace("kernel", "weights"): v[KERNEL]}), "are of the same weight"),
        (lambda v: v.update({KERNEL + "s": v.pop(KERNEL)}), f"array {KERNEL} is missing"),
    ],
    ids=["missing", "no slot", "extra", "not bilm-tf's", "misshapen", "nan", "texts", "twice", "renamed"],
)
def test_a_wrong_variable_of_a_tf1_checkpoint_is_named(tmp_path, change, part):
    tf1_folder(tmp_path)
    change_variables(tmp_path, change)
    message = refused(opened, tmp_path)
    assert message.startswith(f"{tmp_path}/model.ckpt-60: array")
    assert part in message


@pytest.mark.parametrize("ending", ["data-00000-of-00001", "index"])
def test_a_tf1_checkpoint_that_is_cut_short_is_refused(tmp_path, ending):
    tf1_folder(tmp_path)
    cut_to(tmp_path / f"model.ckpt-60.{ending}", 0.5)
    message = refused(opened, tmp_path)
    assert message.startswith(f"{tmp_path}/model.ckpt-60 is damaged")


def test_options_that_do_not_fit_a_tf1_checkpoint_are_refused(tmp_path):
    tf1_folder(tmp_path)
    change_options(tmp_path, lstm={"n_layers": 1})
    assert "lm/RNN_0/rnn/" in refused(opened, tmp_path)
    change_options(tmp_path, lstm={"n_layers": 2}, n_tokens_vocab=12)
    assert "lm/softmax/W: expected shape (12, 4) by the options, got (11, 4)" in refused(opened, tmp_path)
