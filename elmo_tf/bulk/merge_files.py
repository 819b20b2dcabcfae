"""Merges the outputs of all shares into one file, which has the same bytes as the output of a single run."""

import os
from collections.abc import Sequence
from typing import Any

from elmo_tf.bulk.formats import check_installed
from elmo_tf.bulk.join import join
from elmo_tf.bulk.manifest import ENDING, read_manifest
from elmo_tf.bulk.progress import Embedded
from elmo_tf.bulk.settings import EmbedSettings
from elmo_tf.errors import InputError
from elmo_tf.system.atomic_files import check_output


def merge_files(
    input_files: Sequence[str | os.PathLike[str]],
    output_file: str | os.PathLike[str],
    overwrite: bool = False,
    links: bool = False,
) -> Embedded:
    """Joins the outputs of all shares in the order of the text, in whatever order the files are given.

    Args:
        input_files: the outputs, each with its `.manifest.json` beside it. Paths of manifests in the list are ignored.
        output_file: the file to write, in the format of the shares.
        overwrite: whether to replace an output that exists.
        links: for HDF5, whether to write a small file of links to the shares instead of a copy of their vectors. The
            shares have to stay where they are, seen from the file.

    Returns:
        The numbers of sentences and of tokens in the output.

    Raises:
        InputError: a share is missing, given twice, incomplete or from a different run; or a file cannot be read or
            written.
    """
    output_file = os.fspath(output_file)
    paths = [path for path in [os.fspath(path) for path in input_files] if not path.endswith(ENDING)]
    if os.path.realpath(output_file) in map(os.path.realpath, paths):
        raise InputError(f"{output_file} is one of the shares; expected the name of a new file", path=output_file)
    check_output(output_file, overwrite)
    shares = _sorted_shares(paths)
    first = shares[0][1]
    settings = EmbedSettings(**first["settings"])
    check_installed(settings)
    if links and settings.output_format != "hdf5":
        raise InputError(
            f"links: expected shares in the format hdf5, got {settings.output_format}; most programs read a folder of "
            "other files as one",
            option="links",
        )
    join([path for path, _ in shares], output_file, settings, links=links)
    return Embedded(sum(values["lines"] for _, values in shares), sum(values["tokens"] for _, values in shares))


def _sorted_shares(paths: Sequence[str]) -> list[tuple[str, dict[str, Any]]]:
    """Checks that the files are all shares of one run; returns them and their manifests in the order of the text."""
    by_index: dict[int, tuple[str, dict[str, Any]]] = {}
    for path in paths:
        values = _manifest_of(path)
        index = values["share"]["shard_index"]
        if index in by_index:
            raise InputError(
                f"{path} is share {index}, and so is {by_index[index][0]}; expected each share once", path=path
            )
        by_index[index] = path, values
    if not by_index:
        raise InputError("input_files: expected the outputs of elmo-tf embed with --num_shards, got none")
    first_path, first = next(iter(by_index.values()))
    for path, values in by_index.values():
        _check_together(first_path, first, path, values)
    count = first["share"]["num_shards"]
    missing = [str(index) for index in range(count) if index not in by_index]
    if missing:
        raise InputError(
            f"{first_path} is one of {count} shares; shares missing: {', '.join(missing[:20])}", path=first_path
        )
    return [by_index[index] for index in range(count)]


def _manifest_of(path: str) -> dict[str, Any]:
    """Reads the manifest of a share; raises an `InputError` if the share is not complete."""
    if not os.path.isfile(path + ENDING):
        raise InputError(
            f"{path} has no {os.path.basename(path)}{ENDING} beside it: it is no complete share", path=path
        )
    values = read_manifest(path + ENDING)
    try:
        size = os.path.getsize(path)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}", path=path) from error
    if size != values.get("bytes"):
        raise InputError(
            f"{path} is not complete: expected {values.get('bytes')} bytes by its manifest, got {size}", path=path
        )
    return values


def _check_together(first_path: str, first: dict[str, Any], path: str, values: dict[str, Any]) -> None:
    names = [name for name in ("model", "input_sizes") if values[name] != first[name]]
    if values["share"]["num_shards"] != first["share"]["num_shards"]:
        names.append("num_shards")
    names += [name for name, value in first["settings"].items() if values["settings"].get(name) != value]
    if names:
        raise InputError(f"{path} does not belong to {first_path}: they differ in {', '.join(names)}", path=path)
