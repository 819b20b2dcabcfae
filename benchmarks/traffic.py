"""The bytes that a training step sends between replicas, counted by formula; without TensorFlow.

With R replicas, a ring sums dense gradients of D bytes by sending 2 (R - 1) / R D from each replica: every part of them
goes round once to be summed and once more to be known. Rows of sparse gradients are gathered: each replica's S bytes,
values and indices, go to the R - 1 others, and every replica sends, its own and those it passes on, (R - 1) S.
"""

from dataclasses import dataclass

import numpy as np

from elmo_tf.data.steps import Step
from elmo_tf.models.weight_names import expected_shapes
from elmo_tf.options import Options

LINKS = {"NVLink 4": 450e9, "PCIe 4.0 x16": 32e9}
"""Bytes a second in one direction, on paper: of an H100 or H200 to its NVSwitch (900 GB/s in both directions together),
and of 16 lanes of PCIe 4.0 (16 GT/s a lane). Measured rates are some three quarters of these."""


@dataclass(frozen=True)
class Traffic:
    """The gradients of one replica that the others need.

    Args:
        dense: bytes of dense gradients.
        sparse: bytes of the rows of sparse gradients, and of their indices.
    """

    dense: int
    sparse: int

    def sent(self, replicas: int) -> float:
        """Bytes that each replica sends in a step.

        >>> Traffic(dense=1000, sparse=10).sent(4)
        1530.0
        """
        return 2 * (replicas - 1) / replicas * self.dense + (replicas - 1) * self.sparse


def of_step(options: Options, step: Step, gradient_dtype: str = "float32") -> Traffic:
    """Counts the gradients of a step.

    Args:
        options: the model's options, with `n_tokens_vocab`.
        step: the input of the step, whose first part is counted.
        gradient_dtype: the type in which dense gradients are summed.
    """
    dim, window = options.lstm.projection_dim, step.windows[0]
    rows, dense = 0, 0
    for name, shape in expected_shapes(options, softmax=True).items():
        if name.startswith("softmax/"):
            continue
        if name == "embedding":
            rows += len(window.words) * (4 * dim + 4)
        else:
            dense += int(np.prod(shape))
    if options.training.sample_softmax:
        touched = len(np.union1d(window.targets, step.negatives))
        rows += touched * (4 * dim + 4 + 8)  # a row, its bias, and the indices of both
    else:
        dense += (options.n_tokens_vocab or 0) * (dim + 1)
    return Traffic(dense * (2 if gradient_dtype == "bfloat16" else 4), rows)
