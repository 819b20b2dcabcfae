"""The model card: a page that says what a model is, how it was trained and how to use it, from what is known of it."""

import math
import os
from collections.abc import Sequence

from elmo_tf.errors import InputError
from elmo_tf.models.weight_names import expected_shapes
from elmo_tf.options import Options
from elmo_tf.store.stored_model import StoredModel
from elmo_tf.training.run_log import RunLog, read_run_log

CARD_FILE = "README.md"
"""The name of the model card in a repository of the Hub."""

_PERPLEXITY = "val_perplexity"


def model_card(stored: StoredModel, repository: str, license_name: str, languages: Sequence[str] = ()) -> str:
    """Writes the card of a model, with the front matter that the Hub reads.

    Args:
        stored: the model. If it is the checkpoint of a training run, the perplexities are read from the run's log.
        repository: the repository on the Hub, such as "user/model".
        license_name: the identifier of the licence on the Hub, such as "apache-2.0".
        languages: the codes of the languages, such as "nb".
    """
    log = _log_of(stored)
    parts = [
        _front_matter(license_name, languages),
        f"# {repository.partition('/')[2]}",
        "A bidirectional language model (biLM) for ELMo vectors (Peters et al. 2018), written by elmo_tf.",
        "## Use",
        _use(repository),
        "## Model",
        _table(_architecture(stored)),
        "## Training",
        _table(_training(stored.options, stored.step)),
    ]
    if log is not None:
        parts += [
            "## Perplexity",
            "Exact perplexity of held-out text at the best validation: the softmax over the whole vocabulary, every "
            "token once.",
            _table(_perplexities(log)),
        ]
    return "\n\n".join(parts) + "\n"


def _log_of(stored: StoredModel) -> RunLog | None:
    """The log of the training run, if the model is one with validations; None for any other model."""
    if not os.path.isdir(stored.path):
        return None
    try:
        log = read_run_log(stored.path)
    except InputError:  # a model of another program has no log, and a new run an empty one
        return None
    return log if _PERPLEXITY in log.columns else None


def _front_matter(license_name: str, languages: Sequence[str]) -> str:
    lines = ["---", f"license: {license_name}"]
    if languages:
        lines += ["language:", *(f"- {language}" for language in languages)]
    lines += ["library_name: elmo_tf", "pipeline_tag: feature-extraction", "tags:", "- elmo", "- bilm", "---"]
    return "\n".join(lines)


def _use(repository: str) -> str:
    return "\n".join(
        [
            "```python",
            "import elmo_tf",
            "",
            f'loaded = elmo_tf.load_bilm("hf://{repository}")',
            "embed = elmo_tf.SentenceEmbedder(loaded.bilm, loaded.vocabulary)",
            '(vectors,) = embed([["A", "tokenised", "sentence", "."]])  # (layers, tokens, size)',
            "```",
            "",
            "`weights.hdf5` and `options.json` are in the format of AllenNLP, bilm-tf and simple_elmo.",
        ]
    )


def _architecture(stored: StoredModel) -> dict[str, str]:
    options, lstm = stored.options, stored.options.lstm
    rows = {
        "LSTM layers": str(lstm.n_layers),
        "cells of a layer": f"{lstm.dim:,}"
        + (f", projected to {lstm.projection_dim:,}" if lstm.has_projection else ""),
        "directions": "forward and backward" if options.bidirectional else "forward",
        "size of a vector": f"{lstm.projection_dim * options.directions:,}",
    }
    if options.char_cnn is None:
        rows["input"] = "words of the vocabulary"
    else:
        cnn = options.char_cnn
        rows["input"] = f"characters: {cnn.n_filters:,} filters, {cnn.n_highway} highway layers"
    rows["parameters of the biLM"] = f"{sum(math.prod(shape) for shape in expected_shapes(options).values()):,}"
    if options.n_tokens_vocab is not None:
        rows["words of the vocabulary"] = f"{options.n_tokens_vocab:,}"
    rows["softmax"] = "in softmax.hdf5" if stored.has_softmax else "not included"
    return rows


def _training(options: Options, step: int | None) -> dict[str, str]:
    training = options.training
    rows = {} if training.n_train_tokens is None else {"words of the text": f"{training.n_train_tokens:,}"}
    if step is not None:
        rows["steps"] = f"{step:,}"
    softmax = f"sampled, {training.n_negative_samples_batch:,} negatives" if training.sample_softmax else "full"
    return rows | {
        "passes over the text": str(training.n_epochs),
        "rows of a batch, on each device": str(training.batch_size),
        "steps of a window": str(training.unroll_steps),
        "dropout": f"{training.dropout:g}",
        "softmax": softmax,
        "optimizer": f"Adagrad, learning rate {training.learning_rate:g}",
        "bound of the gradient's norm": f"{training.all_clip_norm_val:g}",
    }


def _perplexities(log: RunLog) -> dict[str, str]:
    """The perplexities of the validation with the lowest mean."""
    step, mean = min(log.columns[_PERPLEXITY], key=lambda point: point[1])
    rows = {"step": f"{step:,}"}
    for direction in ("forward", "backward"):
        by_step = dict(log.columns.get(f"{_PERPLEXITY}_{direction}", ()))
        if step in by_step:
            rows[direction] = f"{by_step[step]:.2f}"
    return {**rows, "mean": f"{mean:.2f}"}


def _table(rows: dict[str, str]) -> str:
    return "\n".join(["| | |", "| --- | --- |", *(f"| {name} | {value} |" for name, value in rows.items())])
