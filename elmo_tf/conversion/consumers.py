"""Decides which programs can load the files of a model as they are, or why not, and which conversion helps."""

import os
import zipfile
from typing import Any

from elmo_tf.conversion.targets import ALLENNLP, BILM_TF, READS, SIMPLE_ELMO, limits
from elmo_tf.formats.arrays import Arrays
from elmo_tf.store.file_names import NLPL_WEIGHTS_FILE, OPTIONS_FILE, VOCAB_FILE
from elmo_tf.store.model_location import HDF5, MANYLANGS
from elmo_tf.store.stored_model import StoredModel

_REQUIRED_OPTIONS = {
    ALLENNLP: ("use_skip_connections", "n_layers", "cell_clip", "proj_clip"),
    BILM_TF: ("use_skip_connections",),
    SIMPLE_ELMO: ("use_skip_connections", "n_layers"),
}
"""The options of the LSTM that each program reads without a default value."""

_IN_ZIP = (NLPL_WEIGHTS_FILE, OPTIONS_FILE, VOCAB_FILE)
"""The files that simple_elmo opens in a ZIP file, whether the model needs them or not."""


def verdict(stored: StoredModel, raw: dict[str, Any], target: str) -> str:
    """Returns "yes" if a program can load the files as they are; else the reasons, and the conversion that helps.

    Args:
        stored: the model, open.
        raw: the content of its `options.json`.
        target: "allennlp", "bilm-tf" or "simple_elmo".
    """
    if stored.form == MANYLANGS:
        return "no: only ELMoForManyLangs has its token encoder"
    form = stored.form if stored.form in READS[target] else HDF5
    reasons = limits(stored.options, target, form)
    if reasons:
        return f"no: {'; '.join(reasons)}"
    if stored.form not in READS[target]:
        return f"after elmo-tf convert --target={target}"
    reasons = _reasons_to_convert(stored, raw, target)
    if reasons:
        return f"not as it is: {'; '.join(reasons)}; after elmo-tf convert --format={stored.form} --target={target}"
    return "yes"


def _reasons_to_convert(stored: StoredModel, raw: dict[str, Any], target: str) -> list[str]:
    """The reasons why a program cannot load the files, of those that a conversion removes."""
    found = _wrong_places(stored, target)
    n_characters = 262 if stored.form == HDF5 else 261
    if stored.form == HDF5 and renamed_arrays(stored.weights):
        found.append("arrays have other names")
    if raw.get("char_cnn") and raw["char_cnn"].get("n_characters") != n_characters:
        found.append(f"n_characters must be {n_characters}")
    required = _REQUIRED_OPTIONS[target] if stored.form == HDF5 else ()
    found += [f"{OPTIONS_FILE} must say lstm.{name}" for name in required if name not in raw["lstm"]]
    return found


def _wrong_places(stored: StoredModel, target: str) -> list[str]:
    """The reasons that concern where the files are and what they are called.

    Only simple_elmo opens ZIP files; it requires three names in the archive's top folder. In a folder it loads
    `model.hdf5`, or else the `.hdf5` file that the system lists first.
    """
    if stored.form != HDF5:
        return []
    if stored.is_zipped:
        if target != SIMPLE_ELMO:
            return ["it lies in a ZIP file"]
        with zipfile.ZipFile(stored.path) as archive:
            missing = [name for name in _IN_ZIP if name not in archive.namelist()]
        return [f"its ZIP file must have {' and '.join(missing)} at the top"] if missing else []
    folder = os.path.dirname(stored.weights.source) or "."
    if target != SIMPLE_ELMO or stored.path == stored.source or os.path.exists(os.path.join(folder, NLPL_WEIGHTS_FILE)):
        return []
    others = [name for name in sorted(os.listdir(folder)) if name.endswith(".hdf5") and name != stored.weights_name]
    return [f"it may take {others[0]} for the model, for there is no {NLPL_WEIGHTS_FILE}"] if others else []


def renamed_arrays(weights: Arrays) -> list[str]:
    """Arrays under names that nobody but us reads."""
    return [weights.name_in_file(name) for name in weights if weights.name_in_file(name) != name]
