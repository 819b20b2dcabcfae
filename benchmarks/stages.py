"""Stages of the training step: first without its optimizations, then with one more of them in each stage.

All stages compute the same numbers. The optimizations that a stage leaves out are switched off by patches while its
graph is traced, because the package has no flags for them.
"""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from unittest import mock

import numpy as np
import tensorflow as tf

from benchmarks.trainer import TimedTrainer
from elmo_tf.data.characters import PADDING
from elmo_tf.data.windows import Window
from elmo_tf.layers import cross_entropy, fused_recurrence, token_encoder
from elmo_tf.training.step_input import flatten_step, unflatten_step

_WORDS_BUCKET, _CHARACTERS_BUCKET = 256, 8


@dataclass(frozen=True)
class Stage:
    """The differences between a stage and the training itself.

    Args:
        name: the name in the table.
        every_token: whether each token is encoded, instead of each distinct word.
        full_width: whether words are convolved up to `max_characters_per_token`, in one group, by TensorFlow's own
            convolution and gradients.
        implementation: how the LSTM is computed, as for `BiLM`.
        compiled: whether gates and sampled softmax are compiled as kernels.
        jit_compile: whether XLA compiles loss and gradients as a whole.
    """

    name: str
    every_token: bool = False
    full_width: bool = False
    implementation: str = "fused"
    compiled: bool = True
    jit_compile: bool = False

    @contextlib.contextmanager
    def traced(self) -> Iterator[None]:
        """A context in which the graph of this stage must be traced."""
        with contextlib.ExitStack() as stack:
            if not self.compiled:
                for module in (fused_recurrence, cross_entropy):
                    stack.enter_context(mock.patch.object(module, "compile_elementwise", _as_it_is))
            if self.full_width:
                stack.enter_context(mock.patch.object(token_encoder, "map_in_length_buckets", _in_one_group))
                stack.enter_context(mock.patch.object(token_encoder, "convolve_and_max_pool", _convolve_and_max_pool))
            yield

    def convert(self, window: Window, max_characters: int) -> Window:
        """Converts a window of the training into one for this stage."""
        words, inputs = window.words, window.inputs
        if self.full_width and words.ndim > 1:
            words = _pad(words, 0, max_characters - words.shape[1])
        if self.every_token:
            words = words[inputs.ravel()]
            inputs = np.arange(inputs.size, dtype=inputs.dtype).reshape(inputs.shape)
        return window._replace(words=words, inputs=inputs)


STAGES = (
    Stage("every token encoded, plain LSTM", True, True, "plain", False),
    Stage("distinct words once", False, True, "plain", False),
    Stage("+ own backward pass", False, True, "fused", False),
    Stage("+ convolved by length", compiled=False),
    Stage("+ compiled gates, softmax: as trained"),
    Stage("jit_compile", jit_compile=True),
)
TRAINED = next(stage for stage in STAGES if stage == Stage(stage.name))


def _as_it_is(function: Callable[..., Any], *_: tf.Tensor) -> Callable[..., Any]:
    return function


def _in_one_group(ids: tf.Tensor, _padding: int, _margin: int, compute: Callable[..., Any]) -> tf.Tensor:
    return compute(ids)


def _convolve_and_max_pool(characters: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    return tf.reduce_max(tf.nn.conv1d(characters, kernel, stride=1, padding="VALID"), 1)


def _pad_to_bucket(window: Window, max_characters: int) -> Window:
    """Pads a window so that there are only a few shapes, because XLA compiles anew for each of them."""
    words = window.words
    if words.ndim == 1:
        return window._replace(words=np.pad(words, (0, -len(words) % _WORDS_BUCKET), mode="edge"))
    characters = min(max_characters, words.shape[1] + -words.shape[1] % _CHARACTERS_BUCKET)
    return window._replace(words=_pad(words, -len(words) % _WORDS_BUCKET, characters - words.shape[1]))


def _pad(words: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """Appends columns of padding, and rows that repeat the last word."""
    return np.pad(np.pad(words, [(0, 0), (0, columns)], constant_values=PADDING), [(0, rows), (0, 0)], mode="edge")


class Staged:
    """A stage of the training step, with a model of its own."""

    def __init__(self, stage: Stage, trainer: TimedTrainer) -> None:
        self.stage, self.trainer = stage, trainer
        char_cnn = trainer.options.char_cnn
        self._max_characters = 0 if char_cnn is None else char_cnn.max_characters_per_token

    def __call__(self, tensors: Sequence[tf.Tensor]) -> float:
        """Takes a step; returns its seconds, without the time in which the input is converted for the stage."""
        if self.stage.every_token or self.stage.full_width or self.trainer.jit_compile:
            tensors = self._convert(tensors)
        with self.stage.traced():
            return self.trainer(tensors)

    def _convert(self, tensors: Sequence[tf.Tensor]) -> list[tf.Tensor]:
        step = unflatten_step([tensor.numpy() for tensor in tensors])
        windows = tuple(self.stage.convert(window, self._max_characters) for window in step.windows)
        if self.trainer.jit_compile:
            windows = tuple(_pad_to_bucket(window, self._max_characters) for window in windows)
        return [tf.constant(array) for array in flatten_step(step._replace(windows=windows))]
