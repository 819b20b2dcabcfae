"""An estimate of the memory that a training step takes, counted from the sizes of its tensors."""

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass

import tensorflow as tf

from elmo_tf.errors import InputError
from elmo_tf.models.weight_names import expected_shapes
from elmo_tf.options import Options
from elmo_tf.training.prefetch import PrefetchedStream

_FLOAT = 4


@dataclass(frozen=True)
class MemoryEstimate:
    """The bytes that a training step takes on one replica.

    Args:
        weights: bytes of all weights, softmax included.
        adagrad: bytes of Adagrad's accumulators, or of Adam's moments.
        activations: the most bytes that the forward and backward passes hold at one time, and the dense gradients.
        optimizer: the optimizer's name.
    """

    weights: int
    adagrad: int
    activations: int
    optimizer: str = "Adagrad"

    @property
    def total(self) -> int:
        """The sum of all three."""
        return self.weights + self.adagrad + self.activations

    def describe(self) -> str:
        """The estimate as one line for people.

        >>> MemoryEstimate(2 * 10**9, 2 * 10**9, 500 * 10**6).describe()
        '4.5 GB a replica: weights 2.0 GB, Adagrad 2.0 GB, activations and gradients 0.5 GB'
        """
        parts = [self.total, self.weights, self.adagrad, self.activations]
        total, weights, adagrad, activations = (
            f"{part / 1e9:.1f} GB" if part >= 1e8 else f"{part / 1e6:.0f} MB" for part in parts
        )
        return (
            f"{total} a replica: weights {weights}, {self.optimizer} {adagrad}, activations and gradients {activations}"
        )


def estimate_memory(
    options: Options, n_weights: int, n_sparse: int, rows: int, distinct: int, characters: int
) -> MemoryEstimate:
    """Estimates the memory of a training step on one replica.

    Args:
        options: the model's; of its training options `unroll_steps`, `sample_softmax` and `n_negative_samples_batch`
            are read.
        n_weights: the count of numbers in all weights.
        n_sparse: the count of those whose gradient is sparse: in the softmax and the word embedding.
        rows: rows of the replica, B.
        distinct: distinct words of a window, U.
        characters: character ids that a word is encoded with, C.
    """
    training = options.training
    tokens = rows * training.unroll_steps * options.directions
    floats = _lstm(options, tokens) + _encoder(options, distinct, characters)
    if training.sample_softmax:
        # the logits and their gradients, and of each direction the sampled rows and what is kept of them
        floats += 2 * tokens * training.n_negative_samples_batch
        floats += 4 * options.directions * training.n_negative_samples_batch * options.lstm.projection_dim
    else:
        floats += n_sparse + 2 * tokens * min(8192, options.n_tokens_vocab or 0)
    floats += 2 * (n_weights - n_sparse)  # the dense gradients, and their clipped copies
    copies, slots = (2 if training.average_decay else 1), (1 if training.optimizer == "adagrad" else 2)
    name = "Adagrad" if training.optimizer == "adagrad" else "Adam"
    return MemoryEstimate(copies * _FLOAT * n_weights, slots * _FLOAT * n_weights, _FLOAT * floats, name)


def _lstm(options: Options, tokens: int) -> int:
    """Counts the floats of the LSTM.

    Every layer keeps its gates, its cells, the inputs of its projection, and its outputs. One layer at a time holds the
    products of its kernel with its inputs, or the gradients of its gates step by step and together, and its transposed
    weights.
    """
    lstm = options.lstm
    kept = lstm.n_layers * (6 * lstm.dim + 4 * lstm.projection_dim)
    passing = 8 * lstm.dim + 4 * lstm.projection_dim
    kernel, projection = 2 * lstm.projection_dim * 4 * lstm.dim, lstm.dim * lstm.projection_dim
    return tokens * (kept + passing) + options.directions * (kernel + projection)


