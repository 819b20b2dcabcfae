"""Writes the log-probabilities of sentences to a file, one row for each sentence or for each token."""

import json
import math
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from elmo_tf.bulk.text_output import open_output
from elmo_tf.data.vocabulary import BEGIN_SENTENCE, END_SENTENCE
from elmo_tf.errors import InputError
from elmo_tf.inference.evaluator import Perplexity
from elmo_tf.inference.scorer import Scorer, SentenceScore

FORMATS = ("tsv", "jsonl")

_SENTENCE_COLUMNS = (
    "tokens",
    "unknown_tokens",
    "log_probability",
    "log_probability_forward",
    "log_probability_backward",
    "perplexity",
    "perplexity_forward",
    "perplexity_backward",
)
_TOKEN_COLUMNS = ("position", "token", "unknown", "forward", "backward", "mean")


@dataclass
class ScoreTotals:
    """The counts and sums over a whole text.

    Args:
        sentences: the number of sentences with at least one word.
        predictions: the number of predictions in one direction, one for each word and each end of a sentence.
        unknown: the number of words outside the vocabulary.
        forward, backward: the sums of the log-probabilities; `backward` stays 0 for a model that reads forwards only.
        directions: the number of directions of the model, 1 or 2.
    """

    sentences: int = 0
    predictions: int = 0
    unknown: int = 0
    forward: float = 0.0
    backward: float = 0.0
    directions: int = 1

    def add(self, score: SentenceScore) -> None:
        """Adds one sentence. A sentence without words is not counted, as in `elmo-tf evaluate`."""
        if not score.tokens:
            return
        self.sentences += 1
        self.predictions += score.predictions
        self.unknown += int(score.unknown.sum())
        self.forward += score.log_probability_forward
        if score.log_probability_backward is not None:
            self.backward, self.directions = self.backward + score.log_probability_backward, 2

    def to_perplexity(self) -> Perplexity:
        """Returns the sums in the form in which `elmo-tf evaluate` reports them; at least one sentence was added."""
        totals = (self.forward, self.backward)[: self.directions]
        return Perplexity(self.predictions, tuple(-total for total in totals), self.unknown)

    @property
    def perplexity(self) -> float:
        """The arithmetic mean of the directions' perplexities over the whole text."""
        totals = (self.forward, self.backward)[: self.directions]
        return sum(math.exp(-total / self.predictions) for total in totals) / self.directions


def score_file(
    scorer: Scorer,
    sentences: Iterable[Sequence[str]],
    output_file: str | os.PathLike[str],
    output_format: str = "tsv",
    per_token: bool = False,
    progress: Callable[[int], None] | None = None,
) -> ScoreTotals:
    """Scores sentences and writes a row for each, in their order, while the sentences are being read.

    Args:
        scorer: the model that scores the sentences.
        sentences: lists of tokens, read lazily. An empty list gets a row without log-probabilities,
            except with `per_token` in "tsv", where it has no token to write a row for.
        output_file: the file for the rows; "-" for standard output.
        output_format: "tsv", tab-separated columns below a line of column names, or "jsonl", one JSON object per line.
        per_token: whether to write the log-probabilities of every token. In "tsv", each token then gets a row, and the
            rows of sentences are left out; in "jsonl", the object of the sentence gets lists of the log-probabilities.
        progress: a function that is called with the number of sentences scored so far.

    Raises:
        InputError: `output_format` is not one of `FORMATS`, or the file cannot be written.
    """
    if output_format not in FORMATS:
        raise InputError(f"output_format: expected one of {', '.join(FORMATS)}, got {output_format!r}")
    totals = ScoreTotals()
    with open_output(output_file) as write_line:
        if output_format == "tsv":
            write_line("\t".join(("line", *(_TOKEN_COLUMNS if per_token else _SENTENCE_COLUMNS))))
        for number, score in enumerate(scorer(sentences), 1):
            totals.add(score)
            for line in _lines(number, score, output_format, per_token):
                write_line(line)
            if progress is not None:
                progress(number)
    return totals


def _lines(number: int, score: SentenceScore, output_format: str, per_token: bool) -> Iterator[str]:
    if output_format == "jsonl":
        yield json.dumps(_json_object(number, score, per_token), ensure_ascii=False)
    elif per_token:
        for row in _token_rows(score):
            yield "\t".join(map(_cell, (number, *row)))
    else:
        values = score.to_dict() if score.tokens else {"tokens": 0}
        yield "\t".join(map(_cell, (number, *(values.get(name) for name in _SENTENCE_COLUMNS))))


def _json_object(number: int, score: SentenceScore, per_token: bool) -> dict[str, object]:
    found: dict[str, object] = {"line": number, **(score.to_dict() if score.tokens else {"tokens": 0})}
    if per_token and score.tokens:
        found["words"] = list(score.tokens)
        found["unknown"] = [bool(value) for value in score.unknown]
        found["forward"] = [round(float(value), 6) for value in score.forward]
        if score.backward is not None:
            found["backward"] = [round(float(value), 6) for value in score.backward]
    return found


def _token_rows(score: SentenceScore) -> Iterator[tuple[object, ...]]:
    """Yields the rows of a sentence: `<S>` with its backward log-probability, each word with both, `</S>` with its
    forward one. A model without a backward direction has no row for `<S>`.
    """
    if not score.tokens:
        return
    backward = score.backward
    if backward is not None:
        yield 0, BEGIN_SENTENCE, 0, None, float(backward[0]), None
    for place, token in enumerate(score.tokens):
        forward = float(score.forward[place])
        other = None if backward is None else float(backward[place + 1])
        mean = forward if other is None else (forward + other) / 2
        yield place + 1, token, int(score.unknown[place]), forward, other, mean
    yield len(score.tokens) + 1, END_SENTENCE, 0, float(score.forward[-1]), None, None


def _cell(value: object) -> str:
    if value is None:
        return ""
    return f"{value:.6f}" if isinstance(value, float) else str(value)
