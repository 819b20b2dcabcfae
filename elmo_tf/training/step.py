"""One training step on all replicas: gradients, their sum, the clip, the optimizer, and the LSTM states after it."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import tensorflow as tf

from elmo_tf.data.windows import Window
from elmo_tf.layers.host import on_host
from elmo_tf.models.language_model import LanguageModel, WeightMasks
from elmo_tf.models.state import BiLMState
from elmo_tf.models.weight_names import named_variables
from elmo_tf.training.all_reduce import AllReduce
from elmo_tf.training.gradients import (
    Gradient,
    add_gradients,
    clip_by_global_norm,
    divide_gradient,
    sum_repeated_rows,
)
from elmo_tf.training.loss_scale import LossScale
from elmo_tf.training.optimizer import Optimizer
from elmo_tf.training.state import LstmStates
from elmo_tf.training.step_input import signature, unflatten_step

_NO_PART = -1
"""Stands in a seed for the number of a part, which is at least 0, where all parts have the same masks."""


class StepResult(NamedTuple):
    """The result of a training step.

    Args:
        losses: the mean cross-entropy in nats of each replica of this worker and each direction,
            `(replicas, directions)`, before it is multiplied by `unroll_steps`; that of the sampled softmax, if the
            model is trained with it.
        norm: the norm of the summed gradient before the clip; where it is not finite, no weight was updated.
        states: the LSTM states of the next step, of this worker's parts: those after the window, or those before it
            where the step was skipped because its gradient is not finite and no smaller loss scale can help.
        loss_scale: the loss scale of the next step.
    """

    losses: tf.Tensor
    norm: tf.Tensor
    states: LstmStates
    loss_scale: LossScale


class TrainStep:
    """A training step, compiled on the first call.

    The objective is the mean loss of both directions times `unroll_steps`, averaged over parts. Of its gradient the
    repeated rows are summed, then the global norm is clipped, then the optimizer is applied once, as in bilm-tf
    (`training.py`, `train`). Clipping the gradient of each replica by itself would be another optimizer. The options
    `activation_regularization` and `temporal_activation_regularization` add penalties to the loss in the objective, and
    not to the loss that is reported.

    Args:
        model: the model, built in the strategy's scope.
        optimizer: the optimizer, made in the strategy's scope.
        strategy: the strategy whose replicas compute.
        seed: the seed of the dropout masks, which are a function of (seed, step, part). Those of the recurrent kernels
            are a function of (seed, step): all rows of a step have the same, however they are divided into parts.
        fresh_states: whether a row whose window begins with a sentence starts from the zero state, instead of the state
            after the sentence before it. bilm-tf always carries states on. Its LSTM can then learn to hold some cell at
            its bound throughout the training, and such a model does badly from the zero state, where embeddings start.
        accumulation_steps: the number of parts that a replica takes one after the other, in the memory of one, before
            the weights are updated: the step of a batch as many times larger.
        jit_compile: whether XLA compiles the loss and gradients of a part. Look-ups in the large tables, dropout masks,
            sums over replicas and the optimizer are not compiled by XLA.
        all_reduce: sums the gradients of all replicas; by default in float32, as TensorFlow chooses.
    """

    def __init__(
        self,
        model: LanguageModel,
        optimizer: Optimizer,
        strategy: tf.distribute.Strategy,
        seed: int = 1,
        fresh_states: bool = False,
        accumulation_steps: int = 1,
        jit_compile: bool = False,
        all_reduce: AllReduce | None = None,
    ) -> None:
        self._all_reduce = all_reduce or AllReduce()
        self._fresh, self._jit_compile = fresh_states, jit_compile
        self._model, self._optimizer, self._strategy, self._seed = model, optimizer, strategy, seed
        self._training = model.options.training
        self._weights = named_variables(model)
        self._variables = list(self._weights.values())
        self._replicas, self._accumulation = strategy.num_replicas_in_sync, accumulation_steps
        self._parts = self._replicas * accumulation_steps
        self._scales = model.compute_dtype == "float16"
        self._function: Any = None

    def __call__(
        self, step: int, tensors: Sequence[tf.Tensor], states: LstmStates, loss_scale: LossScale | None = None
    ) -> StepResult:
        """Takes one step.

        Args:
            step: the step's number, which decides the dropout masks.
            tensors: the input, in the order of `elmo_tf.training.step_input.flatten_step`, with the windows of this
                worker's parts.
            states: the LSTM states before the window, of the same parts.
            loss_scale: the loss scale that the step before returned; that of a first step if left out.
        """
        scale = LossScale.first(self._model.compute_dtype) if loss_scale is None else loss_scale
        function = self._compiled(tensors, states)
        return StepResult(*function(tf.constant(step, tf.int32), tuple(tensors), states, scale))

    def trace(self, tensors: Sequence[Any], states: LstmStates) -> Any:
        """Traces the step for input and states of these shapes; returns the concrete function, which is not run."""
        return self._compiled(tensors, states).get_concrete_function()

    def _compiled(self, tensors: Sequence[Any], states: LstmStates) -> Any:
        if self._function is None:
            self._function = tf.function(self._step, input_signature=self._signature(tensors, states), autograph=False)
        return self._function

    def zero_states(self, rows: int) -> LstmStates:
        """The LSTM states that a text starts from, of the parts of all workers.

        Args:
            rows: the rows of one part.
        """
        return tuple(self._model.zero_state(rows) for _ in range(self._parts))

    def _signature(self, tensors: Sequence[tf.Tensor], states: LstmStates) -> tuple[Any, ...]:
        """The shapes and types of the arguments, for one trace that serves all steps.

        The number of distinct words and their length are left open.
        """
        state_specs = tf.nest.map_structure(lambda state: tf.TensorSpec(state.shape, state.dtype), states)
        return tf.TensorSpec([], tf.int32), signature(tensors), state_specs, LossScale.signature()

    def _step(
        self, step: tf.Tensor, tensors: Sequence[tf.Tensor], states: LstmStates, scale: LossScale
    ) -> tuple[Any, ...]:
        windows, negatives, tries = unflatten_step(tensors)
        parts, own = list(zip(windows, states, strict=True)), self._accumulation
        replicas = len(parts) // own  # those of this worker

        def inputs_of(context: Any) -> tuple[Any, ...]:
            first = context.replica_id_in_sync_group % replicas * own
            return tuple(parts[first : first + own])

        inputs = self._strategy.experimental_distribute_values_from_function(inputs_of)
        losses, norm, new_states = self._strategy.run(
            self._replica_step, (step, inputs, negatives, tries, scale.factor)
        )
        local = self._strategy.experimental_local_results
        flat_states = [local(state) for state in tf.nest.flatten(new_states)]
        per_replica = [
            tf.nest.pack_sequence_as(states[:own], [replicas[k] for replicas in flat_states]) for k in range(replicas)
        ]
        with on_host():
            new_scale = scale.after(tf.math.is_finite(local(norm)[0])) if self._scales else scale
        return tf.stack(local(losses)), local(norm)[0], tuple(s for part in per_replica for s in part), new_scale

    def _replica_step(
        self,
        step: tf.Tensor,
        inputs: Sequence[tuple[Window, BiLMState]],
        negatives: tf.Tensor,
        tries: tf.Tensor,
        factor: tf.Tensor,
    ) -> tuple[tf.Tensor, tf.Tensor, tuple[BiLMState, ...]]:
        context = tf.distribute.get_replica_context()
        compute = self._gradients if len(inputs) == 1 else tf.function(self._gradients, autograph=False)
        weight_masks = self._weight_masks(step)
        entropies, new_states = [], []
        gradients: list[Gradient] = []
        for number, (window, state) in enumerate(inputs):
            part = context.replica_id_in_sync_group * len(inputs) + number
            # TensorFlow must compute the parts one after the other, or all would be in memory at one time
            before = [g.values if isinstance(g, tf.IndexedSlices) else g for g in gradients]
            with tf.control_dependencies(before):
                losses, more, new_state = compute(
                    step, tf.identity(part), window, state, negatives, tries, factor, weight_masks
                )
                gradients = [add_gradients(*pair) for pair in zip(gradients, more, strict=True)] if gradients else more
            entropies.append(losses)
            new_states.append(new_state)
        if self._replicas > 1:
            gradients = self._all_reduce(gradients, self._weights)
        gradients, norm = clip_by_global_norm(gradients, self._training.all_clip_norm_val)
        self._apply(gradients, norm, step)
        is_taken = tf.math.is_finite(norm) | (factor > 1.0)
        before_step = tuple(state for _, state in inputs)
        states = tf.nest.map_structure(lambda new, old: tf.where(is_taken, new, old), tuple(new_states), before_step)
        return tf.add_n(entropies) / len(inputs), norm, states

    def _gradients(
        self,
        step: tf.Tensor,
        part: tf.Tensor,
        window: Window,
        state: BiLMState,
        negatives: tf.Tensor,
        tries: tf.Tensor,
        factor: tf.Tensor,
        weight_masks: WeightMasks | None,
    ) -> tuple[tf.Tensor, list[Gradient], BiLMState]:
        """Computes the losses, gradients and new state of one part; the objective is multiplied by `factor`."""
        sampled = (negatives, tries) if negatives.shape[1] > 0 else (None, None)
        with on_host():
            seed = tf.random.experimental.stateless_fold_in(tf.stack([tf.constant(self._seed, tf.int32), step]), part)
        masks = self._model.dropout_masks(
            seed, window.inputs.shape[1], window.inputs.shape[2], window.inputs, tf.shape(window.words)[0]
        )
        with tf.GradientTape() as tape:
            looked_up = self._model.look_up(window.words, window.targets, sampled[0])
            entropies, new_state, *penalties = self._entropies()(
                looked_up, window, state, *sampled, masks, weight_masks
            )
            losses = tf.reduce_mean(entropies, [1, 2])
            trained = losses + penalties[0] if penalties else losses
            objective = tf.reduce_mean(trained) * self._training.unroll_steps / self._parts
            scaled = objective * factor if self._scales else objective
        gradients = [sum_repeated_rows(gradient) for gradient in tape.gradient(scaled, self._variables)]
        if self._scales:
            gradients = [divide_gradient(gradient, factor) for gradient in gradients]
        return losses, gradients, new_state

    def _entropies(self) -> Any:
        """The function that computes the result of the model, compiled by XLA if asked to.

        Every replica has a function of its own, because it reads the variables of that replica.
        """

        def entropies(
            looked_up: Any,
            window: Window,
            state: BiLMState,
            negatives: Any,
            tries: Any,
            masks: Any,
            weight_masks: WeightMasks | None,
        ) -> tuple[Any, ...]:
            result: tuple[Any, ...] = self._model(
                window.words,
                window.inputs,
                window.targets,
                state=_reset_rows(state, window.begins) if self._fresh else state,
                negatives=negatives,
                tries=tries,
                dropout_masks=masks,
                looked_up=looked_up,
                weight_masks=weight_masks,
                with_penalties=self._training.regularizes_activations,
            )
            return result

        return tf.function(entropies, jit_compile=True, autograph=False) if self._jit_compile else entropies

    def _weight_masks(self, step: tf.Tensor) -> WeightMasks | None:
        """Draws the masks of the recurrent kernels once for all parts of a step; None without `weight_dropout`."""
        if not self._training.weight_dropout:
            return None
        with on_host():
            of_step = tf.stack([tf.constant(self._seed, tf.int32), step])
            seed = tf.random.experimental.stateless_fold_in(of_step, _NO_PART)
        return self._model.weight_masks(seed)

    def _apply(self, gradients: Sequence[Gradient], norm: tf.Tensor, step: tf.Tensor) -> None:
        """Updates the weights, unless a gradient is not finite."""
        tf.cond(tf.math.is_finite(norm), lambda: self._optimizer.apply(gradients, step), lambda: None)


def _reset_rows(state: BiLMState, begins: tf.Tensor) -> BiLMState:
    """Sets the states of the rows where `begins` `(directions, B)` is true to zero."""
    fresh = [rows[:, None] for rows in tf.unstack(begins)]
    return tuple(
        tuple(tuple(tf.where(rows, tf.zeros([], part.dtype), part) for part in layer) for layer in layers)
        for layers, rows in zip(state, fresh, strict=True)
    )