def _encoder(options: Options, distinct: int, characters: int) -> int:
    """Counts the floats of the token encoder."""
    char_cnn = options.char_cnn
    if char_cnn is None:
        return 2 * distinct * options.lstm.projection_dim
    characters = -(-characters * 3 // 5)  # about the mean over the groups of words of like length
    read = char_cnn.embedding_dim * (2 + sum(width for width, _ in char_cnn.filters))  # the characters of each window
    windows = distinct * characters * (char_cnn.n_filters + read)
    widest = max(number for _, number in char_cnn.filters)
    # the convolutions' outputs are kept for the maximum's gradient; the widest one's gradient joins them
    return windows + distinct * characters * widest + distinct * char_cnn.n_filters * (4 + 6 * char_cnn.n_highway)


def estimate_run_memory(
    options: Options, variables: Mapping[str, tf.Variable], stream: PrefetchedStream
) -> MemoryEstimate:
    """Estimates the memory of a step from the shapes of the first window of the text itself.

    Args:
        options: the model's.
        variables: the weights by name.
        stream: the inputs of the steps.
    """
    sizes, words = weight_sizes(variables), stream.first.windows[0].words
    sparse = _sparse_size(sizes)
    characters = words.shape[-1] if words.ndim > 1 else 1
    return estimate_memory(options, sum(sizes.values()), sparse, options.training.batch_size, len(words), characters)


def weight_sizes(variables: Mapping[str, tf.Variable]) -> dict[str, int]:
    """The count of numbers in each weight, by name."""
    return {name: variable.shape.num_elements() for name, variable in variables.items()}


def check_fits_in_memory(options: Options, strategy: tf.distribute.Strategy, workers: int = 1) -> None:
    """Checks, from the options alone and before anything is built, that a run can fit into the machine's memory.

    The estimate is the least that the options can take: that of a window whose words are all the same short word. On
    GPUs, whose own memory TensorFlow does not tell, only the weights and Adagrad's accumulators count: when a
    checkpoint is saved, they are all in the machine's memory at one time.

    Args:
        options: the model's, with `n_tokens_vocab`.
        strategy: the strategy whose replicas compute.
        workers: the number of processes that the replicas are spread over, each on a machine of its own.

    Raises:
        InputError: the estimate is larger than the memory.
    """
    available = machine_memory()
    if available is None:
        return
    sizes = {name: math.prod(shape) for name, shape in expected_shapes(options, softmax=True).items()}
    least = estimate_memory(options, sum(sizes.values()), _sparse_size(sizes), options.training.batch_size, 1, 1)
    on_gpus = any("GPU" in device.upper() for device in strategy.extended.worker_devices)
    replicas = 1 if on_gpus else int(strategy.num_replicas_in_sync) // workers
    needed = least.weights + least.adagrad if on_gpus else replicas * least.total
    if needed > available:
        raise InputError(
            f"this model cannot fit into the {available / 1e9:,.1f} GB of memory of this machine: {replicas} times at "
            f"least {least.describe()}; take a smaller lstm.dim, smaller char_cnn.filters, fewer words or a smaller "
            "--batch_size",
            option="lstm.dim",
        )


def machine_memory() -> int | None:
    """The bytes of memory of this machine, swap included, or of its container; None where the system does not tell."""
    try:
        found = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") + _read_swap()
    except (AttributeError, OSError, ValueError):  # not on Windows
        return None
    limit = _read_text("/sys/fs/cgroup/memory.max").strip()
    swap = _read_text("/sys/fs/cgroup/memory.swap.max").strip()
    if limit.isdecimal() and swap.isdecimal():
        return min(found, int(limit) + int(swap))
    return found


def _read_swap() -> int:
    lines = _read_text("/proc/meminfo").splitlines()
    return sum(1024 * int(line.split()[1]) for line in lines if line.startswith("SwapTotal:"))


def _read_text(path: str) -> str:
    """The content of a file of the system; empty where it cannot be read."""
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except OSError:
        return ""


def _sparse_size(sizes: Mapping[str, int]) -> int:
    """The count of numbers in the weights whose gradient is sparse."""
    return sum(size for name, size in sizes.items() if name == "embedding" or name.startswith("softmax/"))
