"""Manifests: JSON objects that say what a file of vectors, or a folder of parts, was made from."""

import json
from collections.abc import Mapping
from typing import Any

from elmo_tf.errors import InputError
from elmo_tf.system.atomic_files import write_text
from elmo_tf.system.input_files import read_json

ENDING = ".manifest.json"
"""After the name of a share's output."""

_FORM = 1
"""The form of the manifest; a higher number when names in it change their meaning."""


def write_manifest(path: str, values: Mapping[str, Any]) -> None:
    """Writes the manifest, whole or not at all."""
    write_text(path, json.dumps({"elmo_tf_manifest": _FORM, **values}, indent=1) + "\n")


def read_manifest(path: str) -> dict[str, Any]:
    """Reads a manifest; an `InputError` where the file is none."""
    values = read_json(path)
    if not isinstance(values, dict) or values.get("elmo_tf_manifest") != _FORM:
        raise InputError(f"{path} is no manifest of elmo-tf embed of this version", path=path)
    return values
