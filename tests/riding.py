"""Calls Keras callbacks as the training loop does, without a model or a text."""

import types

import keras

from elmo_tf.training.loss_scale import LossScale
from elmo_tf.training.state import RunState


def state_of(lstm_states=(), **values):
    """Makes the state of a run, with default values that do not matter."""
    same = {"seed": 1, "unroll_steps": 5, "corpus": "c0ffee", "loss_scale": LossScale.first("float32")}
    return RunState(**{**same, "lstm_states": lstm_states, **values})


def ride(*riding):
    """Puts callbacks on a `CallbackList`; returns it, and a model whose `stop_training` they can set."""
    model = types.SimpleNamespace(stop_training=False)
    return keras.callbacks.CallbackList(list(riding), model=model), model


def end_step(riding, state, logs):
    """Counts a step in the state, and calls the callbacks as after a step."""
    state.step += 1
    riding.on_train_batch_end(state.step - 1, logs)


def result(perplexity):
    """Makes the result of a validation."""
    return {"tokens": 10, "perplexity_forward": perplexity, "perplexity": perplexity}
