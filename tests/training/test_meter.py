"""The running mean of the loss and the speed, driven as the loop drives them."""

import keras
import pytest
from riding import end_step, ride, state_of

from elmo_tf.errors import InputError
from elmo_tf.training.meter import Meter


def test_the_meter_replaces_the_loss_by_a_running_mean_and_adds_the_speed():
    seen, state = [], state_of()
    recorder = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: seen.append(dict(logs)))
    riding, _ = ride(Meter(state, "sampled_loss", words_per_step=100, steps=2), recorder)
    for batch, loss in enumerate([4.0, 2.0, 2.0]):
        riding.on_train_batch_begin(batch)
        end_step(riding, state, {"sampled_loss": loss})
    assert [logs["sampled_loss"] for logs in seen] == [4.0, 3.0, 2.5]
    assert all(logs["words_per_second"] > 0 for logs in seen[1:])
    assert state.mean_loss == 2.5


@pytest.mark.parametrize("step", [0, 500])
def test_the_first_step_of_a_process_which_compiles_has_no_speed_and_counts_in_none(step, monkeypatch):
    now, speeds, state = [0.0], [], state_of(step=step)
    monkeypatch.setattr("time.perf_counter", lambda: now[0])
    recorder = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: speeds.append(logs.get("words_per_second"))
    )
    riding, _ = ride(Meter(state, "loss", words_per_step=100, steps=2), recorder)
    for seconds in (60.0, 0.5, 0.5, 1.5):
        riding.on_train_batch_begin(state.step)
        now[0] += seconds
        end_step(riding, state, {"loss": 1.0})
    assert speeds == [None, 200.0, 200.0, 100.0]


def test_the_mean_of_a_resumed_run_goes_on_from_the_mean_before():
    state = state_of(step=3, mean_loss=2.5)
    riding, _ = ride(Meter(state, "loss", 1, steps=2))
    riding.on_train_batch_begin(3)
    end_step(riding, state, {"loss": 1.5})
    assert state.mean_loss == 2.0


@pytest.mark.parametrize("loss", [float("nan"), float("inf")])
def test_a_loss_that_is_no_number_ends_the_run_with_a_sentence(loss):
    state = state_of(step=6)
    riding, _ = ride(Meter(state, "loss", 1))
    riding.on_train_batch_begin(6)
    with pytest.raises(InputError, match=r"step 7 is (nan|inf): training diverged"):
        end_step(riding, state, {"loss": loss})
    assert state.mean_loss is None
