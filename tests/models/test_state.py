"""Initial states: accepted if they fit, by `ElmoLayer` and by the biLM, or refused with one clear error."""

import re

import elmo_cases
import numpy as np
import pytest
import tensorflow as tf
from elmo_cases import SENTENCES, ids_of, padded

TOKENS = padded(SENTENCES)

PAIR, STATE = "((2, 6), (2, 4))", "((((2, 6), (2, 4)), ((2, 6), (2, 4))), (((2, 6), (2, 4)), ((2, 6), (2, 4))))"

WRONG_STATES = {
    "rows": (lambda made: made.zero_state(3), STATE.replace("(2, ", "(3, ")),
    "one row, which would be broadcast": (lambda made: made.zero_state(1), STATE.replace("(2, ", "(1, ")),
    "a direction too few": (lambda made: made.zero_state(2)[:1], f"(({PAIR}, {PAIR}))"),
    "a direction too many": (
        lambda made: made.zero_state(2) + made.zero_state(2)[:1],
        f"{STATE[:-1]}, ({PAIR}, {PAIR}))",
    ),
    "a layer too few": (lambda made: [layers[:1] for layers in made.zero_state(2)], f"(({PAIR}), ({PAIR}))"),
    "a layer too many": (
        lambda made: [layers + layers[:1] for layers in made.zero_state(2)],
        f"(({PAIR}, {PAIR}, {PAIR}), ({PAIR}, {PAIR}, {PAIR}))",
    ),
    "cell and output exchanged": (
        lambda made: [[pair[::-1] for pair in layers] for layers in made.zero_state(2)],
        STATE.replace("(2, 6), (2, 4)", "(2, 4), (2, 6)"),
    ),
    "cells alone": (
        lambda made: [[cell for cell, _ in layers] for layers in made.zero_state(2)],
        "(((2, 6), (2, 6)), ((2, 6), (2, 6)))",
    ),
    "one tensor": (lambda made: made.zero_state(2)[0][0][0], "(2, 6)"),
    "a text": (lambda made: "zero", "str"),
    "no numbers": (
        lambda made: tf.nest.map_structure(lambda part: tf.fill(part.shape, "a"), made.zero_state(2)),
        STATE.replace("(2, ", "string (2, "),
    ),
}


@pytest.mark.parametrize("case", WRONG_STATES)
def test_a_wrong_initial_state_is_named_with_what_was_expected_and_what_came(case):
    made = elmo_cases.layer()
    wrong, came = WRONG_STATES[case]
    expected = (
        "initial_state: expected 2 directions with 2 layers each, of each layer (cell, output), numbers of shapes "
        f"{PAIR}, got {came}"
    )
    for call in (made, tf.function(made)):
        with pytest.raises(ValueError, match=re.escape(expected) + r"[\x1b\n]"):  # no further: Keras goes on
            call(tf.constant(TOKENS[:2]), initial_state=wrong(made))


def test_rows_that_a_graph_learns_late_are_compared_when_it_runs():
    made = elmo_cases.layer(output="top")
    state = made.zero_state(2)
    specs = [
        tf.TensorSpec([None, None], tf.string),
        tf.nest.map_structure(lambda part: tf.TensorSpec([None, part.shape[1]]), state),
    ]
    run = tf.function(lambda tokens, state: made(tokens, initial_state=state), input_signature=specs)
    np.testing.assert_allclose(run(TOKENS[:2], state), made(TOKENS[:2]), atol=1e-6)
    for rows in (1, 3):
        with pytest.raises(tf.errors.InvalidArgumentError, match=rf"initial_state: expected rows.*\[2\].*\[{rows} "):
            run(TOKENS[:2], made.zero_state(rows))


def test_a_state_may_be_of_lists_and_numpy():
    made = elmo_cases.layer(output="top", return_state=True)
    _, state = made(TOKENS[:2])
    expected, _ = made(TOKENS[:2], initial_state=state)
    arrays = [[[part.numpy() for part in pair] for pair in layers] for layers in state]
    np.testing.assert_array_equal(made(TOKENS[:2], initial_state=arrays)[0], expected)
    compiled = tf.function(made, jit_compile=True)(ids_of(TOKENS[:2]), initial_state=state)[0]
    np.testing.assert_allclose(compiled, expected, atol=1e-6)
