"""`TimedTrainer`: a model that takes training steps as a training run does, and measures their time."""

import time
from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from elmo_tf.data.encoded_stream import EncodedStream
from elmo_tf.data.training_stream import TrainingStream
from elmo_tf.options import Options
from elmo_tf.training import assembly
from elmo_tf.training.input_checks import RunInput
from elmo_tf.training.loss_scale import LossScale
from elmo_tf.training.memory_estimate import MemoryEstimate, estimate_run_memory
from elmo_tf.training.prefetch import PrefetchedStream
from elmo_tf.training.settings import TrainSettings
from elmo_tf.training.step import StepResult


def run_settings(options: Options, **changes: Any) -> TrainSettings:
    """Returns the default settings of a run that keeps no model, with `changes`."""
    return TrainSettings(options=options, train_files=(), vocab_file="", model_dir="", **changes)


def make_stream(prepared: RunInput, parts: int = 1) -> EncodedStream | TrainingStream:
    """Makes the input of a run whose steps have `parts` times `batch_size` rows."""
    return assembly.make_stream(run_settings(prepared.options), prepared, parts)


class TimedTrainer:
    """A model with its training step; each call takes one step and measures it.

    Args:
        options: the model's options.
        strategy: the strategy whose replicas compute.
        implementation: how the LSTM is computed, as for `BiLM`.
        changes: settings of `TrainSettings` that are not the defaults, such as `precision`.
    """

    def __init__(
        self, options: Options, strategy: tf.distribute.Strategy, implementation: str = "fused", **changes: Any
    ) -> None:
        settings = run_settings(options, **changes)  # with the same seed, so that all models have the same weights
        self._trainer = assembly.build_trainer(settings, options, strategy, implementation)
        self._states: Any = self._trainer.take_step.zero_states(options.training.batch_size)
        self._scale = LossScale.first(self._trainer.model.compute_dtype)
        self.options, self.jit_compile = options, settings.jit_compile
        self._precision = settings.precision
        self.losses: list[float] = []
        self._sent = 0

    def __call__(self, tensors: Sequence[tf.Tensor]) -> float:
        """Takes a step; returns the seconds until its results are computed."""
        started = time.perf_counter()
        result = self._trainer.take_step(len(self.losses) + self._sent, tensors, self._states, self._scale)
        self.losses.append(float(tf.reduce_mean(result.losses)) + 0.0 * float(result.norm))
        seconds = time.perf_counter() - started
        self._states, self._scale = result.states, result.loss_scale
        return seconds

    def send(self, tensors: Sequence[tf.Tensor]) -> StepResult:
        """Takes a step without waiting for its results."""
        result = self._trainer.take_step(len(self.losses) + self._sent, tensors, self._states, self._scale)
        self._sent += 1
        self._states, self._scale = result.states, result.loss_scale
        return result

    def graph(self) -> Any:
        """The graph of the step, as a concrete function; after the first step."""
        return self._trainer.take_step._function.get_concrete_function()

    def estimate_run_memory(self, stream: PrefetchedStream) -> MemoryEstimate:
        """Estimates the memory of a step as a run does, from the shapes of the first window."""
        return estimate_run_memory(self.options, self._trainer.variables, stream, self._precision)
