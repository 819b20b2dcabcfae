"""Embeds and scores with Ray Data, on one machine or on many (https://docs.ray.io/en/latest/data/data.html).

`embed` and `score` work on any dataset of Ray. `embed_file` and `score_file` do all of a job: text, CoNLL-U or Parquet
in, a folder of Parquet files out. They go on where a killed job was, and report bad rows. `Actors` says how many actors
there are and what each of them gets; `cluster` starts a cluster on this machine or connects to one.
"""

import os
from collections.abc import Mapping, Sequence
from typing import Any

from elmo_tf.bulk.ray_cluster import ONE_A_CORE, Actors, cluster, imported_ray
from elmo_tf.bulk.ray_job import Done, Job
from elmo_tf.bulk.ray_rows import EmbedRows, ScoreRows, Worker
from elmo_tf.bulk.settings import EmbedSettings
from elmo_tf.errors import InputError

_ROWS = 512
"""The rows that an actor computes together."""

_BLOCKS_A_TASK = 64
"""The blocks of text (`EmbedSettings.block_bytes`) that one task reads: a task of Ray has to be worth its cost."""

_PASSED_ON = ("TF_ENABLE_ONEDNN_OPTS", "TF_CPP_MIN_LOG_LEVEL", "ELMO_TF_MIRROR")
"""Variables of the environment that the actors get too."""


def embed(
    dataset: Any,
    model: str | os.PathLike[str],
    *,
    column: str = "text",
    actors: Actors = ONE_A_CORE,
    which: str | None = None,
    vocab_file: str | None = None,
    **settings: Any,
) -> Any:
    """Adds the vectors of sentences to a dataset of Ray; computed when the dataset is read or written, as Ray does.

    Args:
        dataset: a `ray.data.Dataset`.
        model: a model's folder or file, which every machine must find by this path, or a published name.
        column: the column with the sentences: texts, which are split at white space, or lists of tokens. It is
            replaced by `tokens`.
        actors: the number of actors and the resources of each.
        which, vocab_file: the arguments of `elmo_tf.load_bilm`.
        settings: fields of `elmo_tf.bulk.settings.EmbedSettings`, such as `layers="top"`.

    Returns:
        The dataset with the columns `tokens`, `vectors` as in the Parquet files of `elmo-tf embed`, and `error`: null,
        or what was wrong with a row, whose vectors are then null.

    Raises:
        InputError: Ray is not installed, or a setting has a wrong value.
    """
    chosen = _settings(settings)
    if chosen.input_format != "text":
        raise InputError("input_format: expected it with files alone, got it with a dataset", option="input_format")
    return _mapped(dataset, EmbedRows, _worker(model, column, which, vocab_file, actors), actors, chosen)


def score(
    dataset: Any,
    model: str | os.PathLike[str],
    *,
    column: str = "text",
    actors: Actors = ONE_A_CORE,
    which: str | None = None,
    vocab_file: str | None = None,
    batch_tokens: int = 2048,
    per_token: bool = False,
) -> Any:
    """Adds the log-probabilities of sentences to a dataset of Ray, by a model that has its softmax.

    Args:
        dataset, model, column, actors, which, vocab_file: the arguments of `embed`; the column is replaced by `words`.
        batch_tokens: tokens computed at a time, padding counted.
        per_token: whether to add the lists `unknown`, `forward` and `backward`, the numbers of every token.

    Returns:
        The dataset with the columns of `elmo-tf score`, and `error`.

    Raises:
        InputError: Ray is not installed.
    """
    worker = _worker(model, column, which, vocab_file, actors)
    return _mapped(dataset, ScoreRows, worker, actors, batch_tokens, per_token)


