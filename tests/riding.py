"""Callbacks on the list that the training loop drives them by."""

import types

import keras

from elmo_tf.training.loss_scale import LossScale
from elmo_tf.training.state import RunState


def state_of(lstm_states=(), **values):
    """The state of a run of some tiny text."""
    same = {"seed": 1, "unroll_steps": 5, "corpus": "c0ffee", "loss_scale": LossScale.first("float32")}
    return RunState(**{**same, "lstm_states": lstm_states, **values})


def ride(*riding):
    """The list, and a model that it can stop."""
    model = types.SimpleNamespace(stop_training=False)
    return keras.callbacks.CallbackList(list(riding), model=model), model


def end_step(riding, state, logs):
    """A step has been taken: the state counts it, and the callbacks are called."""
    state.step += 1
    riding.on_train_batch_end(state.step - 1, logs)


def result(perplexity):
    """What a validation gives."""
    return {"tokens": 10, "perplexity_forward": perplexity, "perplexity": perplexity}
