"""Files that were changed at random: a reader accepts them or raises an `InputError`, in little memory."""

import copy
import os
import pathlib

import pytest
from fuzz_targets import FILES, FOLDERS, NEVER_REFUSED, OPTIONS, Target, little_memory, mutate
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from elmo_tf.elmo.save_bilm import load_elmo_layer
from elmo_tf.errors import InputError
from elmo_tf.options import Options

CHECKS = list(HealthCheck)
"""Hypothesis's checks of its own speed, none of which matters here."""

COUNTS = {"default": 100, "exhaustive": 1500, "soak": int(os.environ.get("ELMO_TF_FUZZ", "40000"))}
"""The number of changed files of each kind. $ELMO_TF_FUZZ changes the number for `make soak`."""

EDITS = st.lists(
    st.tuples(st.integers(0, 7), st.integers(0, 1 << 16), st.integers(0, 64), st.integers(0, 255)),
    min_size=1,
    max_size=5,
)


def fuzz(name, folder, count, random):
    """Calls a target `count` times, and checks that some of the files were refused."""
    target, refused = Target(name, folder), []

    @settings(max_examples=count, deadline=None, derandomize=not random, database=None, suppress_health_check=CHECKS)
    @given(seed=st.integers(0, len(target.seeds) - 1), edits=EDITS)
    def run(seed, edits):
        refused.append(target.call(seed, mutate(target.seeds[seed], edits)) is not None)

    for seed, content in enumerate(target.seeds):
        assert target.call(seed, content) is None
    with little_memory():
        run()
    print(f"{name}: {len(refused)} files, {sum(refused)} refused")
    assert any(refused) or name in NEVER_REFUSED


@pytest.mark.parametrize("name", [*FILES, *FOLDERS])
def test_a_changed_file_is_read_or_refused_in_one_sentence(tmp_path, name):
    fuzz(name, tmp_path, COUNTS["default"], random=False)


@pytest.mark.exhaustive
@pytest.mark.parametrize("name", [*FILES, *FOLDERS])
def test_of_many_changed_files_each_is_read_or_refused_in_one_sentence(tmp_path, name):
    fuzz(name, tmp_path, COUNTS["exhaustive"], random=True)


@pytest.mark.soak
@pytest.mark.parametrize("name", [*FILES, *FOLDERS])
def test_of_very_many_changed_files_each_is_read_or_refused_in_one_sentence(tmp_path, name):
    fuzz(name, tmp_path, COUNTS["soak"], random=True)


@pytest.mark.exhaustive
def test_a_changed_keras_model_is_read_or_refused_in_one_sentence(tmp_path):
    content = (pathlib.Path(__file__).parents[1] / "earlier_files" / "pooled.keras").read_bytes()
    path, refused = tmp_path / "a.keras", []

    @settings(max_examples=60, deadline=None, database=None, suppress_health_check=CHECKS)
    @given(edits=EDITS)
    def run(edits):
        path.write_bytes(mutate(content, edits))
        try:
            load_elmo_layer(path)
        except InputError as error:
            refused.append(str(error))

    run()
    assert refused
    assert all(len(message.splitlines()) == 1 for message in refused)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)


PATHS = [
    *(("lstm", name) for name in ("dim", "projection_dim", "n_layers", "cell_clip", "use_skip_connections", "other")),
    *(("char_cnn", name) for name in ("filters", "embedding", "n_highway", "n_characters", "activation", "other")),
    *((name,) for name in ("lstm", "char_cnn", "n_tokens_vocab", "bidirectional", "dropout", "batch_size", "other")),
]


@settings(max_examples=200, deadline=None, derandomize=True, suppress_health_check=CHECKS)
@given(path=st.sampled_from(PATHS), value=JSON)
def test_any_value_of_any_option_is_taken_or_refused_in_one_sentence(path, value):
    changed = copy.deepcopy(OPTIONS)
    inside = changed if len(path) == 1 else changed[path[0]]
    inside[path[-1]] = value
    try:
        Options.from_dict(changed)
    except InputError as error:
        message = str(error)
    else:
        message = "taken"
    assert len(message.splitlines()) == 1
