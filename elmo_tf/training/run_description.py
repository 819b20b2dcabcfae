"""The lines that describe a run before its first step."""

from collections.abc import Iterator, Mapping, Sequence

import tensorflow as tf

from elmo_tf.training.input_checks import RunInput
from elmo_tf.training.memory_estimate import estimate_run_memory, weight_sizes
from elmo_tf.training.prefetch import PrefetchedStream


def describe_run(
    prepared: RunInput,
    variables: Mapping[str, tf.Variable],
    bounds: Sequence[int],
    parts: int,
    strategy: tf.distribute.Strategy,
    stream: PrefetchedStream,
    precision: str = "float32",
) -> Iterator[str]:
    """Describes the text, the weights, the steps, the devices and the memory of a run in a few lines for people.

    Args:
        prepared: the run's input.
        variables: the weights by name.
        bounds: the number of the first step of every epoch, and at the end that of all steps.
        parts: replicas times accumulation steps.
        strategy: the strategy whose devices compute.
        stream: the inputs of the steps.
        precision: what the products are computed in.
    """
    corpus, training = prepared.corpus, prepared.options.training
    yield (
        f"training text: {corpus.sentences:,} sentences, {corpus.words:,} words; weights: "
        f"{sum(weight_sizes(variables).values()):,}; vocabulary: {len(prepared.vocabulary):,} words, "
        f"{prepared.coverage:.1%} of a sample of the text"
    )
    devices = ", ".join(strategy.extended.worker_devices)
    workers = int(strategy.num_replicas_in_sync) // len(strategy.extended.worker_devices)
    yield (
        f"{bounds[-1]:,} steps of {parts} x {training.batch_size} rows x {training.unroll_steps} tokens in "
        f"{len(bounds) - 1} epochs, on {devices}{f' and the like of {workers - 1} more workers' * (workers > 1)}"
    )
    estimate = estimate_run_memory(prepared.options, variables, stream, precision)
    yield f"estimated memory: {estimate.describe()}; the text and a CPU build of TensorFlow take about 1 GB more"
