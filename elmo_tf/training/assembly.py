"""The parts of a training run, built from its settings, for `train` and for the benchmarks alike."""

from collections.abc import Mapping
from dataclasses import dataclass

import keras
import tensorflow as tf

from elmo_tf.data.encoded_stream import EncodedStream
from elmo_tf.data.stream_settings import StreamSettings
from elmo_tf.data.training_stream import TrainingStream
from elmo_tf.layers.cross_entropy import log_expected_count
from elmo_tf.models.language_model import LanguageModel
from elmo_tf.models.weight_names import named_variables
from elmo_tf.options import Options
from elmo_tf.training.all_reduce import all_reduce_of
from elmo_tf.training.averaging import WeightAverage
from elmo_tf.training.input_checks import RunInput
from elmo_tf.training.loss_scale import LossScale
from elmo_tf.training.optimizer import Optimizer
from elmo_tf.training.optimizer_choice import make_optimizer
from elmo_tf.training.settings import TrainSettings
from elmo_tf.training.state import Division, RunState
from elmo_tf.training.step import TrainStep
from elmo_tf.training.workers import Workers


@dataclass(frozen=True)
class Trainer:
    """A model, and what takes its training steps.

    Args:
        model: the language model, built in the strategy's scope.
        variables: its weights by name.
        optimizer: the optimizer of these weights.
        take_step: takes one training step.
        strategy: the strategy whose replicas compute.
        parts: the number of parts that a step's rows are dealt to: replicas times accumulation steps.
        workers: the processes that take the steps together.
        average: the moving average of the weights, if the options ask for one.
    """

    model: LanguageModel
    variables: Mapping[str, tf.Variable]
    optimizer: Optimizer
    take_step: TrainStep
    strategy: tf.distribute.Strategy
    parts: int
    workers: Workers
    average: WeightAverage | None = None


def count_parts(settings: TrainSettings, strategy: tf.distribute.Strategy) -> int:
    """The number of parts that a step's rows are dealt to: replicas times accumulation steps."""
    return int(strategy.num_replicas_in_sync) * settings.accumulation_steps


def build_trainer(
    settings: TrainSettings,
    options: Options,
    strategy: tf.distribute.Strategy,
    implementation: str = "fused",
    total_steps: int | None = None,
) -> Trainer:
    """Builds a model with new weights, its optimizer and its training step.

    Args:
        settings: the run's settings; its own `options` are not read.
        options: the model's options, with the number of words in the vocabulary.
        strategy: the strategy whose replicas compute.
        implementation: how the LSTM is computed, as for `BiLM`.
        total_steps: the steps of the run, which a falling learning rate depends on; None if there is no end.
    """
    keras.utils.set_random_seed(settings.seed)
    with strategy.scope():
        model = LanguageModel(options, implementation, name="language_model", dtype=settings.policy)
        model.build()
        if options.training.softmax_bias == "zipf":
            words = model.softmax.vocabulary_size
            model.softmax.bias.assign(log_expected_count(tf.range(words), tf.constant(1), words))
        variables = named_variables(model)
        optimizer = make_optimizer(options.training, variables, total_steps)
    take_step = TrainStep(
        model,
        optimizer,
        strategy,
        settings.seed,
        settings.fresh_states,
        settings.accumulation_steps,
        settings.jit_compile,
        all_reduce_of(settings, strategy),
    )
    parts = count_parts(settings, strategy)
    training = options.training
    average = (
        WeightAverage(variables, training.average_decay, training.average_steps) if training.average_decay else None
    )
    return Trainer(model, variables, optimizer, take_step, strategy, parts, Workers(strategy), average)


def new_state(settings: TrainSettings, prepared: RunInput, trainer: Trainer) -> RunState:
    """The state that a new run begins with, with the LSTM states of the parts of all workers.

    Args:
        settings: the run's settings.
        prepared: the run's input.
        trainer: the model and its training step.
    """
    training = prepared.options.training
    return RunState(
        seed=settings.seed,
        unroll_steps=training.unroll_steps,
        corpus=prepared.corpus.fingerprint(),
        held_out=None if prepared.validation is None else prepared.validation.fingerprint(),
        division=Division(
            trainer.parts // settings.accumulation_steps, settings.accumulation_steps, training.batch_size
        ),
        lstm_states=trainer.take_step.zero_states(training.batch_size),
        loss_scale=LossScale.first(trainer.model.compute_dtype),
    )


def make_stream(
    settings: TrainSettings,
    prepared: RunInput,
    parts: int,
    step: int = 0,
    position: str | None = None,
    own_parts: range | None = None,
) -> EncodedStream | TrainingStream:
    """Makes the stream of a run's inputs, from the encoded text if there is one.

    Args:
        settings: the run's settings.
        prepared: the run's input.
        parts: the number of parts that a step's rows are dealt to.
        step: the number of the first step.
        position: the position to continue from, as a checkpoint holds it; None to begin.
        own_parts: the parts whose windows are made; None for all.
    """
    training = prepared.options.training
    stream_settings = StreamSettings(
        rows=parts * training.batch_size,
        parts=parts,
        seed=settings.seed,
        negatives=training.n_negative_samples_batch if training.sample_softmax else 0,
        buckets=settings.jit_compile,
        own_parts=own_parts,
    )
    if prepared.encoded is not None:
        return EncodedStream(prepared.encoded, prepared.options, stream_settings, step=step, position=position)
    return TrainingStream(
        prepared.corpus, prepared.vocabulary, prepared.options, stream_settings, step=step, position=position
    )
