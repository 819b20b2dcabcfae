"""A user's callback adds numbers to the logs of a run, and cannot change the run's own."""

import keras
import pytest
from riding import ride

from elmo_tf.training.user_callbacks import UserCallbacks


class Adding(keras.callbacks.Callback):
    def __init__(self, **numbers):
        super().__init__()
        self.numbers = numbers

    def on_epoch_end(self, epoch, logs=None):
        logs.update(self.numbers)


def test_numbers_are_added_and_none_is_changed_and_later_callbacks_see_them():
    seen = []
    last = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append(dict(logs)))
    riding, model = ride(UserCallbacks([Adding(val_other=5.0, loss=0.0), last]))
    logs = {"loss": 2.0}
    riding.on_epoch_end(0, logs)
    assert seen == [{"loss": 0.0, "val_other": 5.0}]
    assert last.model is model
    ours = UserCallbacks([Adding(val_other=5.0, loss=0.0)])
    ours.on_epoch_end(0, logs)
    assert logs == {"loss": 2.0, "val_other": 5.0}


def test_the_name_of_the_runs_own_validation_is_refused():
    with pytest.raises(ValueError, match="a callback adds val_perplexity to the logs"):
        UserCallbacks([Adding(val_perplexity=5.0)]).on_epoch_end(0, {"loss": 2.0})
