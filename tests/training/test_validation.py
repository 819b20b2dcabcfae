"""Validation, called as the training loop calls it, and validations that were interrupted."""

import keras
import pytest
from riding import end_step, result, ride, state_of

from elmo_tf.training.best_checkpoint import BestCheckpoint
from elmo_tf.training.validation import Validation


@pytest.mark.parametrize(("every", "batches"), [(2, {1, 3}), (0, set())])
def test_validation_adds_its_numbers_to_the_logs_of_the_same_call(every, batches):
    seen, lines, state = [], [], state_of()
    recorder = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: seen.append(dict(logs)))
    riding, _ = ride(Validation(state, lambda: result(7.0), every, report=lines.append), recorder)
    for _ in range(4):
        end_step(riding, state, {"loss": 1.0})
    assert {n for n, logs in enumerate(seen) if logs.get("val_perplexity") == 7.0} == batches
    assert len(lines) == len(batches)


@pytest.mark.parametrize(("steps", "times"), [(3, 2), (4, 2)])
def test_an_epochs_end_validates_unless_its_last_step_did(steps, times):
    calls, state = [], state_of()
    riding, _ = ride(Validation(state, lambda: calls.append(1) or result(7.0), 2, report=str))
    for _ in range(steps):
        end_step(riding, state, {"loss": 1.0})
    riding.on_epoch_end(0, {})
    assert len(calls) == times


def test_a_validation_that_raises_stays_due_and_is_made_up_for_at_its_step_when_the_run_goes_on():
    class StoppedError(Exception):
        pass

    def stop():
        raise StoppedError

    lines, saved, state = [], [], state_of(best_perplexity=9.0, best_step=1, validations_since_best=1)
    riding, _ = ride(Validation(state, stop, 2, report=lines.append))
    end_step(riding, state, {"loss": 0.25})
    assert state.validation_due is None
    with pytest.raises(StoppedError):
        end_step(riding, state, {"loss": 0.5})
    with pytest.raises(StoppedError):  # the epoch ends with that step too
        riding.on_epoch_end(0, {})
    assert state.validation_due == {"loss": 0.5}
    assert not lines

    began = []
    riding, model = ride(
        Validation(state, lambda: result(9.5), 2, False, lines.append),
        BestCheckpoint(state, saved.append, 2, lines.append),
        keras.callbacks.LambdaCallback(on_train_begin=lambda logs: began.append(dict(logs))),
    )
    riding.on_train_begin({})
    assert [(logs["loss"], logs["val_perplexity"]) for logs in began] == [(0.5, 9.5)]
    assert state.validation_due is None
    assert [line.split(":")[0] for line in lines] == ["step 2", "step 2"]
    assert (saved, state.validations_since_best, model.stop_training) == ([], 2, True)
    riding.on_epoch_end(0, {})  # of the same step
    assert len(lines) == 2
