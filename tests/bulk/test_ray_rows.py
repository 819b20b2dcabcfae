"""What an actor of Ray does with a table: good rows get the results of one process, bad ones an error."""

import numpy as np
import pytest

from elmo_tf.bulk.embed import embed
from elmo_tf.bulk.ray_rows import EmbedRows, ScoreRows, Worker, results_of, sentences_of
from elmo_tf.bulk.settings import EmbedSettings

arrow = pytest.importorskip("pyarrow")
SENTENCES = [["the", "cat"], [], ["a", "zebra", "sat"]]


def test_a_row_that_fails_takes_no_other_with_it():
    calls = []

    def compute(sentences):
        calls.append(len(sentences))
        if ["bad"] in sentences:
            raise ValueError("no\nword")
        return [len(tokens) for tokens in sentences]

    errors = [None, "known", None, None]
    assert results_of(compute, [["a"], [], ["bad"], ["a", "b"]], errors) == [1, None, None, 2]
    assert errors == [None, "known", "ValueError: no word", None]
    assert calls == [3, 1, 1, 1]


def test_rows_that_are_no_sentences_have_an_error():
    table = arrow.table({"tokens": arrow.array([["a"], None, ["a", None]], arrow.list_(arrow.string()))})
    sentences, errors = sentences_of(table, "tokens")
    assert sentences == [["a"], [], []]
    assert errors[0] is None
    assert errors[1:] == [
        "expected a text or a list of tokens, got null",
        "expected tokens that are strings, got null",
    ]
    assert sentences_of(arrow.table({"n": [1]}), "n")[1] == ["expected a text or a list of tokens, got int"]


@pytest.mark.parametrize(
    "settings", [{}, {"layers": "top", "keep_boundaries": True}, {"layers": "0,2", "pooling": "max"}]
)
def test_vectors_are_those_of_one_process(model, loaded, compiled_once, monkeypatch, settings):
    monkeypatch.setattr("elmo_tf.store.load_model.load_bilm", lambda path, *_: path == str(model) and loaded)
    table = arrow.table({"id": [4, 5, 6, 7], "text": [" ".join(tokens) for tokens in SENTENCES] + [None]})
    came = EmbedRows(Worker(str(model), "text"), EmbedSettings(output_format="parquet", **settings))(table).to_pylist()
    assert [row["id"] for row in came] == [4, 5, 6, 7]
    for row, right in zip(came, embed(SENTENCES, loaded, **settings), strict=False):
        by_token = right if "pooling" in settings or right.ndim == 2 else np.swapaxes(right, 0, 1)
        np.testing.assert_allclose(np.reshape(row["vectors"], by_token.shape), by_token, rtol=0, atol=1e-6)
        assert row["error"] is None
    assert (came[3]["vectors"], came[3]["error"]) == (None, "expected a text or a list of tokens, got null")
    inner = ["a", "zebra", "sat"]
    assert came[2]["tokens"] == (["<S>", *inner, "</S>"] if "keep_boundaries" in settings else inner)


def test_scores_are_those_of_one_process(model):
    table = arrow.table({"id": [1, 2, 3], "tokens": SENTENCES})
    rows = ScoreRows(Worker(str(model), "tokens"), 2048, per_token=True)
    came = rows(table).to_pylist()
    for row, score in zip(came, rows.scorer(SENTENCES), strict=True):
        assert row["words"] == list(score.tokens)
        assert row["error"] is None
        if score.tokens:
            assert row["perplexity"] == pytest.approx(score.perplexity)
            assert row["unknown"] == score.unknown.tolist()
            assert row["forward"] == pytest.approx(score.forward.tolist(), abs=1e-5)
        else:
            assert (row["tokens"], row["perplexity"], row["forward"]) == (None, None, None)
