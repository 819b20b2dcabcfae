"""The recurrence: the fused one against the plain one, both against NumPy and finite differences, in float64."""

import itertools

import numpy as np
import oracle
import pytest
import tensorflow as tf
from grids import grid

from elmo_tf.layers import lean_recurrence as lean_module
from elmo_tf.layers.fused_recurrence import fused_recurrence
from elmo_tf.layers.lean_recurrence import lean_recurrence
from elmo_tf.layers.recurrence import Weights, plain_recurrence

B, I, H, D = 4, 3, 5, 2
BOTH = {"plain": plain_recurrence, "fused": fused_recurrence}
ALL = {**BOTH, "lean": lean_recurrence}
ARGUMENTS = ("inputs", "kernel", "bias", "projection", "cell", "output")
CLIPS = {"no clips": (None, None), "tight clips": (0.25, 0.04), "far clips": (50.0, 50.0)}
STEPS = (1, 6, 40)  # written out, written out, a while loop


def numbers(steps, has_projection=True, rows=B, seed=0):
    """Arguments of one call, float64; big enough weights that clips bite and gates move."""
    random = np.random.default_rng(seed)
    size = D if has_projection else H
    return {
        "inputs": random.normal(size=(steps, rows, I)),
        "kernel": random.normal(size=(I + size, 4 * H)) * 0.7,
        "bias": random.normal(size=4 * H) * 0.5,
        "projection": random.normal(size=(H, D)) * 0.5 if has_projection else None,
        "cell": random.normal(size=(rows, H)) * 0.2,
        "output": random.normal(size=(rows, size)) * 0.1,
    }


def holed_mask(steps, rows=B):
    """Row 0 full, row 1 all False, the others with holes, the last one False at both ends."""
    mask = np.random.default_rng(steps).random((rows, steps)) < 0.6
    mask[0], mask[1] = True, False
    mask[-1, [0, -1]] = False
    return mask


def call(implementation, given, clips, mask):
    weights = Weights(given["kernel"], given["bias"], given["projection"], *clips)
    mask = None if mask is None else tf.transpose(mask)
    outputs, state = implementation(given["inputs"], weights, (given["cell"], given["output"]), mask)
    return [outputs, *state]


def combination(results):
    """A fixed random combination of all results: its gradient sees each of them."""
    random = np.random.default_rng(9)
    return tf.add_n([tf.reduce_sum(result * random.normal(size=result.shape)) for result in results])


def values_and_gradients(implementation, given, clips, mask):
    tensors = {name: None if array is None else tf.constant(array) for name, array in given.items()}
    present = {name: tensor for name, tensor in tensors.items() if tensor is not None}
    with tf.GradientTape() as tape:
        tape.watch(present)
        results = call(implementation, tensors, clips, mask)
        loss = combination(results)
    return results, tape.gradient(loss, present)


def by_oracle(given, clips, mask):
    inputs = given["inputs"].transpose(1, 0, 2)
    state = given["cell"], given["output"]
    outputs, final = oracle.lstm(inputs, given["kernel"], given["bias"], given["projection"], *clips, state, mask)
    return [outputs.transpose(1, 0, 2), *final]


GRID = list(itertools.product(STEPS, (True, False), CLIPS, ("no mask", "holes")))


@pytest.mark.parametrize(("steps", "has_projection", "clips", "masked"), GRID)
def test_all_give_the_oracles_values_and_each_others_gradients(steps, has_projection, clips, masked):
    given, clips = numbers(steps, has_projection), CLIPS[clips]
    mask = holed_mask(steps) if masked == "holes" else None
    expected = by_oracle(given, clips, mask)
    plain, plain_gradients = values_and_gradients(plain_recurrence, given, clips, mask)
    for one, right in zip(plain, expected, strict=True):
        np.testing.assert_allclose(one, right, rtol=0, atol=1e-12)
    for implementation in (fused_recurrence, lean_recurrence):
        values, gradients = values_and_gradients(implementation, given, clips, mask)
        for one, right in zip(values, expected, strict=True):
            np.testing.assert_allclose(one, right, rtol=0, atol=1e-12)
        assert gradients.keys() == {name for name in ARGUMENTS if given[name] is not None}
        for name, gradient in gradients.items():
            np.testing.assert_allclose(gradient, plain_gradients[name], rtol=0, atol=1e-10, err_msg=name)


