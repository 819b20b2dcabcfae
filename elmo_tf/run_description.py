"""What a training run says of itself before its first step: text, steps, devices, memory."""

from collections.abc import Iterator, Mapping, Sequence

import tensorflow as tf

from elmo_tf import memory
from elmo_tf.data.prefetching import Prefetched
from elmo_tf.options import Options
from elmo_tf.preparation import Prepared


def described(
    prepared: Prepared,
    variables: Mapping[str, tf.Variable],
    bounds: Sequence[int],
    parts: int,
    strategy: tf.distribute.Strategy,
    stream: Prefetched,
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
    estimate = estimated_memory(prepared.options, variables, stream)
    yield f"estimated memory: {estimate.describe()}; the text and a CPU build of TensorFlow take about 0.7 GB more"


def estimated_memory(
    options: Options, variables: Mapping[str, tf.Variable], stream: Prefetched
) -> memory.MemoryEstimate:
    """What a step is estimated to keep, by the shapes of the first window of the text itself.

    Args:
        options: the model's.
        variables: the weights by name.
        stream: the steps.
    """
    sizes, words = _sizes(variables), stream.first.windows[0].words
    sparse = sum(size for name, size in sizes.items() if name == "embedding" or name.startswith("softmax/"))
    characters = words.shape[-1] if words.ndim > 1 else 1
    return memory.estimate(options, sum(sizes.values()), sparse, options.training.batch_size, len(words), characters)


def _sizes(variables: Mapping[str, tf.Variable]) -> dict[str, int]:
    return {name: variable.shape.num_elements() for name, variable in variables.items()}
