"""Keras callbacks of the user in a training run: found by name, and called between our own."""

import importlib
import os
import sys
from collections.abc import Sequence
from typing import Any

import keras

from elmo_tf.errors import InputError
from elmo_tf.training.state import Logs

_OWN = "val_perplexity"
"""The name in the logs by which the run's own validation is recognised."""


def load_callbacks(names: Sequence[str]) -> list[keras.callbacks.Callback]:
    """Makes the callbacks that the flag --callbacks names.

    Args:
        names: for each callback `module:name`. The module lies in the current folder or is installed; the name is
            that of a class or a function in it, which is called without arguments and returns the callback.

    Raises:
        InputError: there is no such module or name, or what it returns is no Keras callback. An error of the user's
            own code keeps its traceback.
    """
    return [_load_callback(name) for name in names]


def _load_callback(name: str) -> keras.callbacks.Callback:
    module_name, _, attribute = name.partition(":")
    if not module_name or not attribute:
        raise InputError(f"{name}: expected MODULE:NAME, such as my_callbacks:EarlyEnd", path=name)
    module = _import(module_name, name)
    try:
        make = getattr(module, attribute)
    except AttributeError as error:
        raise InputError(f"{name}: the module {module_name} defines no {attribute}", path=name) from error
    callback = make() if callable(make) else make
    if not isinstance(callback, keras.callbacks.Callback):
        raise InputError(f"{name}: expected a Keras callback, got {type(callback).__name__}", path=name)
    return callback


def _import(module_name: str, name: str) -> Any:
    """Imports a module, also from the current folder, which the program elmo-tf does not look into by itself."""
    folder = os.getcwd()
    sys.path.insert(0, folder)
    try:
        return importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module_name}.".startswith(f"{error.name}."):
            raise  # a module that the user's code imports
        raise InputError(
            f"{name}: there is no module {error.name}, neither in the current folder nor installed", path=name
        ) from error
    finally:
        sys.path.remove(folder)


class UserCallbacks(keras.callbacks.Callback):
    """Calls callbacks of the user with a copy of the logs, and adds to the logs the numbers that they add.

    A run that is resumed depends on its own numbers, so a callback cannot change those. The state that a callback
    keeps is not part of a checkpoint.

    Args:
        callbacks: the callbacks, which are called in this order.
    """

    def __init__(self, callbacks: Sequence[keras.callbacks.Callback]) -> None:
        super().__init__()
        self._callbacks = tuple(callbacks)

    def set_model(self, model: Any) -> None:
        """Gives the model to all callbacks."""
        super().set_model(model)
        for callback in self._callbacks:
            callback.set_model(model)

    def set_params(self, params: Any) -> None:
        """Gives the parameters of the run to all callbacks."""
        super().set_params(params)
        for callback in self._callbacks:
            callback.set_params(params)

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Calls the callbacks."""
        self._call("on_train_begin", logs)

    def on_train_end(self, logs: Logs | None = None) -> None:
        """Calls the callbacks."""
        self._call("on_train_end", logs)

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Calls the callbacks."""
        self._call("on_epoch_begin", logs, epoch)

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Calls the callbacks."""
        self._call("on_epoch_end", logs, epoch)

    def on_train_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Calls the callbacks."""
        self._call("on_train_batch_begin", logs, batch)

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Calls the callbacks."""
        self._call("on_train_batch_end", logs, batch)

    def _call(self, method: str, logs: Logs | None, *number: int) -> None:
        given = dict(logs or {})
        for callback in self._callbacks:
            getattr(callback, method)(*number, given)
        added = {name: value for name, value in given.items() if name not in (logs or {})}
        if _OWN in added:
            raise ValueError(
                f"a callback adds {_OWN} to the logs, which is the name of the run's own validation: expected another "
                "name, such as PerplexityCallback(..., name='perplexity_of_news')"
            )
        if logs is not None:
            logs.update(added)