def test_the_tight_clips_of_the_grid_bite_in_some_places_and_not_in_others():
    given = numbers(40)
    cells = [given["cell"]]
    outputs = []
    for t in range(40):
        results = by_oracle({**given, "inputs": given["inputs"][: t + 1]}, CLIPS["tight clips"], None)
        cells.append(results[1])
        outputs.append(results[2])
    assert 0.1 < (np.abs(cells) == 0.25).mean() < 0.9
    assert 0.1 < (np.abs(outputs) == 0.04).mean() < 0.9


@pytest.mark.parametrize(("name", "has_projection", "masked"), grid(ALL, [True, False], ["no mask", "holes"]))
def test_a_graph_that_knows_neither_steps_nor_rows_gives_the_eager_numbers(name, has_projection, masked):
    clips = CLIPS["tight clips"]

    def run(given, *masks):
        with tf.GradientTape() as tape:
            tape.watch(given)
            results = call(ALL[name], {"projection": None, **given}, clips, *(masks or [None]))
            loss = tf.add_n([tf.reduce_sum(tf.sin(3.0 * result)) for result in results])
        return results, tape.gradient(loss, given)

    free = {"inputs": [None, None, I], "cell": [None, H], "output": [None, D if has_projection else H]}
    specs = {
        key: tf.TensorSpec(free.get(key, array.shape), tf.float64)
        for key, array in numbers(1, has_projection).items()
        if array is not None
    }
    mask_specs = [] if masked == "no mask" else [tf.TensorSpec([None, None], tf.bool)]
    graph = tf.function(run).get_concrete_function(specs, *mask_specs)
    for steps, rows in ((1, 2), (6, 3), (35, 2)):
        given = {key: tf.constant(array) for key, array in numbers(steps, has_projection, rows).items() if key in specs}
        masks = [tf.constant(holed_mask(steps, rows)) for _ in mask_specs]
        eager, came = run(given, *masks), graph(given, *masks)
        tf.nest.assert_same_structure(eager, came)
        for one, other in zip(tf.nest.flatten(came), tf.nest.flatten(eager), strict=True):
            np.testing.assert_allclose(one, other, rtol=0, atol=1e-11)


@pytest.mark.parametrize("together", [1, 7, 12, 512])
@pytest.mark.parametrize("steps", [1, 5, 24])
def test_the_lean_one_gives_the_same_in_parts_of_any_size(steps, together, monkeypatch):
    monkeypatch.setattr(lean_module, "_VECTORS_PER_PRODUCT", together)
    given = numbers(steps)
    for mask in (None, holed_mask(steps)):
        came, expected = (call(each, given, CLIPS["tight clips"], mask) for each in (lean_recurrence, plain_recurrence))
        for one, other in zip(came, expected, strict=True):
            np.testing.assert_allclose(one, other, rtol=0, atol=1e-13)


@pytest.mark.parametrize("masked", ["no mask", "holes"])
@pytest.mark.parametrize("knows_rows", [True, False])
@pytest.mark.parametrize("threshold", [B, B + 1])
def test_the_lean_one_gives_the_same_for_many_rows_as_for_few(threshold, knows_rows, masked, monkeypatch):
    monkeypatch.setattr(lean_module, "_ROWS_FOR_ONE_PRODUCT", threshold)
    given, mask = numbers(5), holed_mask(5) if masked == "holes" else None
    expected = call(plain_recurrence, given, CLIPS["tight clips"], mask)
    signature = [tf.TensorSpec([None, B if knows_rows else None, I], tf.float64)]

    @tf.function(input_signature=signature)
    def run(inputs):
        return call(lean_recurrence, {**given, "inputs": inputs}, CLIPS["tight clips"], mask)

    for one, other in zip(run(given["inputs"]), expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-13)


