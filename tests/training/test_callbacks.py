"""The callbacks of a run, driven as the loop drives them."""

import keras
import pytest
from riding import result, ride

from elmo_tf.errors import InputError
from elmo_tf.training import callbacks


class Recorder(keras.callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.batches, self.epochs = [], []

    def on_train_batch_end(self, batch, logs=None):
        self.batches.append(dict(logs))

    def on_epoch_end(self, epoch, logs=None):
        self.epochs.append(dict(logs))


def test_the_meter_replaces_the_loss_by_a_running_mean_and_adds_the_speed():
    recorder = Recorder()
    riding, _ = ride(callbacks.Meter("sampled_loss", words_per_step=100, steps=2), recorder)
    for batch, loss in enumerate([4.0, 2.0, 2.0]):
        riding.on_train_batch_begin(batch)
        riding.on_train_batch_end(batch, {"sampled_loss": loss})
    assert [logs["sampled_loss"] for logs in recorder.batches] == [4.0, 3.0, 2.5]
    assert all(logs["words_per_second"] > 0 for logs in recorder.batches)


@pytest.mark.parametrize("loss", [float("nan"), float("inf")])
def test_a_loss_that_is_no_number_ends_the_run_with_a_sentence(loss):
    riding, _ = ride(callbacks.Meter("loss", 1))
    riding.on_train_batch_begin(6)
    with pytest.raises(InputError, match=r"step 7 is (nan|inf): training diverged"):
        riding.on_train_batch_end(6, {"loss": loss})


@pytest.mark.parametrize(("every", "batches"), [(2, {1, 3}), (0, set())])
def test_validation_adds_its_numbers_to_the_logs_of_the_same_call(every, batches):
    recorder, lines = Recorder(), []
    riding, _ = ride(callbacks.Validation(lambda: result(7.0), every, report=lines.append), recorder)
    for batch in range(4):
        riding.on_train_batch_end(batch, {"loss": 1.0})
    assert {n for n, logs in enumerate(recorder.batches) if logs.get("val_perplexity") == 7.0} == batches
    assert len(lines) == len(batches)


@pytest.mark.parametrize(("steps", "times"), [(3, 2), (4, 2)])
def test_an_epochs_end_validates_unless_its_last_step_did(steps, times):
    calls = []
    riding, _ = ride(callbacks.Validation(lambda: calls.append(1) or result(7.0), 2, report=str))
    for batch in range(steps):
        riding.on_train_batch_end(batch, {"loss": 1.0})
    riding.on_epoch_end(0, {})
    assert len(calls) == times


def test_a_validation_that_raises_stays_due_and_is_made_up_for_at_its_step_when_the_run_goes_on():
    class StoppedError(Exception):
        pass

    def stop():
        raise StoppedError

    notes, lines, saved, best = {}, [], [], {"best_perplexity": 9.0, "since_best": 1}
    riding, _ = ride(callbacks.Validation(stop, 2, report=lines.append, notes=notes))
    riding.on_train_batch_end(0, {"loss": 0.25})
    assert notes == {}
    with pytest.raises(StoppedError):
        riding.on_train_batch_end(1, {"loss": 0.5})
    with pytest.raises(StoppedError):  # the epoch ends with that step too
        riding.on_epoch_end(0, {})
    assert notes == {callbacks.VALIDATION_DUE: {"loss": 0.5}}
    assert not lines

    began = []
    riding, model = ride(
        callbacks.Validation(lambda: result(9.5), 2, False, lines.append, notes, from_step=2),
        callbacks.BestAndPatience(saved.append, 2, best, lines.append, from_step=2),
        keras.callbacks.LambdaCallback(on_train_begin=lambda logs: began.append(dict(logs))),
    )
    riding.on_train_begin({})
    assert [(logs["loss"], logs["val_perplexity"]) for logs in began] == [(0.5, 9.5)]
    assert notes == {}
    assert [line.split(":")[0] for line in lines] == ["step 2", "step 2"]
    assert (saved, best["since_best"], model.stop_training) == ([], 2, True)
    riding.on_epoch_end(0, {})  # of the same step
    assert len(lines) == 2


def test_the_best_of_a_validation_made_up_for_is_saved_by_its_step():
    saved = []
    riding, _ = ride(callbacks.BestAndPatience(saved.append, 2, {"best_perplexity": 9.0}, str, from_step=6))
    riding.on_train_begin({"val_perplexity": 8.0})
    assert saved == [6]


def test_the_best_is_saved_and_patience_counts_validations_without_a_better_one():
    saved, notes, lines = [], {}, []
    riding, model = ride(callbacks.BestAndPatience(saved.append, 2, notes, lines.append))
    for batch, perplexity in enumerate([9.0, 7.0, 8.0, 6.0, 6.0, 7.0]):
        assert not model.stop_training
        riding.on_train_batch_end(batch, {"val_perplexity": perplexity})
    assert saved == [1, 2, 4]
    assert notes == {"best_perplexity": 6.0, "best_step": 4, "since_best": 2}
    assert model.stop_training
    assert "6.00" in lines[0]


def test_a_validation_before_the_first_step_counts():
    saved, notes = [], {}
    riding, model = ride(callbacks.BestAndPatience(saved.append, 2, notes, str))
    riding.on_train_begin({"val_perplexity": 5.0})
    riding.on_train_batch_end(0, {"val_perplexity": 6.0})
    assert (saved, notes) == ([0], {"best_perplexity": 5.0, "best_step": 0, "since_best": 1})
    assert not model.stop_training
    riding.on_train_batch_end(1, {"val_perplexity": 7.0})
    assert model.stop_training


def test_a_first_perplexity_that_is_infinite_takes_no_patience():
    saved, notes = [], {}
    riding, model = ride(callbacks.BestAndPatience(saved.append, 1, notes, str))
    riding.on_train_begin({"val_perplexity": float("inf")})
    riding.on_train_begin({})
    assert (saved, notes, model.stop_training) == ([], {}, False)


def test_without_patience_nothing_stops_the_run():
    riding, model = ride(callbacks.BestAndPatience(lambda step: None, 0, {}, str))
    for batch in range(9):
        riding.on_train_batch_end(batch, {"val_perplexity": 5.0 + batch})
    assert not model.stop_training
