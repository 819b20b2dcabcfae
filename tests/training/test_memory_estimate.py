"""The estimate of a step's memory: what it counts, and that more of anything takes more."""

import math
import pathlib
from types import SimpleNamespace

import pytest
from refusals import refused

from elmo_tf.models.weight_names import expected_shapes
from elmo_tf.options import Options, characters_that_count
from elmo_tf.training.memory_estimate import (
    MemoryEstimate,
    check_fits_in_memory,
    estimate_memory,
    machine_memory,
    sparse_size,
)

CONFIGS = pathlib.Path(__file__).parents[2] / "configs"

CHARACTERS = {
    "lstm": {"dim": 32, "projection_dim": 8, "n_layers": 2},
    "char_cnn": {"activation": "relu", "embedding": {"dim": 4}, "filters": [[1, 4], [3, 8]], "n_highway": 1},
    "n_tokens_vocab": 100,
    "unroll_steps": 5,
    "n_negative_samples_batch": 16,
}
WORDS = {key: value for key, value in CHARACTERS.items() if key != "char_cnn"}


def estimated(options, rows=4, distinct=20, characters=10, **changes):
    """The estimate of a model whose weights are counted from their shapes."""
    lstm = {**options["lstm"], **changes.pop("lstm", {})}
    made = Options.from_dict({**options, **changes, "lstm": lstm})
    sizes = {}
    for name, shape in expected_shapes(made, softmax=True).items():
        sizes[name] = 1
        for n in shape:
            sizes[name] *= n
    sparse = sum(size for name, size in sizes.items() if name == "embedding" or name.startswith("softmax/"))
    return estimate_memory(made, sum(sizes.values()), sparse, rows, distinct, characters)


OPTIONS = pytest.mark.parametrize("options", [CHARACTERS, WORDS], ids=["characters", "word ids"])


@OPTIONS
def test_weights_and_adagrad_take_four_bytes_a_number(options):
    made = Options.from_dict(options)
    came = estimate_memory(made, 1000, 400, 4, 20, 10)
    assert (came.weights, came.adagrad) == (4000, 4000)
    assert came.total == came.weights + came.adagrad + came.activations
    assert came.activations > 2 * 4 * 600  # the dense gradients alone


@OPTIONS
@pytest.mark.parametrize(
    "changes",
    [
        {"rows": 5},
        {"rows": 40},
        {"distinct": 21},
        {"unroll_steps": 6},
        {"lstm": {"n_layers": 3}},
        {"lstm": {"dim": 33}},
        {"lstm": {"projection_dim": 9}},
        {"n_negative_samples_batch": 17},
        {"n_tokens_vocab": 101},
    ],
    ids=str,
)
def test_more_of_anything_takes_more(options, changes):
    assert estimated(options, **changes).total > estimated(options).total


@pytest.mark.parametrize("changes", [{"characters": 11}, {"distinct": 40}])
def test_the_encoder_grows_with_words_and_their_characters(changes):
    assert estimated(CHARACTERS, **changes).activations > estimated(CHARACTERS).activations


@OPTIONS
def test_activations_grow_in_proportion_to_the_rows(options):
    one, two, three = (estimated(options, rows=rows).activations for rows in (4, 8, 12))
    assert two - one == three - two > 0


def activations(rows=4, **changes):
    """Bytes of activations by the options alone, the weights being as many whatever they say."""
    return estimate_memory(Options.from_dict({**CHARACTERS, **changes}), 1000, 400, rows, 20, 10).activations


@pytest.mark.parametrize(
    "more",
    [
        {"lstm": {**CHARACTERS["lstm"], "n_layers": 3}},
        {"lstm": {**CHARACTERS["lstm"], "dim": 33}},
        {"lstm": {**CHARACTERS["lstm"], "projection_dim": 9}},
        {"char_cnn": {**CHARACTERS["char_cnn"], "n_highway": 2}},
        {"char_cnn": {**CHARACTERS["char_cnn"], "filters": [[1, 5], [3, 8]]}},
        {"unroll_steps": 6},
        {"n_negative_samples_batch": 17},
    ],
    ids=str,
)
def test_activations_grow_with_the_network_apart_from_its_weights(more):
    assert activations(**more) > activations()


@pytest.mark.parametrize("penalty", ["activation_regularization", "temporal_activation_regularization"])
def test_a_penalty_keeps_a_float_for_each_value_of_the_last_outputs(penalty):
    options = {**CHARACTERS, "n_negative_samples_batch": 10_000}  # so that the softmax is the moment of most memory
    without, with_it = (
        estimate_memory(Options.from_dict({**options, penalty: factor}), 1000, 400, 40, 20, 10) for factor in (0.0, 1.0)
    )
    assert with_it.activations - without.activations == pytest.approx(1.05 * 4 * 2 * 40 * 5 * 8, abs=2)


def test_dropped_weights_keep_a_mask_and_another_kernel_for_each_layer():
    options = {**CHARACTERS, "n_negative_samples_batch": 10_000}
    without, with_it = (
        estimate_memory(Options.from_dict({**options, "weight_dropout": rate}), 1000, 400, 40, 20, 10)
        for rate in (0.0, 0.5)
    )
    recurrent = 4 * 8 * 4 * 32  # bytes of the recurrent rows of one kernel
    assert with_it.activations - without.activations == pytest.approx(1.05 * 2 * 2 * 5 * recurrent, abs=2)


def test_a_row_costs_twice_as_much_in_two_directions():
    one, two = (
        activations(rows=8, bidirectional=both) - activations(rows=4, bidirectional=both) for both in (False, True)
    )
    assert two == 2 * one > 0


