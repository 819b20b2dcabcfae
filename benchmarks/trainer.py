"""A training step as the training runs it, put together for a benchmark."""

import time
from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from elmo_tf.data.training_stream import StreamSettings, TrainingStream
from elmo_tf.models.language_model import LanguageModel
from elmo_tf.models.weight_names import named_variables
from elmo_tf.options import Options
from elmo_tf.training.input_checks import RunInput
from elmo_tf.training.memory_estimate import MemoryEstimate, estimate_run_memory
from elmo_tf.training.optimizer import LossScale, SparseAdagrad
from elmo_tf.training.prefetch import PrefetchedStream
from elmo_tf.training.step import TrainStep


def make_stream(prepared: RunInput, parts: int = 1) -> TrainingStream:
    """The steps of a run of so many parts of `batch_size` rows."""
    training = prepared.options.training
    negatives = training.n_negative_samples_batch if training.sample_softmax else 0
    settings = StreamSettings(parts * training.batch_size, parts, 1, negatives)
    return TrainingStream(prepared.corpus, prepared.vocabulary, prepared.options, settings)


class Trainer:
    """A model and its step; each call takes one and says how long it took.

    Args:
        options: the model's.
        strategy: whose replicas compute.
        implementation: of the LSTM.
        precision: "float32", "bfloat16" or "float16".
        accumulation_steps: as for `TrainStep`.
        jit_compile: as for `TrainStep`.
    """

    def __init__(
        self,
        options: Options,
        strategy: tf.distribute.Strategy,
        implementation: str = "fused",
        precision: str = "float32",
        accumulation_steps: int = 1,
        jit_compile: bool = False,
    ) -> None:
        keras.utils.set_random_seed(1)  # all models begin alike
        policy = precision if precision == "float32" else f"mixed_{precision}"
        with strategy.scope():
            self.model = LanguageModel(options, implementation, name="language_model", dtype=policy)
            self.model.build()
            self.variables = named_variables(self.model)
            optimizer = SparseAdagrad(self.variables, options.training.learning_rate)
        self._step = TrainStep(self.model, optimizer, strategy, 1, True, accumulation_steps, jit_compile)
        self._states: Any = self._step.zero_states(options.training.batch_size)
        self._scale = LossScale.first(self.model.compute_dtype)
        self.jit_compile = jit_compile
        self.losses: list[float] = []

    def __call__(self, tensors: Sequence[tf.Tensor]) -> float:
        """Takes a step; seconds until its results are there."""
        started = time.perf_counter()
        result = self._step(len(self.losses), tensors, self._states, self._scale)
        self.losses.append(float(tf.reduce_mean(result.losses)) + 0.0 * float(result.norm))
        seconds = time.perf_counter() - started
        self._states, self._scale = result.states, result.loss_scale
        return seconds

    def estimate_run_memory(self, stream: PrefetchedStream) -> MemoryEstimate:
        """As the training estimates it, by the shapes of the first window."""
        return estimate_run_memory(self.model.options, self.variables, stream)
