"""The work of a Ray actor: loads a model once, then embeds or scores rows of tables. A bad row gets an error instead.

Ray copies the classes of this module to its workers by name. TensorFlow is imported when an actor is made, after its
settings are in the environment; the program that starts the actors does not need it.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from elmo_tf.bulk.ray_text import ERROR, TOKENS
from elmo_tf.bulk.settings import EmbedSettings
from elmo_tf.bulk.vector_column import pyarrow, vector_column
from elmo_tf.data.vocabulary import BEGIN_SENTENCE, END_SENTENCE

VECTORS = "vectors"
"""The column of the vectors, which is added beside `TOKENS` and `ERROR`."""

_FAILURES = (ArithmeticError, LookupError, MemoryError, TypeError, ValueError)
"""The errors by which a row fails, beside those of TensorFlow."""


@dataclass(frozen=True)
class Worker:
    """How an actor computes, and where it finds the sentences.

    Args:
        model: a model's folder or file, which every machine must find by this path, or a published name.
        column: the column with the sentences: texts, which are split at white space, or lists of tokens.
        which, vocab_file: the arguments of `load_bilm`.
        cores: the threads with which an actor computes.
        environment: variables that are set in the actor's process before it imports TensorFlow.
    """

    model: str
    column: str
    which: str | None = None
    vocab_file: str | None = None
    cores: int = 1
    environment: Mapping[str, str] = field(default_factory=dict)

    def start_tensorflow(self) -> tuple[type[Exception], ...]:
        """Imports TensorFlow with the actor's number of threads; it takes the memory of a GPU as it needs it.

        Returns:
            The errors by which a row fails.
        """
        os.environ.update(self.environment)
        import tensorflow as tf

        try:
            tf.config.threading.set_intra_op_parallelism_threads(self.cores)
            tf.config.threading.set_inter_op_parallelism_threads(self.cores)
            for gpu in tf.config.list_physical_devices("GPU"):
                tf.config.experimental.set_memory_growth(gpu, True)
        except RuntimeError:  # this process has used TensorFlow before, so it keeps its settings
            pass
        return (*_FAILURES, tf.errors.OpError)


def sentences_of(table: Any, column: str) -> tuple[list[list[str]], list[str | None]]:
    """Reads the sentences of a table.

    Returns:
        The tokens of every row, and for every row what is wrong with it, or None. A bad row has no tokens.

    Example:

    >>> table = pyarrow().table({"text": ["a cat", None]})
    >>> sentences_of(table, "text")
    ([['a', 'cat'], []], [None, 'expected a text or a list of tokens, got null'])
    """
    values = table[column].to_pylist()
    errors = table[ERROR].to_pylist() if ERROR in table.column_names else [None] * len(values)
    sentences: list[list[str]] = []
    for row, value in enumerate(values):
        errors[row] = errors[row] or _error_of(value)
        tokens = [] if errors[row] else value.split() if isinstance(value, str) else list(value)
        sentences.append(tokens)
    return sentences, errors


def _error_of(value: Any) -> str | None:
    if isinstance(value, str):
        return None
    if not isinstance(value, list):
        return f"expected a text or a list of tokens, got {'null' if value is None else type(value).__name__}"
    wrong = next((token for token in value if not isinstance(token, str)), "")
    return None if wrong == "" else f"expected tokens that are strings, got {'null' if wrong is None else repr(wrong)}"


def results_of(
    compute: Callable[[Sequence[Sequence[str]]], Sequence[Any]],
    sentences: Sequence[Sequence[str]],
    errors: list[str | None],
    failures: tuple[type[Exception], ...] = _FAILURES,
) -> list[Any]:
    """Computes the results of the good rows; writes into `errors` what was wrong with a row that has none.

    All rows are computed together. Where that fails, each is computed alone, so that a row that fails takes no other
    with it. Only the errors `failures` count as those of a row; any other is raised.

    Returns:
        For every row its result; None for a bad one.
    """
    good = [row for row, error in enumerate(errors) if error is None]
    found: list[Any] = [None] * len(sentences)
    try:
        for row, result in zip(good, compute([sentences[row] for row in good]), strict=True):
            found[row] = result
    except failures:
        for row in good:
            try:
                (found[row],) = compute([sentences[row]])
            except failures as error:
                errors[row] = " ".join(f"{type(error).__name__}: {error}".split())[:500]
    return found


class EmbedRows:
    """Adds to a table the tokens and vectors of its sentences.

    Args:
        worker: the model, and how to compute.
        settings: the settings that say which vectors to compute.

    Raises:
        InputError: the model cannot be loaded, or a setting does not fit it.
    """

    def __init__(self, worker: Worker, settings: EmbedSettings) -> None:
        self._failures = worker.start_tensorflow()
        from elmo_tf.bulk.embed import BlockEmbedder, embedder_of
        from elmo_tf.store.load_model import load_bilm

        loaded = load_bilm(worker.model, worker.which, worker.vocab_file, settings.dtype_policy)
        self._embed = BlockEmbedder(embedder_of(loaded, settings), settings)
        self._worker, self._settings = worker, settings
        self._is_pooled = settings.pooling != "none"
        (self._empty,) = self._embed([[]])

    def __call__(self, table: Any) -> Any:
        """Returns the table with the new columns; the column of the sentences is replaced by that of their tokens."""
        arrow = pyarrow()
        sentences, errors = sentences_of(table, self._worker.column)
        found = results_of(self._embed, sentences, errors, self._failures)
        missing = np.array([result is None for result in found])
        empty = self._empty if self._is_pooled or self._empty.ndim == 2 else np.swapaxes(self._empty, 0, 1)
        if not self._is_pooled:
            empty = empty[:0]
        arrays = [empty if result is None else self._by_token(result) for result in found]
        if self._settings.keep_boundaries:
            sentences = [[BEGIN_SENTENCE, *tokens, END_SENTENCE] for tokens in sentences]
        kept = table.drop_columns([name for name in (self._worker.column, ERROR) if name in table.column_names])
        kept = kept.append_column(TOKENS, arrow.array(sentences, arrow.list_(arrow.string())))
        kept = kept.append_column(VECTORS, vector_column(arrays, self._is_pooled, missing))
        return kept.append_column(ERROR, arrow.array(errors, arrow.string()))

    def _by_token(self, vectors: np.ndarray) -> np.ndarray:
        return vectors if self._is_pooled or vectors.ndim == 2 else np.swapaxes(vectors, 0, 1)


class ScoreRows:
    """Adds to a table the log-probabilities of its sentences, in the columns of `elmo-tf score`.

    Args:
        worker: the model, and how to compute.
        batch_tokens: the argument of `Scorer`.
        per_token: whether to add the log-probabilities of every token too, as lists.

    Raises:
        InputError: the model cannot be loaded, or has no softmax.
    """

    def __init__(self, worker: Worker, batch_tokens: int, per_token: bool = False) -> None:
        self._failures = worker.start_tensorflow()
        from elmo_tf.inference.scorer import Scorer
        from elmo_tf.store.load_model import load_language_model

        loaded = load_language_model(worker.model, worker.which, worker.vocab_file)
        self.scorer = Scorer(loaded.model, loaded.vocabulary, batch_tokens)
        self._worker, self._per_token = worker, per_token

    def __call__(self, table: Any) -> Any:
        """Returns the table with the new columns; the column of the sentences is replaced by `words`."""
        arrow = pyarrow()
        sentences, errors = sentences_of(table, self._worker.column)
        rows = []
        for tokens, score in zip(
            sentences, results_of(lambda some: list(self.scorer(some)), sentences, errors, self._failures), strict=True
        ):
            row: dict[str, Any] = {"words": tokens}
            if score is not None and tokens:
                row.update(score.to_dict())
            if score is not None and tokens and self._per_token:
                row["unknown"], row["forward"] = score.unknown.tolist(), score.forward.tolist()
                row["backward"] = None if score.backward is None else score.backward.tolist()
            rows.append(row)
        kept = table.drop_columns([name for name in (self._worker.column, ERROR) if name in table.column_names])
        columns = arrow.Table.from_pylist(rows, schema=_score_schema(arrow, self._per_token))
        for name in columns.column_names:
            kept = kept.append_column(name, columns[name])
        return kept.append_column(ERROR, arrow.array(errors, arrow.string()))


def _score_schema(arrow: Any, per_token: bool) -> Any:
    numbers, whole = arrow.float64(), arrow.int32()
    columns = {"words": arrow.list_(arrow.string()), "tokens": whole, "unknown_tokens": whole}
    for name in ("log_probability", "perplexity"):
        columns.update({name: numbers, f"{name}_forward": numbers, f"{name}_backward": numbers})
    if per_token:
        single = arrow.list_(arrow.float32())
        columns.update({"unknown": arrow.list_(arrow.bool_()), "forward": single, "backward": single})
    return arrow.schema(list(columns.items()))
