"""One training step on all replicas: gradients, their sum, the clip, Adagrad, and the LSTM states for the next step."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import tensorflow as tf

from elmo_tf.bilm import BiLMState
from elmo_tf.data.windows import Window
from elmo_tf.exchange.names import named_variables
from elmo_tf.language_model import LanguageModel
from elmo_tf.optimizer import Gradient, SparseAdagrad, clipped_by_global_norm, deduplicated

States = tuple[BiLMState, ...]
"""One biLM state a replica, each of its own rows."""


class StepResult(NamedTuple):
    """What a step gives.

    Args:
        losses: mean cross-entropy in nats by replica and direction `(replicas, directions)`, before the factor
            `unroll_steps`; of the sampled softmax, if the model samples.
        norm: norm of the summed gradient before the clip.
        states: LSTM states after the window.
    """

    losses: tf.Tensor
    norm: tf.Tensor
    states: States


class TrainStep:
    """The compiled step.

    The gradient is that of the mean loss of both directions times `unroll_steps`, averaged over replicas; then repeated
    rows are summed, then the global norm is clipped, then Adagrad is applied once (bilm-tf's `training.py`, `train`).
    Clipping each replica's gradient first would be another optimizer.

    Args:
        model: built in the strategy's scope.
        optimizer: made in the strategy's scope.
        strategy: whose replicas compute.
        seed: of the dropout masks, which are a function of (seed, step, replica).
        fresh_states: whether a row whose window begins with a sentence starts from the zero state, instead of the one
            that the sentences before it left. bilm-tf never does so, and can end in a model whose LSTM holds some cell
            at its bound all through the training, and does badly from zero, where embeddings start.
    """

    def __init__(
        self,
        model: LanguageModel,
        optimizer: SparseAdagrad,
        strategy: tf.distribute.Strategy,
        seed: int = 1,
        fresh_states: bool = False,
    ) -> None:
        self._fresh = fresh_states
        self._model, self._optimizer, self._strategy, self._seed = model, optimizer, strategy, seed
        self._training = model.options.training
        self._variables = list(named_variables(model).values())
        self._replicas = strategy.num_replicas_in_sync
        self._function: Any = None

    def __call__(self, step: int, tensors: Sequence[tf.Tensor], states: States) -> StepResult:
        """Takes one step.

        Args:
            step: its number, which the dropout masks are a function of.
            tensors: the input, in the order of `elmo_tf.data.lm_stream.flat`.
            states: LSTM states before the window.
        """
        if self._function is None:
            self._function = tf.function(self._step, input_signature=self._signature(tensors, states), autograph=False)
        return StepResult(*self._function(tf.constant(step, tf.int32), tuple(tensors), states))

    def zero_states(self, rows: int) -> States:
        """The states that a text starts from.

        Args:
            rows: rows of one replica.
        """
        return tuple(self._model.zero_state(rows) for _ in range(self._replicas))

    def _signature(self, tensors: Sequence[tf.Tensor], states: States) -> tuple[Any, ...]:
        """One trace for all steps: the number of distinct words, and their longest, are left open."""
        words = {2 + len(Window._fields) * replica for replica in range(self._replicas)}
        specs = tuple(
            tf.TensorSpec([None] * tensor.shape.rank if number in words else tensor.shape, tensor.dtype)
            for number, tensor in enumerate(tensors)
        )
        state_specs = tf.nest.map_structure(lambda state: tf.TensorSpec(state.shape, state.dtype), states)
        return tf.TensorSpec([], tf.int32), specs, state_specs

    def _step(self, step: tf.Tensor, tensors: Sequence[tf.Tensor], states: States) -> tuple[Any, ...]:
        negatives, tries, *windows = tensors
        size = len(Window._fields)
        parts = [(Window(*windows[size * k : size * (k + 1)]), states[k]) for k in range(self._replicas)]
        inputs = self._strategy.experimental_distribute_values_from_function(
            lambda context: parts[context.replica_id_in_sync_group]
        )
        losses, norm, new_states = self._strategy.run(self._replica_step, (step, inputs, negatives, tries))
        local = self._strategy.experimental_local_results
        flat_states = [local(state) for state in tf.nest.flatten(new_states)]
        per_replica = tuple(
            tf.nest.pack_sequence_as(states[k], [parts[k] for parts in flat_states]) for k in range(self._replicas)
        )
        return tf.stack(local(losses)), local(norm)[0], per_replica

    def _replica_step(
        self, step: tf.Tensor, inputs: tuple[Window, BiLMState], negatives: tf.Tensor, tries: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, BiLMState]:
        window, state = inputs
        if self._fresh:
            state = _begun_afresh(state, window.begins)
        context = tf.distribute.get_replica_context()
        sampled = negatives.shape[1] > 0
        seed = tf.random.experimental.stateless_fold_in(
            tf.stack([tf.constant(self._seed, tf.int32), step]), context.replica_id_in_sync_group
        )
        with tf.GradientTape() as tape:
            entropies, new_state = self._model(
                window.words,
                window.inputs,
                window.targets,
                state=state,
                negatives=negatives if sampled else None,
                tries=tries if sampled else None,
                dropout_seed=seed,
            )
            losses = tf.reduce_mean(entropies, [1, 2])
            objective = tf.reduce_mean(losses) * self._training.unroll_steps / self._replicas
        gradients = self._summed(tape.gradient(objective, self._variables), context)
        gradients, norm = clipped_by_global_norm(gradients, self._training.all_clip_norm_val)
        self._optimizer.apply(gradients)
        return losses, norm, new_state

    def _summed(self, gradients: Sequence[Gradient], context: Any) -> list[Gradient]:
        """Over replicas, sparse gradients by their rows, which stay few."""
        own = [deduplicated(gradient) for gradient in gradients]
        if self._replicas == 1:
            return own
        return [deduplicated(gradient) for gradient in context.all_reduce(tf.distribute.ReduceOp.SUM, own)]


def _begun_afresh(state: BiLMState, begins: tf.Tensor) -> BiLMState:
    """Zero states for the rows `begins` `(directions, B)`, the others as they are."""
    kept = [tf.cast(tf.logical_not(rows), tf.float32)[:, None] for rows in tf.unstack(begins)]
    return tuple(
        tuple((cell * tf.cast(keep, cell.dtype), output * tf.cast(keep, output.dtype)) for cell, output in layers)
        for layers, keep in zip(state, kept, strict=True)
    )