@pytest.mark.parametrize("name", BOTH)
def test_gradients_are_finite_differences(name):
    given, clips = numbers(4, rows=2), (0.6, 0.15)
    mask = np.array([[True, True, False, True], [False, True, True, True]])
    _, gradients = values_and_gradients(BOTH[name], given, clips, mask)
    random, upstream = np.random.default_rng(9), None

    def loss(changed):
        nonlocal upstream
        results = by_oracle(changed, clips, mask)
        if upstream is None:
            upstream = [random.normal(size=result.shape) for result in results]
        return sum(np.sum(one * other) for one, other in zip(results, upstream, strict=True))

    loss(given)
    for argument, array in given.items():
        numeric = np.zeros_like(array)
        for place in np.ndindex(*array.shape):
            ends = []
            for step in (1e-6, -1e-6):
                moved = array.copy()
                moved[place] += step
                ends.append(loss({**given, argument: moved}))
            numeric[place] = (ends[0] - ends[1]) / 2e-6
        np.testing.assert_allclose(gradients[argument], numeric, rtol=0, atol=1e-7, err_msg=argument)
        assert np.abs(numeric).max() > 1e-3


@pytest.mark.parametrize("name", BOTH)
@pytest.mark.parametrize("steps", [1, 5, 40])
def test_the_gradient_stops_where_the_clip_of_the_cell_bites(name, steps):
    given = numbers(steps)
    given["cell"] = np.abs(given["cell"]) + 1
    # gates i, f open and j high: every cell stays at its bound
    given["bias"] = np.repeat([60.0, 60.0, 60.0, 0.0], H)
    values, gradients = values_and_gradients(BOTH[name], given, (0.5, None), None)
    assert np.all(values[1] == 0.5)
    of_gates = np.split(gradients["bias"].numpy(), 4)
    for gate in of_gates[:3]:
        assert not np.any(gate)
    assert np.all(of_gates[3] != 0)
    assert not np.any(gradients["cell"])


@pytest.mark.parametrize("name", BOTH)
@pytest.mark.parametrize("steps", [1, 5, 40])
def test_the_gradient_stops_where_the_clip_of_the_output_bites(name, steps):
    given = {key: tf.constant(array) for key, array in numbers(steps).items()}
    with tf.GradientTape() as tape:
        tape.watch(given)
        outputs, _, last = call(BOTH[name], {**given, "projection": given["projection"] + 9.0}, (None, 1e-6), None)
        loss = tf.reduce_sum(outputs) + tf.reduce_sum(last)
    assert np.all(np.abs(outputs) == 1e-6)
    for argument, gradient in tape.gradient(loss, given).items():
        assert not np.any(gradient), argument


@pytest.mark.parametrize("name", BOTH)
@pytest.mark.parametrize("steps", STEPS)
def test_a_masked_step_passes_the_state_and_shows_zero(name, steps):
    given, mask = numbers(steps), np.zeros((B, steps), bool)
    (outputs, cell, output), gradients = values_and_gradients(BOTH[name], given, (3.0, 3.0), mask)
    assert not np.any(outputs)
    np.testing.assert_array_equal(cell, given["cell"])
    np.testing.assert_array_equal(output, given["output"])
    random = np.random.default_rng(9)
    upstream = [random.normal(size=result.shape) for result in (outputs, cell, output)]
    np.testing.assert_array_equal(gradients["cell"], upstream[1])
    np.testing.assert_array_equal(gradients["output"], upstream[2])
    for argument in ("inputs", "kernel", "bias", "projection"):
        assert not np.any(gradients[argument]), argument


@pytest.mark.parametrize("name", BOTH)
def test_masked_steps_count_for_nothing_wherever_they_stand(name):
    given, clips = numbers(6, rows=1), CLIPS["tight clips"]
    keep = [0, 2, 3, 5]
    mask = np.zeros((1, 6), bool)
    mask[0, keep] = True
    changed = {**given, "inputs": given["inputs"].copy()}
    changed["inputs"][[1, 4]] = 1e3
    short = {**given, "inputs": given["inputs"][keep]}
    wide = call(BOTH[name], changed, clips, mask)
    narrow = call(BOTH[name], short, clips, None)
    np.testing.assert_allclose(wide[0].numpy()[keep], narrow[0], rtol=0, atol=1e-14)
    for one, other in zip(wide[1:], narrow[1:], strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-14)


