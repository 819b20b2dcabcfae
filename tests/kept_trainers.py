"""Keeps traced training steps and validations over the tests of a module, which differ in settings that no graph holds.

Tracing a training step takes seconds, and running a small one milliseconds. What is kept is given back with the weights
and the state of the optimizer that it began with, so a test cannot tell a kept trainer from a new one.
"""

import dataclasses
import json
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from elmo_tf.inference.evaluator import Evaluator
from elmo_tf.options import Options
from elmo_tf.training import assembly
from elmo_tf.training.settings import TrainSettings


class KeptTrainers:
    """Builds a trainer for each graph once; called like `elmo_tf.training.assembly.build_trainer`."""

    def __init__(self) -> None:
        self._kept: dict[Any, tuple[assembly.Trainer, list[np.ndarray]]] = {}

    def __call__(
        self,
        settings: TrainSettings,
        options: Options,
        strategy: tf.distribute.Strategy,
        total_steps: int | None,
    ) -> assembly.Trainer:
        """Returns a trainer with the weights that a new one of these settings has."""
        key = _graph_key(settings, options, strategy, total_steps)
        if key not in self._kept:
            trainer = assembly.build_trainer(settings, options, strategy, total_steps=total_steps)
            self._kept[key] = trainer, [variable.numpy() for variable in _variables(trainer)]
        keras.utils.set_random_seed(settings.seed)
        trainer, first = self._kept[key]
        for variable, value in zip(_variables(trainer), first, strict=True):
            variable.assign(value)
        return trainer


class KeptEvaluator(Evaluator):
    """An `Evaluator` that uses the traced function of an earlier one of the same model and shape of windows."""

    def _compiled(self, state: Any) -> Any:
        kept: dict[Any, Any] = self._model.__dict__.setdefault("kept_evaluations", {})
        shape = (len(self._rows), self._unroll_steps)
        if shape not in kept:
            kept[shape] = super()._compiled(state)
        return kept[shape]


def _variables(trainer: assembly.Trainer) -> list[tf.Variable]:
    averages = {} if trainer.average is None else trainer.average.averages
    return [*trainer.variables.values(), *trainer.optimizer.variables, *averages.values()]


def _graph_key(
    settings: TrainSettings, options: Options, strategy: tf.distribute.Strategy, total_steps: int | None
) -> Any:
    """Everything that the graph of a training step, its constants and its first weights depend on."""
    of_any_length = options.replace(training=dataclasses.replace(options.training, n_epochs=1))
    names = ("seed", "fresh_states", "accumulation_steps", "jit_compile", "precision")
    devices = tuple(strategy.extended.worker_devices)
    end = None if options.training.schedule == "constant" else total_steps
    return (
        json.dumps(of_any_length.to_dict(), sort_keys=True),
        end,
        devices,
        *(getattr(settings, name) for name in names),
    )


def keep_trainers(replace: Callable[[str, Any], None]) -> None:
    """Makes `train` use kept trainers.

    Args:
        replace: replaces an attribute, given by its dotted name, until the module's tests are done.
    """
    replace("elmo_tf.training.run.build_trainer", KeptTrainers())
    replace("elmo_tf.training.evaluation.Evaluator", KeptEvaluator)
