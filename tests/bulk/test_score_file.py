"""Scores of a text as rows and as JSON lines: the numbers of `Scorer`, in the order of the text."""

import json

import pytest
from inference_models import WORDS, made_model

from elmo_tf.bulk.score_file import score_file
from elmo_tf.errors import InputError
from elmo_tf.inference.scorer import Scorer

SENTENCES = [["tar", "unheard"], [], ["kens"]]


@pytest.fixture(scope="module")
def scorer():
    return Scorer(made_model(), WORDS)


def rows_of(path):
    head, *rows = [line.split("\t") for line in path.read_text().splitlines()]
    return [dict(zip(head, row, strict=True)) for row in rows]


def test_a_row_a_sentence_has_its_sums_and_a_blank_line_has_none(scorer, tmp_path):
    totals = score_file(scorer, SENTENCES, tmp_path / "scores.tsv")
    rows, found = rows_of(tmp_path / "scores.tsv"), list(scorer(SENTENCES))
    assert [row["line"] for row in rows] == ["1", "2", "3"]
    assert rows[1] == {**dict.fromkeys(rows[1], ""), "line": "2", "tokens": "0"}
    for row, score in ((rows[0], found[0]), (rows[2], found[2])):
        for name, value in score.to_dict().items():
            assert float(row[name]) == pytest.approx(value, abs=1e-5)
    assert (totals.sentences, totals.predictions, totals.unknown) == (2, 5, 1)
    assert totals.forward == pytest.approx(found[0].log_probability_forward + found[2].log_probability_forward)


def test_a_row_a_token_has_both_directions_and_the_boundaries_have_one(scorer, tmp_path):
    score_file(scorer, SENTENCES, tmp_path / "tokens.tsv", per_token=True)
    rows, score = rows_of(tmp_path / "tokens.tsv"), next(scorer(SENTENCES))
    assert [(row["line"], row["position"], row["token"], row["unknown"]) for row in rows[:4]] == [
        ("1", "0", "<S>", "0"),
        ("1", "1", "tar", "0"),
        ("1", "2", "unheard", "1"),
        ("1", "3", "</S>", "0"),
    ]
    assert (rows[0]["forward"], rows[3]["backward"], rows[0]["mean"]) == ("", "", "")
    assert [float(row["forward"]) for row in rows[1:4]] == pytest.approx(score.forward.tolist(), abs=1e-5)
    assert [float(row["backward"]) for row in rows[:3]] == pytest.approx(score.backward.tolist(), abs=1e-5)
    assert float(rows[1]["mean"]) == pytest.approx((score.forward[0] + score.backward[1]) / 2, abs=1e-5)


def test_json_lines_hold_the_same_numbers(scorer, tmp_path):
    score_file(scorer, SENTENCES, tmp_path / "scores.jsonl", "jsonl", per_token=True)
    lines = [json.loads(line) for line in (tmp_path / "scores.jsonl").read_text().splitlines()]
    score = next(scorer(SENTENCES))
    assert lines[1] == {"line": 2, "tokens": 0}
    assert lines[0]["words"] == ["tar", "unheard"]
    assert lines[0]["unknown"] == [False, True]
    assert lines[0]["forward"] == pytest.approx(score.forward.tolist(), abs=1e-6)
    assert lines[0]["log_probability"] == pytest.approx(score.log_probability)


def test_rows_go_to_standard_output_while_the_text_is_read(scorer, capsys):
    score_file(scorer, SENTENCES, "-")
    assert len(capsys.readouterr().out.splitlines()) == 4


def test_an_unknown_format_is_refused_and_nothing_is_written(scorer, tmp_path):
    with pytest.raises(InputError, match=r"^output_format: expected one of tsv, jsonl, got 'xml'$"):
        score_file(scorer, SENTENCES, tmp_path / "scores.xml", "xml")
    assert not list(tmp_path.iterdir())
