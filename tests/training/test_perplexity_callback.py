"""`PerplexityCallback` gives the evaluator's perplexity of the weights as they are, in `fit` and in a training run."""

import sys

import keras
import pytest
import tensorflow as tf
import tiny
from model_folders import trained_folder

from elmo_tf.cli.main import main
from elmo_tf.data.corpus import Corpus
from elmo_tf.elmo.elmo_layer import ElmoLayer
from elmo_tf.errors import InputError
from elmo_tf.inference.evaluator import Evaluator
from elmo_tf.models.bilm import BiLM
from elmo_tf.store.load_model import load_language_model
from elmo_tf.training.perplexity_callback import PerplexityCallback
from elmo_tf.training.user_callbacks import load_callbacks

TEXT = "the cat sat on the mat .\na zebra sat\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with a language model and a text."""
    folder = tmp_path_factory.mktemp("perplexity")
    trained_folder(folder / "model", best=False)
    (folder / "text.txt").write_text(TEXT)
    return folder


def perplexity_of(loaded, folder):
    return Evaluator(loaded.model, Corpus.scan([str(folder / "text.txt")]), loaded.vocabulary)()


def test_fit_of_a_tagger_reports_the_perplexity_of_the_bilm_that_it_trains(folder):
    said = []
    first = perplexity_of(load_language_model(str(folder / "model")), folder)
    elmo = ElmoLayer.from_pretrained(str(folder / "model"), trainable=True, pooling="mean")
    model = keras.Sequential([keras.Input((None,), dtype="string"), elmo, keras.layers.Dense(2)])
    model.compile(keras.optimizers.SGD(0.0), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    texts, labels = tf.constant([["the", "cat"], ["a", "mat"]]), tf.constant([0, 1])
    callback = PerplexityCallback(str(folder / "*.txt"), str(folder / "model"), elmo.bilm, report=said.append)
    stop = keras.callbacks.EarlyStopping("val_perplexity", patience=5, mode="min")
    history = model.fit(texts, labels, verbose=0, callbacks=[callback, stop]).history
    assert history["val_perplexity"] == pytest.approx([first.mean], rel=1e-6)
    assert history["val_perplexity_forward"] == pytest.approx([first.forward], rel=1e-6)
    assert history["val_perplexity_backward"] == pytest.approx([first.backward], rel=1e-6)
    assert stop.best == pytest.approx(first.mean, rel=1e-6)
    assert said[0].startswith("epoch 1: perplexity_forward ")
    assert said[0].endswith(f"perplexity_backward {first.backward:.2f} (12 tokens, full softmax)")
    model.optimizer.learning_rate = 0.5
    changed = model.fit(texts, labels, verbose=0, callbacks=[callback]).history["val_perplexity"]
    by_hand = load_language_model(str(folder / "model"))
    by_hand.model.bilm.set_weights(elmo.bilm.get_weights())
    assert changed == pytest.approx([perplexity_of(by_hand, folder).mean], rel=1e-6)
    assert abs(changed[0] - first.mean) > 1e-4 * first.mean


def test_arguments_that_do_not_fit_together_are_refused(folder):
    text = str(folder / "text.txt")
    with pytest.raises(InputError, match=r"texts=none/\*.txt: no such file"):
        PerplexityCallback("none/*.txt", str(folder / "model"))
    with pytest.raises(ValueError, match=r"texts: expected files or patterns, such as 'held/\*.txt', got \[\['the'"):
        PerplexityCallback([["the", "cat"]], str(folder / "model"))
    with pytest.raises(ValueError, match="vocabulary: expected the vocabulary of the model that is trained"):
        PerplexityCallback(text)
    other = BiLM({"lstm": {"dim": 3, "projection_dim": 2, "n_layers": 1}, "n_tokens_vocab": 4})
    with pytest.raises(ValueError, match="bilm: expected language_model too"):
        PerplexityCallback(text, bilm=other, vocabulary=str(folder / "model" / "vocab.txt"))
    other.build(None)
    with pytest.raises(ValueError, match=r"bilm: expected CNN/W_cnn_0 \(1, .*, as in language_model, got None"):
        PerplexityCallback(text, str(folder / "model"), other)
    callback = PerplexityCallback(text, vocabulary=str(folder / "model" / "vocab.txt"))
    callback.set_model(keras.Sequential())
    with pytest.raises(ValueError, match="the model of this fit, Sequential, has no softmax"):
        callback.on_epoch_end(0, {})


MODULE = """
import keras
import elmo_tf

SEEN = []

class Recorder(keras.callbacks.Callback):
    def on_train_begin(self, logs=None):
        SEEN.append(("begin", type(self.model).__name__))
    def on_train_batch_begin(self, batch, logs=None):
        SEEN.append(("batch", batch))
    def on_train_batch_end(self, batch, logs=None):
        logs["loss"] = 0.0
    def on_epoch_begin(self, epoch, logs=None):
        SEEN.append(("epoch", epoch))
    def on_epoch_end(self, epoch, logs=None):
        SEEN.append(("end", dict(logs)))
        logs["val_perplexity"] = 0.0  # there is one already, so this changes nothing
    def on_train_end(self, logs=None):
        SEEN.append(("done",))

def of_held_text():
    return elmo_tf.PerplexityCallback("held.txt", vocabulary="vocab.txt", name="again")

def twice():
    return elmo_tf.PerplexityCallback("held.txt", vocabulary="vocab.txt")

broken = 3
"""


@pytest.fixture(scope="module")
def module():
    """The name of a module of callbacks; each test that writes it into its folder reads it anew."""
    yield "callbacks_of_a_test"
    sys.modules.pop("callbacks_of_a_test", None)


def test_callbacks_of_a_module_ride_on_a_training_run(tmp_path, monkeypatch, module, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / f"{module}.py").write_text(MODULE)
    lstm = tiny.LstmOptions(dim=12, projection_dim=6, n_layers=1, cell_clip=3, proj_clip=3)
    settings = tiny.settings(tmp_path, char_cnn=None, bidirectional=False, lstm=lstm)
    settings.options.write("options.json")
    flags = "--options_file=options.json --train_files=train.txt --valid_files=held.txt --vocab_file=vocab.txt"
    riding = f"--callbacks={module}:of_held_text,{module}:Recorder"
    assert main(f"train {flags} --model_dir=model --max_steps=3 --n_epochs=1 {riding}".split()) == 0
    seen = sys.modules[module].SEEN
    assert [one for one in seen if one[0] != "end"] == [
        ("begin", "LanguageModel"), ("epoch", 0), ("batch", 0), ("batch", 1), ("batch", 2), ("done",),
    ]  # fmt: skip
    (logs,) = next(logs for kind, *logs in seen if kind == "end")
    assert logs["val_again"] == logs["val_perplexity"] > 1
    assert "val_again_backward" not in logs
    last = (tmp_path / "model" / "log.csv").read_text().splitlines()[-1].split(",")
    assert f"{logs['val_perplexity']:.6g}" in last, "what a callback changes in the logs does not reach ours"
    assert f"best validation perplexity {logs['val_perplexity']:.2f}" in capsys.readouterr().out
    events = b"".join(path.read_bytes() for path in (tmp_path / "model" / "tensorboard").iterdir())
    assert b"validation/again" in events


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("Recorder", "--callbacks=Recorder: expected MODULE:NAME, such as my_callbacks:EarlyEnd"),
        ("no_module_of_mine:Recorder", "there is no module no_module_of_mine, neither in the current folder nor"),
        ("{}:Other", "the module {} defines no Other"),
        ("{}:broken", "expected a Keras callback, got int"),
    ],
)
def test_a_callback_that_cannot_be_made_is_one_sentence_and_no_run_begins(
    tmp_path, monkeypatch, module, capsys, name, message
):
    monkeypatch.chdir(tmp_path)
    sys.modules.pop(module, None)
    (tmp_path / f"{module}.py").write_text(MODULE)
    tiny.settings(tmp_path).options.write("options.json")
    flags = "--options_file=options.json --train_files=train.txt --vocab_file=vocab.txt --model_dir=model"
    assert main(f"train {flags} --callbacks={name.format(module)}".split()) == 1
    error = capsys.readouterr().err
    assert message.format(module) in error
    assert error.startswith(f"elmo-tf train: --callbacks={name.format(module)}: ")
    assert not (tmp_path / "model").exists()


def test_an_error_in_the_users_own_module_keeps_its_traceback(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "callbacks_with_a_slip.py").write_text("import no_such_package_of_mine\n")
    with pytest.raises(ModuleNotFoundError, match="no_such_package_of_mine"):
        load_callbacks(["callbacks_with_a_slip:Any"])


def test_two_perplexities_of_one_name_are_refused(folder):
    callback = PerplexityCallback(str(folder / "text.txt"), str(folder / "model"))
    with pytest.raises(ValueError, match="the logs hold val_perplexity already: give PerplexityCallback another name"):
        callback.on_epoch_end(0, {"val_perplexity": 3.0})
