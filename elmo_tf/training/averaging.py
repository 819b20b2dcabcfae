"""A moving average of the weights, which validation, the best checkpoint and export use in their place."""

import contextlib
from collections.abc import Iterator, Mapping

import tensorflow as tf


class WeightAverage:
    """An exponential moving average of all weights (Polyak and Juditsky 1992; as in `tf.train`'s of TensorFlow 1).

    At every `every`-th step, of number n among these, `average += (1 - d) (weight - average)` with
    `d = min(decay, (1 + n) / (10 + n))`: a short run is not bound to its first weights. The average does not change
    the training. It costs one pass over all weights in `every` steps, and the memory of a second copy of them.

    Args:
        variables: the weights by name.
        decay: the largest d.
        every: steps from one update to the next.

    Example:

    >>> weight = tf.Variable([0.0])
    >>> average = WeightAverage({"x": weight}, decay=0.25, every=1)
    >>> _ = weight.assign([8.0])
    >>> average.update(step=1)
    >>> with average.in_place():
    ...     print(round(float(weight[0]), 3))
    6.545
    >>> float(weight[0])
    8.0
    """

    def __init__(self, variables: Mapping[str, tf.Variable], decay: float, every: int) -> None:
        self._variables, self._decay, self._every = dict(variables), decay, every
        self.averages = {
            name: tf.Variable(tf.convert_to_tensor(variable), trainable=False, name=f"{name}/average".replace("/", "_"))
            for name, variable in variables.items()
        }
        self._move = tf.function(self._move_all, autograph=False)

    def reset(self) -> None:
        """Makes the average that of the weights as they are now alone."""
        for name, variable in self._variables.items():
            self.averages[name].assign(variable)

    def update(self, step: int) -> None:
        """Takes the weights after this number of steps into the average, if it is the turn of that step."""
        if step % self._every == 0:
            number = step // self._every
            self._move(tf.constant(1.0 - min(self._decay, (1 + number) / (10 + number)), tf.float32))

    @contextlib.contextmanager
    def in_place(self) -> Iterator[None]:
        """Exchanges the weights and the averages within the block, so that the model computes with the averages."""
        self._exchange()
        try:
            yield
        finally:
            self._exchange()

    def _move_all(self, share: tf.Tensor) -> None:
        for name, variable in self._variables.items():
            average = self.averages[name]
            average.assign_add(share * (tf.convert_to_tensor(variable) - average))

    def _exchange(self) -> None:
        for name, variable in self._variables.items():
            average, value = self.averages[name], tf.identity(tf.convert_to_tensor(variable))
            variable.assign(tf.convert_to_tensor(average))
            average.assign(value)
