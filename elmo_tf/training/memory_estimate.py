"""An estimate of the memory that a training step takes, counted from the sizes of its tensors."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import tensorflow as tf

from elmo_tf.errors import InputError
from elmo_tf.models.weight_names import expected_shapes
from elmo_tf.options import Options
from elmo_tf.training.device_memory import machine_memory as machine_memory
from elmo_tf.training.prefetch import PrefetchedStream

_FLOAT, _HALF = 4, 2


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
    options: Options,
    n_weights: int,
    n_sparse: int,
    rows: int,
    distinct: int,
    characters: int,
    precision: str = "float32",
) -> MemoryEstimate:
    """Estimates the memory of a training step on one replica.

    A step holds most in one of four moments, by the sizes of the model: when the softmax is computed, at the first LSTM
    layer of the backward pass, at the token encoder's, or when the optimizer applies the gradients.

    Args:
        options: the model's; of its training options those that decide what a step holds are read.
        n_weights: the count of numbers in all weights.
        n_sparse: the count of those whose gradient is sparse: in the softmax and the word embedding.
        rows: rows of the replica, B.
        distinct: distinct words of a window, U.
        characters: character ids that a word is encoded with, C.
        precision: what the products are computed in.
    """
    training = options.training
    width = _FLOAT if precision == "float32" else _HALF
    tokens = rows * training.unroll_steps * options.directions
    dense = n_weights - n_sparse
    narrow_weights = 0 if width == _FLOAT else width * dense  # cast from the float32 ones in every step
    lstm, encoder = _lstm(options, tokens, width), _encoder(options, distinct, characters, width)
    softmax, sampled_rows = _softmax(options, tokens, n_sparse)
    moments = (
        lstm.kept + encoder.kept + softmax + sampled_rows,
        lstm.kept + encoder.kept + lstm.passing + _FLOAT * dense // options.lstm.n_layers + sampled_rows,
        encoder.kept + encoder.passing + _FLOAT * dense + sampled_rows,
        2 * _FLOAT * dense + 2 * sampled_rows,  # the gradients, and their clipped copies
    )
    copies, slots = (2 if training.average_decay else 1), (1 if training.optimizer == "adagrad" else 2)
    name = "Adagrad" if training.optimizer == "adagrad" else "Adam"
    held = narrow_weights + max(moments)
    held += held // 20  # the fragments between tensors that come and go
    return MemoryEstimate(copies * _FLOAT * n_weights, slots * _FLOAT * n_weights, held, name)


class _Bytes(NamedTuple):
    """The bytes of a part of the model.

    Args:
        kept: those kept from the forward pass for the backward pass.
        passing: those held beside them while the backward pass is in this part.
    """

    kept: int
    passing: int


def _softmax(options: Options, tokens: int, n_sparse: int) -> tuple[int, int]:
    """Counts the bytes of the logits, and of the rows of the softmax or their gradients.

    The sampled softmax holds the products of all directions, what XLA makes of them in between, and the exponentials.
    """
    training = options.training
    if not training.sample_softmax:
        return 2 * _FLOAT * tokens * min(8192, options.n_tokens_vocab or 0), _FLOAT * n_sparse
    negatives, targets = options.directions * training.n_negative_samples_batch, tokens
    return (
        3 * _FLOAT * tokens * training.n_negative_samples_batch,
        2 * _FLOAT * (negatives + targets) * options.lstm.projection_dim,
    )


def _lstm(options: Options, tokens: int, width: int) -> _Bytes:
    """Counts the bytes of the LSTM.

    Every layer keeps its gates, its cells in float32, the inputs of its projection, and its outputs. One layer at a
    time holds the gradients of its gates step by step and together, and its transposed weights. With dropped weights,
    every layer keeps the mask of the recurrent weights, the same with ones for the other rows of the kernel, and their
    product with the kernel. A penalty on activations keeps what it squares, in float32.
    """
    lstm = options.lstm
    kept = lstm.n_layers * (width * (5 * lstm.dim + 4 * lstm.projection_dim) + _FLOAT * lstm.dim)
    passing = width * (8 * lstm.dim + 4 * lstm.projection_dim)
    kernel, projection = 2 * lstm.projection_dim * 4 * lstm.dim, lstm.dim * lstm.projection_dim
    dropped = 5 * kernel // 2 * lstm.n_layers if options.training.weight_dropout else 0
    factors = options.training.activation_regularization, options.training.temporal_activation_regularization
    squared = _FLOAT * lstm.projection_dim * sum(factor > 0.0 for factor in factors)
    return _Bytes(
        tokens * (kept + squared) + width * options.directions * dropped,
        tokens * passing + width * options.directions * (kernel + projection),
    )


def _encoder(options: Options, distinct: int, characters: int, width: int) -> _Bytes:
    """Counts the bytes of the token encoder.

    The words are in groups of like length, whose longest has half of the letters of the longest of all, on average. A
    filter reads its windows at each of them and one more.
    """
    char_cnn = options.char_cnn
    if char_cnn is None:
        return _Bytes(2 * _FLOAT * distinct * options.lstm.projection_dim, 0)
    widest = max(size for size, _ in char_cnn.filters)
    letters = max(characters - widest, characters / 3) / 2
    places = {size: letters + widest - size + 1 for size, _ in char_cnn.filters}
    read = sum(places[size] * size for size, _ in char_cnn.filters) + 2 * (letters + widest)
    outputs = [places[size] * number for size, number in char_cnn.filters]
    # the outputs of the convolutions are kept for the gradient of the maximum; that of the largest one joins them
    kept = char_cnn.embedding_dim * read + sum(outputs) + char_cnn.n_filters * (2 + 4 * char_cnn.n_highway)
    passing = max(outputs) + char_cnn.n_filters * (2 + 2 * char_cnn.n_highway)
    return _Bytes(math.ceil(width * distinct * kept), math.ceil(width * distinct * passing))


def estimate_run_memory(
    options: Options, variables: Mapping[str, tf.Variable], stream: PrefetchedStream, precision: str = "float32"
) -> MemoryEstimate:
    """Estimates the memory of a step from the shapes of the first window of the text itself.

    Args:
        options: the model's.
        variables: the weights by name.
        stream: the inputs of the steps.
        precision: what the products are computed in.
    """
    sizes, words = weight_sizes(variables), stream.first.windows[0].words
    sparse = sparse_size(sizes)
    characters = words.shape[-1] if words.ndim > 1 else 1
    rows = options.training.batch_size
    return estimate_memory(options, sum(sizes.values()), sparse, rows, len(words), characters, precision)


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
    least = estimate_memory(options, sum(sizes.values()), sparse_size(sizes), options.training.batch_size, 1, 1)
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


def sparse_size(sizes: Mapping[str, int]) -> int:
    """The count of numbers in the weights whose gradient is sparse."""
    return sum(size for name, size in sizes.items() if name == "embedding" or name.startswith("softmax/"))
