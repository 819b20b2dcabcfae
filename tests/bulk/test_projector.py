"""TensorBoard's own projector serves the words and vectors of a folder, and nothing half-written is left in it."""

import json

import numpy as np
import pytest
from tensorboard.plugins.base_plugin import TBContext
from tensorboard.plugins.projector.projector_plugin import ProjectorPlugin
from werkzeug.test import Client

from elmo_tf.bulk.projector import FILES, write_projector
from elmo_tf.errors import InputError

LABELS = {
    "the": "the",
    "a\tb": r"a\tb",
    "New York": "New York",
    "two\nlines": r"two\nlines",
    "\u2028": r"'\u2028'",
    "line\u2028break": r"line\u2028break",
    "\ufeff": r"'\ufeff'",
    "\u00a0": r"'\xa0'",
    "": "''",
    "caf\u00e9": "caf\u00e9",
    '"': '"',
    "#": "#",
}
"""The labels of words that a table of one column must not hold as they are, and of words that it may."""


def write(folder, words, **settings):
    """Writes words with random vectors of three numbers, in two parts; returns the vectors."""
    vectors = np.random.default_rng(1).standard_normal((len(words), 3)).astype(np.float32)
    parts = iter([(words[:1], vectors[:1]), (words[1:], vectors[1:])])
    write_projector(str(folder), vectors.shape, parts, "some words", **settings)
    return vectors


def served(logdir, route, **query):
    """What TensorBoard's projector sends to the page that asks for it."""
    plugin = ProjectorPlugin(TBContext(logdir=str(logdir)))
    response = Client(plugin.get_plugin_apps()[route]).get("/", query_string={"run": ".", **query})
    assert response.status_code == 200, response.text
    return response.data


def test_tensorboard_serves_the_vectors_and_one_line_a_word(tmp_path):
    (tmp_path / "events.out.tfevents.1.host").touch()  # of the run whose folder it is
    vectors = write(tmp_path, list(LABELS))
    (shown,) = json.loads(served(tmp_path, "/info"))["embeddings"]
    assert (shown["tensorName"], shown["tensorShape"]) == ("some words", [len(LABELS), 3])
    found = np.frombuffer(served(tmp_path, "/tensor", name="some words"), np.float32)
    np.testing.assert_array_equal(found.reshape(-1, 3), np.float32([[float(f"{x:.8g}") for x in v] for v in vectors]))
    lines = served(tmp_path, "/metadata", name="some words").decode()
    assert lines == "".join(f"{label}\n" for label in LABELS.values())


def test_files_of_the_projector_are_replaced_on_demand_alone_and_others_stay(tmp_path):
    (tmp_path / "other.txt").write_text("kept")
    write(tmp_path, ["a"])
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert before.keys() == {"other.txt", *FILES}
    with pytest.raises(InputError, match=r"projector_config\.pbtxt exists; give --overwrite") as caught:
        write(tmp_path, ["a", "b"])
    assert caught.value.path == str(tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    write(tmp_path, ["b", "c"], overwrite=True)
    assert (tmp_path / "metadata.tsv").read_text() == "b\nc\n"
    assert (tmp_path / "other.txt").read_text() == "kept"


def test_an_error_on_the_way_leaves_nothing(tmp_path):
    def parts():
        yield ["a"], np.zeros((1, 3), np.float32)
        raise InputError("stopped")

    with pytest.raises(InputError, match="stopped"):
        write_projector(str(tmp_path / "new"), (2, 3), parts(), "some words")
    assert not list(tmp_path.iterdir())


def test_a_file_in_the_place_of_the_folder_is_refused(tmp_path):
    (tmp_path / "words").touch()
    with pytest.raises(InputError, match="words is no folder; expected the name of a folder for the projector's files"):
        write(tmp_path / "words", ["a"], overwrite=True)
