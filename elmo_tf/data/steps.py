"""The input of a training step."""

from typing import NamedTuple

import numpy as np

from elmo_tf.data.windows import Window


class Step(NamedTuple):
    """The input of one training step.

    Args:
        windows: one window for each part: what a replica computes at one time.
        negatives: the sampled words' ids, int32 `(directions, n)`, the same for all parts; `(directions, 0)` where the
            training uses the full softmax.
        tries: how many draws it took to get n different words, float32 `(directions,)`.
    """

    windows: tuple[Window, ...]
    negatives: np.ndarray
    tries: np.ndarray