@pytest.mark.parametrize("name", BOTH)
@pytest.mark.parametrize("steps", [9, 45])
def test_two_halves_with_the_state_carried_are_the_whole(name, steps):
    given, clips, cut = numbers(steps), CLIPS["tight clips"], steps // 2
    whole = call(BOTH[name], given, clips, None)
    first = call(BOTH[name], {**given, "inputs": given["inputs"][:cut]}, clips, None)
    second = call(
        BOTH[name], {**given, "inputs": given["inputs"][cut:], "cell": first[1], "output": first[2]}, clips, None
    )
    np.testing.assert_allclose(tf.concat([first[0], second[0]], 0), whole[0], rtol=0, atol=1e-13)
    np.testing.assert_allclose(second[1], whole[1], rtol=0, atol=1e-13)


GRAPHS = itertools.product([6, 40], CLIPS, [True, False], [False, True], [False, True])
ALWAYS = (
    (6, "no clips", False, True, False),
    (6, "tight clips", True, False, True),
    (40, "far clips", True, True, False),
    (40, "tight clips", False, True, True),
)
"""Every value of each argument at least once with XLA and once without, but for some clips."""


@pytest.mark.parametrize(
    ("steps", "clips", "has_projection", "masked", "jit_compile"),
    [case if case in ALWAYS else pytest.param(*case, marks=pytest.mark.exhaustive) for case in GRAPHS],
)
def test_in_a_graph_where_the_gates_are_compiled_values_and_gradients_are_the_plain_ones(
    steps, clips, has_projection, masked, jit_compile
):
    given, mask = numbers(steps, has_projection), holed_mask(steps) if masked else None
    expected, expected_gradients = values_and_gradients(plain_recurrence, given, CLIPS[clips], mask)

    @tf.function(jit_compile=jit_compile)
    def run():
        return values_and_gradients(fused_recurrence, given, CLIPS[clips], mask)

    results, gradients = run()
    for one, other in zip(results, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-12)
    for name, gradient in expected_gradients.items():
        np.testing.assert_allclose(gradients[name], gradient, rtol=0, atol=1e-10, err_msg=name)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
@pytest.mark.parametrize("name", BOTH)
def test_under_half_precision_the_cell_keeps_its_own(name, dtype):
    given, clips = numbers(6), CLIPS["far clips"]
    half = {key: tf.cast(array, tf.float32 if key == "cell" else dtype) for key, array in given.items()}
    outputs, cell, output = call(BOTH[name], half, clips, None)
    assert (outputs.dtype, cell.dtype, output.dtype) == (dtype, tf.float32, dtype)
    expected = call(BOTH[name], given, clips, None)
    np.testing.assert_allclose(tf.cast(outputs, tf.float64), expected[0], atol=0.05)
    # thousands of small additions, which a cell of half precision would lose
    still = {key: tf.zeros_like(array) for key, array in half.items()}
    still["bias"] = tf.cast(tf.repeat([-6.0, 6.0, 9.0, 0.0], H), dtype)
    still["inputs"] = tf.zeros([400, B, I], dtype)
    steady = call(BOTH[name], still, clips, None)[1]
    forget, gain = 1 / (1 + np.exp(-10.0)), np.tanh(6.0) / (1 + np.exp(6.0))
    np.testing.assert_allclose(steady, gain * (1 - forget**400) / (1 - forget), rtol=1e-3)


@pytest.mark.parametrize("jit_compile", [None, False, True])
def test_gates_at_their_ends_lose_nothing_in_float32(jit_compile):
    given = numbers(3)
    given["bias"] = np.repeat([30.0, -30.0, -30.0, 30.0], H) * np.resize([1, -1, 0.1], 4 * H)
    single = {name: tf.constant(array, tf.float32) for name, array in given.items()}

    def run():
        return call(fused_recurrence, single, (None, None), None)

    came = run() if jit_compile is None else tf.function(run, jit_compile=jit_compile)()
    for ours, expected in zip(came, call(plain_recurrence, given, (None, None), None), strict=True):
        np.testing.assert_allclose(ours, expected, atol=1e-6)