def test_with_samples_a_larger_vocabulary_takes_weights_but_no_activations():
    small, large = estimated(CHARACTERS), estimated(CHARACTERS, n_tokens_vocab=1000)
    assert large.activations == small.activations
    assert large.weights - small.weights == 4 * 900 * (8 + 1)


def test_the_full_softmax_grows_with_the_vocabulary():
    small, large = (estimated(CHARACTERS, sample_softmax=False, n_tokens_vocab=n) for n in (100, 1000))
    assert large.activations - small.activations >= 4 * 900 * (8 + 1)


@pytest.mark.parametrize(
    ("parts", "line"),
    [
        (
            (2 * 10**9, 2 * 10**9, 500 * 10**6),
            "4.5 GB a replica: weights 2.0 GB, Adagrad 2.0 GB, activations and gradients 0.5 GB",
        ),
        (
            (3 * 10**6, 3 * 10**6, 94 * 10**6),
            "0.1 GB a replica: weights 3 MB, Adagrad 3 MB, activations and gradients 94 MB",
        ),
        ((0, 0, 99_400_000), "99 MB a replica: weights 0 MB, Adagrad 0 MB, activations and gradients 99 MB"),
    ],
)
def test_the_description_is_one_line_in_gigabytes_or_megabytes(parts, line):
    assert MemoryEstimate(*parts).describe() == line


def replicas(count, device="/device:CPU:0"):
    """What the check asks of a strategy."""
    return SimpleNamespace(num_replicas_in_sync=count, extended=SimpleNamespace(worker_devices=(device,)))


HUGE = {
    "cells": {"lstm": {"dim": 2**31 - 1, "projection_dim": 512}},
    "filters": {"char_cnn": {**CHARACTERS["char_cnn"], "filters": [[1, 10**6], [2, 10**6]]}},
    "words": {"n_tokens_vocab": 2**31 - 1, "lstm": {"dim": 4096, "projection_dim": 4096}},
    "rows": {"batch_size": 2**31 - 1},
}


@pytest.mark.parametrize("name", HUGE)
def test_a_model_that_cannot_fit_into_the_machine_is_refused_from_its_options_with_the_numbers(name):
    options = Options.from_dict({**CHARACTERS, **HUGE[name]})
    message = refused(check_fits_in_memory, options, replicas(1))
    assert message.startswith(f"this model cannot fit into the {machine_memory() / 1e9:,.1f} GB of memory of this mach")
    assert "1 times at least" in message
    assert "GB a replica: weights" in message


def test_a_model_that_fits_is_not_refused_and_each_replica_counts(monkeypatch):
    options = Options.from_dict(CHARACTERS)
    check_fits_in_memory(options, replicas(1))
    least = 10**7  # more than one such replica takes, and less than 100
    monkeypatch.setattr("elmo_tf.training.memory_estimate.machine_memory", lambda: least)
    check_fits_in_memory(options, replicas(1))
    refused(check_fits_in_memory, options, replicas(100))


def test_a_machine_that_does_not_tell_its_memory_refuses_nothing(monkeypatch):
    monkeypatch.setattr("elmo_tf.training.memory_estimate.machine_memory", lambda: None)
    check_fits_in_memory(Options.from_dict({**CHARACTERS, **HUGE["cells"]}), replicas(1))


def test_on_gpus_the_weights_that_a_save_holds_at_one_time_count_and_no_activations(monkeypatch):
    options = Options.from_dict(CHARACTERS)
    made = estimated(CHARACTERS)
    kept = made.weights + made.adagrad
    monkeypatch.setattr("elmo_tf.training.memory_estimate.machine_memory", lambda: kept)
    check_fits_in_memory(options, replicas(8, "/device:GPU:0"))
    monkeypatch.setattr("elmo_tf.training.memory_estimate.machine_memory", lambda: kept - 1)
    refused(check_fits_in_memory, options, replicas(8, "/device:GPU:0"))


MEASURED = {
    "tiny:32:float32": 72,
    "tiny:512:float32": 638,
    "tiny:512:bfloat16": 432,
    "wikitext2:64:float32": 224,
    "wikitext2:512:float32": 1412,
    "wikitext2:512:bfloat16": 1062,
    "small:32:float32": 483,
    "small:128:float32": 1360,
    "small:128:bfloat16": 1010,
    "medium:32:float32": 746,
    "original:32:float32": 1883,
}
"""Megabytes that `benchmarks/memory.py` measured on a CPU, with WikiText-2 and 10,000 words."""

DISTINCT = {32: 615, 64: 1119, 128: 1961, 512: 5432}
"""Distinct words of a window of WikiText-2, by the rows."""


@pytest.mark.parametrize("case", MEASURED)
def test_the_estimate_is_within_a_fifth_of_what_was_measured(case):
    name, rows, precision = case.split(":")
    options = Options.from_file(str(CONFIGS / f"{name}.json")).replace(n_tokens_vocab=10_000)
    sizes = {name: math.prod(shape) for name, shape in expected_shapes(options, softmax=True).items()}
    characters = characters_that_count(20, options.char_cnn.filters)  # the longest word of such a window has 18 letters
    words = DISTINCT[int(rows)]
    made = estimate_memory(
        options, sum(sizes.values()), sparse_size(sizes), int(rows), words, characters, precision=precision
    )
    assert made.total == pytest.approx(1e6 * MEASURED[case], rel=0.2)


def test_half_precision_halves_what_a_row_keeps_but_for_the_cells():
    options = Options.from_dict(CHARACTERS)
    half, full = (
        [estimate_memory(options, 1000, 400, rows, 20, 10, precision).activations for rows in (400, 800)]
        for precision in ("bfloat16", "float32")
    )
    assert 0.5 < (half[1] - half[0]) / (full[1] - full[0]) < 0.7
