"""Reads and writes manifests: JSON files that record which run made a file of vectors or a folder of parts."""

import json
from collections.abc import Mapping
from typing import Any

from elmo_tf.errors import InputError
from elmo_tf.system.atomic_files import write_text
from elmo_tf.system.input_files import read_json

ENDING = ".manifest.json"
"""The ending that, added to the path of a share's output, gives the path of its manifest."""

_FORM = 1
"""The version of the format of manifests; increase it when a name in the manifest changes its meaning."""


def write_manifest(path: str, values: Mapping[str, Any], temporary_folder: str | None = None) -> None:
    """Writes a manifest, completely or not at all; `temporary_folder` is that of `atomic_write`."""
    write_text(path, json.dumps({"elmo_tf_manifest": _FORM, **values}, indent=1) + "\n", temporary_folder)


def read_manifest(path: str) -> dict[str, Any]:
    """Reads a manifest; raises an `InputError` if the file is not a manifest of this version."""
    values = read_json(path)
    if not isinstance(values, dict) or values.get("elmo_tf_manifest") != _FORM:
        raise InputError(f"{path} is no manifest of elmo-tf embed of this version", path=path)
    return values
