"""Substitutes of all words or of the marked ones, as rows and as JSON lines."""

import json

import pytest
from inference_models import WORDS, made_model

from elmo_tf.bulk.substitutes_file import substitutes_file
from elmo_tf.errors import InputError
from elmo_tf.inference.substitutes import SubstituteFinder


@pytest.fixture(scope="module")
def finder():
    return SubstituteFinder(made_model(), WORDS)


def test_rows_name_line_place_word_and_rank(finder, tmp_path):
    words = substitutes_file(finder, [["tar", "kens"], ["tar", "**unheard**"]], tmp_path / "a.tsv", count=2)
    head, *rows = [line.split("\t") for line in (tmp_path / "a.tsv").read_text().splitlines()]
    assert head[:5] == ["line", "position", "word", "rank", "substitute"]
    assert words == 3
    assert [row[:4] for row in rows] == [
        ["1", "1", "tar", "1"],
        ["1", "1", "tar", "2"],
        ["1", "2", "kens", "1"],
        ["1", "2", "kens", "2"],
        ["2", "2", "unheard", "1"],
        ["2", "2", "unheard", "2"],
    ]
    expected = finder(["tar", "unheard"], count=2, places=[1])[0]
    assert [row[4] for row in rows[4:]] == [one.word for one in expected]
    assert [float(row[5]) for row in rows[4:]] == pytest.approx([one.score for one in expected], abs=1e-5)


def test_json_lines_hold_a_word_each(finder, tmp_path):
    substitutes_file(finder, [["tar"]], tmp_path / "a.jsonl", "jsonl", count=1)
    (line,) = map(json.loads, (tmp_path / "a.jsonl").read_text().splitlines())
    (expected,) = finder(["tar"], count=1)[0]
    assert line == {
        "line": 1,
        "position": 1,
        "word": "tar",
        "substitutes": [pytest.approx(expected._asdict())],
    }


@pytest.mark.parametrize(
    ("arguments", "message"),
    [({"output_format": "xml"}, "output_format: expected one of"), ({"marker": ""}, "marker: expected characters")],
)
def test_formats_and_markers_that_cannot_be_are_refused(finder, tmp_path, arguments, message):
    with pytest.raises(InputError, match=message):
        substitutes_file(finder, [["tar"]], tmp_path / "a", **arguments)
