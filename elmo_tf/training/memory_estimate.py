"""What a training step keeps in memory, by count. No TensorFlow."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import tensorflow as tf

from elmo_tf.options import Options
from elmo_tf.training.input_checks import RunInput
from elmo_tf.training.prefetch import PrefetchedStream

_FLOAT = 4


@dataclass(frozen=True)
class MemoryEstimate:
    """Bytes on one replica.

    Args:
        weights: all weights, softmax included.
        adagrad: its accumulators.
        activations: what a step's forward and backward pass hold at their largest, and the dense gradients.
    """

    weights: int
    adagrad: int
    activations: int

    @property
    def total(self) -> int:
        """All together."""
        return self.weights + self.adagrad + self.activations

    def describe(self) -> str:
        """One line for people.

        >>> MemoryEstimate(2 * 10**9, 2 * 10**9, 500 * 10**6).describe()
        '4.5 GB a replica: weights 2.0 GB, Adagrad 2.0 GB, activations and gradients 0.5 GB'
        """
        parts = [self.total, self.weights, self.adagrad, self.activations]
        total, weights, adagrad, activations = (
            f"{part / 1e9:.1f} GB" if part >= 1e8 else f"{part / 1e6:.0f} MB" for part in parts
        )
        return f"{total} a replica: weights {weights}, Adagrad {adagrad}, activations and gradients {activations}"


def estimate_memory(
    options: Options, n_weights: int, n_sparse: int, rows: int, distinct: int, characters: int
) -> MemoryEstimate:
    """Estimates a training step of one replica.

    Args:
        options: the model's; of its training `unroll_steps`, `sample_softmax` and `n_negative_samples_batch` count.
        n_weights: numbers in all weights.
        n_sparse: those of them whose gradient is sparse: softmax and word embedding.
        rows: rows of the replica, B.
        distinct: distinct words of a window, U.
        characters: characters that a word is encoded to, C.
    """
    training = options.training
    tokens = rows * training.unroll_steps * options.directions
    floats = _lstm(options, tokens) + _encoder(options, distinct, characters)
    if training.sample_softmax:
        # products, and of each direction the shares that are kept
        floats += 2 * tokens * training.n_negative_samples_batch
        floats += 4 * options.directions * training.n_negative_samples_batch * options.lstm.projection_dim
    else:
        floats += n_sparse + 2 * tokens * min(8192, options.n_tokens_vocab or 0)
    floats += 2 * (n_weights - n_sparse)  # the gradients, and their clipped copies
    return MemoryEstimate(_FLOAT * n_weights, _FLOAT * n_weights, _FLOAT * floats)


def _lstm(options: Options, tokens: int) -> int:
    """Gates, cells, what is projected and outputs of every layer; and of one layer at a time the products with its
    inputs, or the gradients of its gates, step by step and together, and its weights transposed."""
    lstm = options.lstm
    kept = lstm.n_layers * (6 * lstm.dim + 4 * lstm.projection_dim)
    passing = 8 * lstm.dim + 4 * lstm.projection_dim
    kernel, projection = 2 * lstm.projection_dim * 4 * lstm.dim, lstm.dim * lstm.projection_dim
    return tokens * (kept + passing) + options.directions * (kernel + projection)


def _encoder(options: Options, distinct: int, characters: int) -> int:
    char_cnn = options.char_cnn
    if char_cnn is None:
        return 2 * distinct * options.lstm.projection_dim
    characters = -(-characters * 3 // 5)  # the mean over groups of like length, about
    read = char_cnn.embedding_dim * (2 + sum(width for width, _ in char_cnn.filters))  # each window's characters
    windows = distinct * characters * (char_cnn.n_filters + read)
    widest = max(number for _, number in char_cnn.filters)
    # the convolutions' outputs are kept for the maximum's gradient; the widest one's gradient joins them
    return windows + distinct * characters * widest + distinct * char_cnn.n_filters * (4 + 6 * char_cnn.n_highway)


def describe_run(
    prepared: RunInput,
    variables: Mapping[str, tf.Variable],
    bounds: Sequence[int],
    parts: int,
    strategy: tf.distribute.Strategy,
    stream: PrefetchedStream,
) -> Iterator[str]:
    """Lines for people.

    Args:
        prepared: the run's input.
        variables: the weights by name.
        bounds: of the epochs, from `epoch_bounds`.
        parts: replicas times accumulation steps.
        strategy: whose devices compute.
        stream: the steps.
    """
    corpus, training = prepared.corpus, prepared.options.training
    yield (
        f"training text: {corpus.sentences:,} sentences, {corpus.words:,} words; weights: "
        f"{sum(_sizes(variables).values()):,}; vocabulary: {len(prepared.vocabulary):,} words, "
        f"{prepared.coverage:.1%} of a sample of the text"
    )
    yield (
        f"{bounds[-1]:,} steps of {parts} x {training.batch_size} rows x {training.unroll_steps} tokens in "
        f"{len(bounds) - 1} epochs, on {', '.join(strategy.extended.worker_devices)}"
    )
    estimate = estimate_run_memory(prepared.options, variables, stream)
    yield f"estimated memory: {estimate.describe()}; the text and a CPU build of TensorFlow take about 0.7 GB more"


def estimate_run_memory(
    options: Options, variables: Mapping[str, tf.Variable], stream: PrefetchedStream
) -> MemoryEstimate:
    """What a step is estimated to keep, by the shapes of the first window of the text itself.

    Args:
        options: the model's.
        variables: the weights by name.
        stream: the steps.
    """
    sizes, words = _sizes(variables), stream.first.windows[0].words
    sparse = sum(size for name, size in sizes.items() if name == "embedding" or name.startswith("softmax/"))
    characters = words.shape[-1] if words.ndim > 1 else 1
    return estimate_memory(options, sum(sizes.values()), sparse, options.training.batch_size, len(words), characters)


def _sizes(variables: Mapping[str, tf.Variable]) -> dict[str, int]:
    return {name: variable.shape.num_elements() for name, variable in variables.items()}
