"""The input of a training step, and the order in which its arrays travel: the one place that knows it."""

from typing import NamedTuple

import numpy as np

from elmo_tf.data.windows import Window


class Step(NamedTuple):
    """The input of one training step.

    Args:
        windows: one a part.
        negatives: word ids int32 `(directions, n)`, the same for all parts; `(directions, 0)` without sampling.
        tries: how many draws each sample took, float32 `(directions,)`.
    """

    windows: tuple[Window, ...]
    negatives: np.ndarray
    tries: np.ndarray
