"""Makes the optimizer that the training options ask for."""

from collections.abc import Mapping

import tensorflow as tf

from elmo_tf.training.adam import SparseAdam
from elmo_tf.training.optimizer import Optimizer, SparseAdagrad
from elmo_tf.training.schedule import learning_rate
from elmo_tf.training_options import TrainingOptions


def make_optimizer(
    training: TrainingOptions, variables: Mapping[str, tf.Variable], total_steps: int | None = None
) -> Optimizer:
    """Makes the optimizer of a run, in the scope of the strategy that its weights were made in.

    Args:
        training: the training options.
        variables: the weights by name.
        total_steps: the steps of the run, at whose end the learning rate is 0 if it falls; None where it has no end.
    """
    rate, can_be_reduced = learning_rate(training, total_steps), training.plateau_patience > 0
    if training.optimizer == "adagrad":
        return SparseAdagrad(variables, rate, can_be_reduced=can_be_reduced)
    return SparseAdam(
        variables,
        rate,
        training.beta_1,
        training.beta_2,
        training.adam_epsilon,
        training.weight_decay,
        can_be_reduced=can_be_reduced,
    )
