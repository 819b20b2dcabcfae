"""Adam and AdamW, whose sparse gradients update only the rows of a table that they touch."""

import math
from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from elmo_tf.training.gradients import Gradient
from elmo_tf.training.optimizer import Optimizer, Rate


class SparseAdam(Optimizer):
    """Adam (Kingma and Ba 2015), and with `weight_decay` AdamW (Loshchilov and Hutter 2019).

    For the n-th gradient g of a variable:

    ```
    first = beta_1 first + (1 - beta_1) g
    second = beta_2 second + (1 - beta_2) g ** 2
    variable -= learning_rate sqrt(1 - beta_2 ** n) / (1 - beta_1 ** n) first / (sqrt(second) + epsilon)
    ```

    This is the form at the end of section 2 of the paper, in which epsilon is not corrected.

    **Rows that a sparse gradient does not touch** stay as they are, and so do their moments: neither decays. Every row
    of a table has its own n, the number of gradients that it has had. A row is therefore updated exactly as by dense
    Adam in a run of those steps alone in which it was touched. With one n for the whole table, the moments of a row
    whose first gradient comes late, which still start from 0, would count as those of a long run, and the step would be
    `(1 - beta_1) / sqrt(1 - beta_2)` times too long: 3.2 times with the paper's betas. Dense Adam instead would go on
    moving all rows in every step, at a cost that grows with the vocabulary.

    Weight decay takes `learning_rate * weight_decay` of each weight in every step; of a sparse gradient's table, from
    the rows that it touches. Vectors, which are biases, are left out.

    Args:
        variables: the weights by name. The optimizer must be made in the scope of the strategy that they were made in.
        learning_rate: the step size, a number or a function of the step.
        beta_1: decay of the first moment.
        beta_2: decay of the second moment.
        epsilon: added to the root of the second moment.
        weight_decay: the share of a weight, times the learning rate, that a step takes away.
        can_be_reduced: whether the learning rate can be reduced during the run.

    Example:

    >>> table = tf.Variable([[1.0], [2.0]])
    >>> optimizer = SparseAdam({"embedding": table}, learning_rate=0.25)
    >>> optimizer.apply([tf.IndexedSlices(tf.constant([[3.0]]), tf.constant([1]), tf.constant([2, 1]))])
    >>> table.numpy().ravel().round(4)
    array([1.  , 1.75], dtype=float32)
    """

    def __init__(
        self,
        variables: Mapping[str, tf.Variable],
        learning_rate: Rate,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        weight_decay: float = 0.0,
        can_be_reduced: bool = False,
    ) -> None:
        super().__init__(variables, learning_rate, can_be_reduced)
        self.beta_1, self.beta_2, self.epsilon, self.weight_decay = beta_1, beta_2, epsilon, weight_decay
        self.first = {name: _zeros(variable.shape, name, "first") for name, variable in variables.items()}
        self.second = {name: _zeros(variable.shape, name, "second") for name, variable in variables.items()}
        # in float32, for counts of 32 bits lie in the machine's memory, not in a GPU's; long before they
        # reach 2 ** 24, above which they would not grow, the corrections are 1
        self.counts = {
            name: _zeros(variable.shape[:1] if is_table(name) else (), name, "count")
            for name, variable in variables.items()
        }

    def slots(self) -> dict[str, Any]:
        """The moments and counts, under the name `adam`."""
        return {"adam": {"first": self.first, "second": self.second, "counts": self.counts}}

    def _apply_one(self, name: str, gradient: Gradient, rate: float | tf.Tensor) -> None:
        rate = tf.convert_to_tensor(rate, tf.float32)
        if isinstance(gradient, tf.IndexedSlices):
            if not is_table(name):
                raise ValueError(f"{name}: expected a dense gradient, got a sparse one")
            self._apply_rows(name, gradient.values, gradient.indices, rate)
        elif is_table(name):  # the full softmax gives every row a gradient
            self._apply_rows(name, gradient, tf.range(tf.shape(gradient)[0]), rate)
        else:
            self._apply_dense(name, gradient, rate)

    def _apply_dense(self, name: str, gradient: tf.Tensor, rate: tf.Tensor) -> None:
        variable, count = self.variables_by_name[name], self.counts[name].handle
        if self._decays(variable):
            tf.raw_ops.ResourceApplyGradientDescent(
                var=variable.handle, alpha=rate * self.weight_decay, delta=_read(variable.handle)
            )
        number = _read(count) + 1.0
        tf.raw_ops.AssignVariableOp(resource=count, value=number)
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=self.first[name].handle,
            v=self.second[name].handle,
            beta1_power=0.0,  # the bias is corrected by the learning rate, which is more exact than 1 - beta ** n
            beta2_power=0.0,
            lr=rate * self._correction(number),
            beta1=self.beta_1,
            beta2=self.beta_2,
            epsilon=self.epsilon,
            grad=gradient,
        )

    def _apply_rows(self, name: str, gradient: tf.Tensor, rows: tf.Tensor, rate: tf.Tensor) -> None:
        variable = self.variables_by_name[name]
        first, second, count = (slots[name].handle for slots in (self.first, self.second, self.counts))
        number = _gather(count, rows) + 1.0
        mean = self.beta_1 * _gather(first, rows) + (1.0 - self.beta_1) * gradient
        square = self.beta_2 * _gather(second, rows) + (1.0 - self.beta_2) * tf.square(gradient)
        for handle, values in ((count, number), (first, mean), (second, square)):
            tf.raw_ops.ResourceScatterUpdate(resource=handle, indices=rows, updates=values)
        scale = rate * self._correction(number)
        if gradient.shape.rank > 1:
            scale = scale[:, None]
        change = scale * mean / (tf.sqrt(square) + self.epsilon)
        if self._decays(variable):
            change += rate * self.weight_decay * _gather(variable.handle, rows)
        tf.raw_ops.ResourceScatterSub(resource=variable.handle, indices=rows, updates=change)

    def _correction(self, number: tf.Tensor) -> tf.Tensor:
        """`sqrt(1 - beta_2 ** n) / (1 - beta_1 ** n)`."""
        first, second = (-tf.math.expm1(number * _log(beta)) for beta in (self.beta_1, self.beta_2))
        return tf.sqrt(second) / first

    def _decays(self, variable: tf.Variable) -> bool:
        return self.weight_decay > 0.0 and variable.shape.rank > 1


def is_table(name: str) -> bool:
    """Whether a weight is a table with a row for each word or character, whose gradient may be sparse."""
    return name in ("embedding", "char_embed") or name.startswith("softmax/")


def _zeros(shape: Any, name: str, slot: str) -> tf.Variable:
    return tf.Variable(tf.zeros(shape), trainable=False, name=f"{name}/Adam_{slot}".replace("/", "_"))


def _read(handle: tf.Tensor) -> tf.Tensor:
    return tf.raw_ops.ReadVariableOp(resource=handle, dtype=tf.float32)


def _gather(handle: tf.Tensor, rows: tf.Tensor) -> tf.Tensor:
    return tf.raw_ops.ResourceGather(resource=handle, indices=rows, dtype=tf.float32)


def _log(beta: float) -> float:
    return math.log(beta) if beta > 0.0 else -1e30