def embed_file(
    model: str | os.PathLike[str],
    input_file: str | Sequence[str],
    output_folder: str | os.PathLike[str],
    *,
    address: str | None = None,
    actors: Actors = ONE_A_CORE,
    which: str | None = None,
    vocab_file: str | None = None,
    overwrite: bool = False,
    **settings: Any,
) -> Done:
    """Embeds files into a folder of Parquet files, which appears when it is complete.

    The rows keep their ids: a line of text or a sentence of CoNLL-U has its number in all files together, from 0, which
    is the `id` in the Parquet file of `elmo-tf embed` too; a row of Parquet has its column `id`. The rows are in no
    order.

    Args:
        model: a model's folder or file, which every machine must find by this path, or a published name.
        input_file: text files with one tokenised sentence a line, or CoNLL-U, plain or .gz; or Parquet files (their
            names end in .parquet) with the columns `id`, each once, and `text` or `tokens`. All machines need them by
            this path.
        output_folder: the folder to make, on a disk of all machines. `OUTPUT.parts` beside it keeps what is finished.
        address: the address of a running cluster, "auto" for that of this machine; None starts one on this machine.
        actors: the number of actors and the resources of each.
        which, vocab_file: the arguments of `elmo_tf.load_bilm`.
        overwrite: whether to replace an output that exists, and to discard what an unfinished job has finished.
        settings: fields of `elmo_tf.bulk.settings.EmbedSettings`, such as `layers="top"`.

    Returns:
        The numbers of rows and of bad rows, and the errors of the first of these.

    Raises:
        InputError: Ray is not installed; or a file, the model or a setting is wrong.
    """
    from elmo_tf.bulk.embed import BlockEmbedder, embedder_of
    from elmo_tf.bulk.fingerprint import identity_of_settings, model_digest
    from elmo_tf.store.load_model import load_bilm

    chosen = _settings(settings)
    imported_ray()
    piece_bytes = _BLOCKS_A_TASK * chosen.block_bytes
    job = Job(_paths(input_file), os.fspath(output_folder), overwrite, piece_bytes, chosen.input_format)
    loaded = load_bilm(model, which, vocab_file, chosen.dtype_policy)
    chosen = chosen.with_mix_of(loaded.source)
    BlockEmbedder(embedder_of(loaded, chosen), chosen)  # raises an error before the cluster is started
    identity = {"model": model_digest(loaded), "settings": identity_of_settings(chosen)}
    del loaded
    arguments = {"actors": actors, "which": which, "vocab_file": vocab_file, **_given(chosen)}
    with job.goes_on(identity), cluster(address, actors) as ray:
        return job.run(ray, lambda dataset, column: embed(dataset, model, column=column, **arguments))


def score_file(
    model: str | os.PathLike[str],
    input_file: str | Sequence[str],
    output_folder: str | os.PathLike[str],
    *,
    address: str | None = None,
    actors: Actors = ONE_A_CORE,
    which: str | None = None,
    vocab_file: str | None = None,
    overwrite: bool = False,
    batch_tokens: int = 2048,
    per_token: bool = False,
    input_format: str = "text",
) -> Done:
    """Scores files into a folder of Parquet files; the arguments are those of `embed_file` and of `score`.

    Raises:
        InputError: Ray is not installed; or a file or the model is wrong.
    """
    from elmo_tf.bulk.fingerprint import language_model_digest
    from elmo_tf.store.load_model import load_language_model

    imported_ray()
    job = Job(_paths(input_file), os.fspath(output_folder), overwrite, input_format=input_format)
    loaded = load_language_model(model, which, vocab_file)
    settings = {"per_token": per_token, "input_format": input_format}
    identity = {"model": language_model_digest(loaded), "settings": settings}
    del loaded
    scoring: dict[str, Any] = {
        "batch_tokens": batch_tokens,
        "per_token": per_token,
        "which": which,
        "vocab_file": vocab_file,
        "actors": actors,
    }
    with job.goes_on(identity), cluster(address, actors) as ray:
        return job.run(ray, lambda dataset, column: score(dataset, model, column=column, **scoring))


def _mapped(dataset: Any, kind: type, worker: Worker, actors: Actors, *arguments: Any) -> Any:
    ray = imported_ray()
    return dataset.map_batches(
        kind,
        fn_constructor_args=(worker, *arguments),
        batch_format="pyarrow",
        batch_size=_ROWS,
        compute=ray.data.ActorPoolStrategy(size=actors.count(ray.cluster_resources())),
        num_cpus=actors.cpus,
        num_gpus=actors.gpus or None,
    )


def _worker(
    model: str | os.PathLike[str], column: str, which: str | None, vocab_file: str | None, actors: Actors
) -> Worker:
    if not isinstance(model, (str, os.PathLike)):
        raise ValueError(f"model: expected a path or a name, which every actor loads itself, got {model!r}")
    path = os.fspath(model)
    path = os.path.abspath(path) if os.path.exists(path) else path
    vocab_file = None if vocab_file is None else os.path.abspath(vocab_file)
    environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    return Worker(path, column, which, vocab_file, actors.cpus, environment)


def _settings(settings: Mapping[str, Any]) -> EmbedSettings:
    chosen = EmbedSettings(**{"output_format": "parquet", **settings})
    if chosen.output_format != "parquet":
        raise InputError(
            f"output_format: expected parquet with Ray, got {chosen.output_format}", option="output_format"
        )
    return chosen


def _given(settings: EmbedSettings) -> dict[str, Any]:
    """The settings of a dataset as arguments: what its files were does not matter any more.

    Files in the settings get absolute paths, because the actors run in other folders.
    """
    values = {name: value for name, value in settings.to_dict().items() if name != "input_format"}
    for name in ("mix_from", "vocab_to_cache"):
        if isinstance(values[name], (str, os.PathLike)):
            values[name] = os.path.abspath(values[name])
    return values


def _paths(given: str | Sequence[str]) -> list[str]:
    paths = [os.fspath(path) for path in ([given] if isinstance(given, (str, os.PathLike)) else given)]
    if not paths or "-" in paths:
        raise InputError(f"input_file: expected files with Ray, got {', '.join(paths) or 'none'}", option="input_file")
    return [os.path.abspath(path) for path in paths]
