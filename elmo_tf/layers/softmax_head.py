"""The layer of the softmax over the vocabulary, full or sampled."""

import math
from typing import Any

import keras
import tensorflow as tf

from elmo_tf.layers.cross_entropy import CHUNK, SampledRows, full_cross_entropy, sampled_cross_entropy
from elmo_tf.layers.initial_values import InitializedLayer
from elmo_tf.layers.variables import replica_variable


@keras.saving.register_keras_serializable(package="elmo_tf")
class SoftmaxHead(InitializedLayer):
    """Computes the cross-entropies of the next words, over the whole vocabulary or over sampled negatives.

    Args:
        vocabulary_size: number of words, V.
        own_kernel: whether the layer has a weight `W`; False if each call passes it as `kernel`, as with
            `share_embedding_softmax`. The layer always has a bias of its own.
        chunk: words of the vocabulary whose logits the full softmax holds in memory at a time.

    Call arguments:
        inputs: float tensor `(..., D)`.
        targets: word ids `(...)`, int32.
        negatives: None for the full softmax, or distinct word ids `(n,)`, int32, drawn log-uniformly.
        tries: with `negatives`, the number of draws, with repetitions, that found them; a scalar.
        kernel: with `own_kernel=False`, the weights as a `tf.Variable` `(V, D)`.
        rows: with `negatives`, the result of `look_up` for this call if the caller has it, else None.

    Returns:
        Cross-entropies `(...)` in nats, in the type of the weights (float32 also under a mixed policy). Those of the
        sampled softmax are no log-probabilities, so their exponential is no perplexity. Weights: `W` `(V, D)`,
        `b` `(V,)`.

    Example:

    >>> head = SoftmaxHead(vocabulary_size=10)
    >>> bool(np.allclose(head(np.zeros((2, 3, 4), "float32"), np.zeros((2, 3), "int32")), np.log(10)))
    True
    """

    def __init__(self, vocabulary_size: int, own_kernel: bool = True, chunk: int = CHUNK, **kwargs: Any) -> None:
        super().__init__(autocast=False, **kwargs)  # or a mixed policy would cast the whole shared table
        self.vocabulary_size, self.own_kernel, self.chunk = vocabulary_size, own_kernel, chunk

    def build(self, input_shape: Any, *_: Any) -> None:
        """Creates `W`, normal with standard deviation `1 / sqrt(D)`, and `b`, zero; D is `input_shape[-1]`."""
        size = input_shape[-1]
        if self.own_kernel:
            self.kernel = self.add_weight(
                name="W",
                shape=(self.vocabulary_size, size),
                initializer=keras.initializers.RandomNormal(stddev=1.0 / math.sqrt(size)),
                autocast=False,  # a cast of the whole table would make the sparse gradient dense
            )
        self.bias = self.add_weight(name="b", shape=(self.vocabulary_size,), initializer="zeros", autocast=False)
        self.built = True

    def call(
        self,
        inputs: tf.Tensor,
        targets: tf.Tensor,
        negatives: tf.Tensor | None = None,
        tries: tf.Tensor | None = None,
        kernel: Any = None,
        rows: SampledRows | None = None,
    ) -> tf.Tensor:
        """See the class."""
        hidden = tf.cast(tf.reshape(inputs, [-1, inputs.shape[-1]]), self.variable_dtype)
        flat_targets = tf.reshape(targets, [-1])
        if negatives is None:
            weights = tf.convert_to_tensor(self._kernel_variable(kernel))
            losses = full_cross_entropy(hidden, flat_targets, weights, tf.convert_to_tensor(self.bias), self.chunk)
        else:
            rows = self.look_up(flat_targets, negatives, kernel) if rows is None else _flatten(rows)
            losses = sampled_cross_entropy(hidden, flat_targets, rows, negatives, tries, self.vocabulary_size)
        return tf.reshape(losses, tf.shape(targets))

    def look_up(self, targets: tf.Tensor, negatives: tf.Tensor, kernel: Any = None) -> SampledRows:
        """Looks up the rows of weights and biases that the sampled loss needs.

        Their gradients are sparse, which XLA does not support: call this outside of the functions that XLA compiles.

        Args:
            targets: word ids of any shape.
            negatives: word ids of any shape.
            kernel: that of the call.
        """
        weights, bias = replica_variable(self._kernel_variable(kernel)), replica_variable(self.bias.value)
        return SampledRows(
            tf.gather(weights, targets),
            tf.gather(bias, targets),
            tf.gather(weights, negatives),
            tf.gather(bias, negatives),
        )

    def _kernel_variable(self, kernel: Any) -> Any:
        """The weights as a variable, not as its value, whose gradient would be dense."""
        if self.own_kernel:
            kernel = self.kernel
        elif kernel is None:
            raise ValueError("kernel: expected the shared weights, for the layer has none of its own, got None")
        return kernel.value if isinstance(kernel, keras.Variable) else kernel

    def compute_output_shape(self, input_shape: Any, *_: Any, **__: Any) -> Any:
        """The input's shape without its last dimension."""
        return input_shape[:-1]

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {
            **super().get_config(),
            "vocabulary_size": self.vocabulary_size,
            "own_kernel": self.own_kernel,
            "chunk": self.chunk,
        }


def _flatten(rows: SampledRows) -> SampledRows:
    return rows._replace(
        targets=tf.reshape(rows.targets, [-1, rows.targets.shape[-1]]),
        target_biases=tf.reshape(rows.target_biases, [-1]),
    )
