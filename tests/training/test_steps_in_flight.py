"""Steps in flight: the next step is sent before a result is read, and nothing but the time depends on it."""

import contextlib
import csv
import dataclasses
import os
import threading
from concurrent.futures import CancelledError

import keras
import numpy as np
import pytest
from training_runs import arrays, assert_equal, quiet, small

from elmo_tf.errors import InputError
from elmo_tf.training.checkpoint import TrainingCheckpoint
from elmo_tf.training.loop import TrainingLoop
from elmo_tf.training.prefetch import PrefetchedStream
from elmo_tf.training.run import train
from elmo_tf.training.step import StepResult, TrainStep
from elmo_tf.training.steps_in_flight import StepsInFlight

pytestmark = pytest.mark.usefixtures("kept_trainers")

SECONDS = 60.0


class SlowDevice:
    """A device whose results can be read only when the next step was sent, or `is_last` says that none is to come."""

    def __init__(self, is_last):
        self.events, self.is_last = [], is_last
        self.sent = [threading.Event() for _ in range(50)]
        self.real = TrainStep.__call__

    def take_step(self, train_step, step, tensors, states, loss_scale):
        self.events.append(f"send {step + 1}")
        self.sent[step].set()
        result = self.real(train_step, step, tensors, states, loss_scale)
        return result._replace(losses=LateNumber(self, step, result.losses), norm=LateNumber(self, step, result.norm))


class LateNumber:
    """A number that is not computed yet when the step's call returns."""

    def __init__(self, device, step, value):
        self.device, self.step, self.value = device, step, value

    def __array__(self, dtype=None, copy=None):
        number = self.step + 1
        if not self.device.is_last(number) and not self.device.sent[number].wait(SECONDS):
            raise TimeoutError(f"step {number + 1} is not sent before the result of step {number} is read")
        self.device.events.append(f"read {number}")
        return self.value.numpy()

    def __float__(self):
        return float(self.value)


@contextlib.contextmanager
def slow_device(patch, is_last):
    device = SlowDevice(is_last)
    patch.setattr(TrainStep, "__call__", lambda train_step, *arguments: device.take_step(train_step, *arguments))
    save = TrainingCheckpoint.save
    patch.setattr(
        TrainingCheckpoint,
        "save",
        lambda self, state, confirmed: device.events.append(f"save {state.step}") or save(self, state, confirmed),
    )
    yield device


def numbers(model_dir):
    """The rows of log.csv without the speed, which no two runs have in common."""
    with open(os.path.join(model_dir, "log.csv"), newline="") as file:
        return [
            {name: value for name, value in row.items() if name != "words_per_second"} for row in csv.DictReader(file)
        ]


def test_the_next_step_is_sent_before_a_result_is_read_and_all_are_read_before_a_checkpoint(tmp_path, monkeypatch):
    settings = small(tmp_path, max_steps=10, checkpoint_steps=4, valid_files=())
    with slow_device(monkeypatch, lambda number: number in (4, 8, 10)) as device:
        quiet(settings)
    reads = [event for event in device.events if event.startswith("read")]
    assert reads == [f"read {number}" for number in range(1, 11)]
    for number in (4, 8):
        before = device.events[: device.events.index(f"save {number}")]
        assert f"read {number}" in before
        assert f"send {number + 1}" not in before
    for number in (1, 2, 3, 5, 6, 7, 9):
        assert device.events.index(f"send {number + 1}") < device.events.index(f"read {number}")


def test_logs_and_checkpoints_are_the_same_to_the_last_bit_whatever_is_in_flight(tmp_path, monkeypatch):
    folders = []
    for most in (0, 3):
        monkeypatch.setattr("elmo_tf.training.loop.STEPS_IN_FLIGHT", most)
        settings = small(
            tmp_path, model=f"with_{most}", max_steps=11, checkpoint_steps=4, validation_steps=3, log_steps=1,
            average_decay=0.9, average_steps=2,
        )  # fmt: skip
        assert quiet(settings).steps == 11
        folders.append(settings.model_dir)
    for which in ("latest", "best"):
        assert_equal(*(arrays(folder, which) for folder in folders))
    assert numbers(folders[0]) == numbers(folders[1])
    assert [row["step"] for row in numbers(folders[1]) if not row["val_perplexity"]] != []


def test_a_run_that_is_stopped_finishes_and_counts_the_steps_in_flight_and_goes_on_as_if_it_had_not_been(
    tmp_path, monkeypatch
):
    settings = small(tmp_path, max_steps=9, valid_files=(), log_steps=1)
    quiet(settings)
    stopped = dataclasses.replace(settings, model_dir=str(tmp_path / "stopped"))
    loops, sent, real, make = [], [], TrainStep.__call__, TrainingLoop.__init__

    def take_step(self, step, *arguments):
        sent.append(step + 1)
        if step + 1 == 5:
            loops[0].request_stop(15)
        return real(self, step, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(TrainStep, "__call__", take_step)
        patch.setattr(TrainingLoop, "__init__", lambda self, *given: loops.append(self) or make(self, *given))
        result = train(stopped, lambda line: None)
    assert result.stopped_by == 15
    assert result.steps == sent[-1] <= 7
    assert [row["step"] for row in numbers(stopped.model_dir)] == [str(number) for number in sent]
    quiet(stopped)
    assert_equal(arrays(settings.model_dir), arrays(stopped.model_dir))
    assert numbers(settings.model_dir) == numbers(stopped.model_dir)


def test_steps_in_flight_are_finished_and_saved_before_the_error_of_a_text_that_is_gone(tmp_path, monkeypatch):
    settings = small(tmp_path, max_steps=9, valid_files=(), log_steps=1)
    real, taken = PrefetchedStream.__next__, []

    def next_input(self):
        if len(taken) == 5:
            raise InputError("the text is gone")
        taken.append(None)
        return real(self)

    monkeypatch.setattr(PrefetchedStream, "__next__", next_input)
    with pytest.raises(InputError, match="the text is gone"):
        quiet(settings)
    assert [row["step"] for row in numbers(settings.model_dir)] == list("12345")
    assert os.path.exists(os.path.join(settings.model_dir, "latest", "ckpt-5.index"))


def test_callbacks_of_the_user_see_the_weights_of_the_step_that_they_are_called_after(tmp_path, monkeypatch):
    sent, real = [], TrainStep.__call__

    def take_step(self, step, *arguments):
        sent.append(step + 1)
        return real(self, step, *arguments)

    monkeypatch.setattr(TrainStep, "__call__", take_step)

    class StopAtThree(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            assert sent[-1] == batch + 1
            self.model.stop_training = batch + 1 == 3

    settings = small(tmp_path, max_steps=9, valid_files=())
    assert train(settings, lambda line: None, [StopAtThree()]).steps == 3


def test_an_error_of_a_step_is_raised_in_its_place_no_other_is_taken_and_the_thread_ends():
    begun = []

    def take_step(step, tensors, states, scale):
        begun.append(step)
        if step == 1:
            raise InputError("step 1")
        return StepResult(np.zeros(1), np.float32(step), states, scale)

    flight = StepsInFlight(take_step, (), None, most=3)
    with flight:
        for step in range(3):
            flight.send(step, None, None)
        assert flight.next().result.norm == 0.0
        with pytest.raises(InputError, match="step 1"):
            flight.next()
        with pytest.raises(CancelledError):
            flight.next()
    assert begun == [0, 1]
    assert not any(thread.is_alive() for thread in flight._thread._threads)
