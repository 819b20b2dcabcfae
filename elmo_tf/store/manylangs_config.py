"""Reads what a folder of ELMoForManyLangs says about its model: the configuration and the two lexicons.

`config.json` is the command line of the training. Its `config_path` names the configuration, which is a file in the
folder or, in most published models, one that came with the program and not with the model.
"""

import os
from collections.abc import Sequence
from typing import Any, NamedTuple

from elmo_tf.errors import InputError, errors_about
from elmo_tf.layers.lexicon_encoder import CHARACTER_ENTRIES, WORD_ENTRIES
from elmo_tf.option_groups import LstmOptions
from elmo_tf.options import ACTIVATIONS, Options
from elmo_tf.options_reader import OptionsReader
from elmo_tf.store.file_names import MANYLANGS_CHARACTERS, MANYLANGS_CONFIG, MANYLANGS_WORDS
from elmo_tf.system import input_files

_SPACE = "\u3000"
"""The entry of a line whose character is white space, which ELMoForManyLangs strips away: the ideographic space."""

_ORIGINAL = {
    "encoder": {"name": "elmo", "projection_dim": 512, "cell_clip": 3, "proj_clip": 3, "dim": 4096, "n_layers": 2},
    "token_embedder": {
        "name": "cnn",
        "activation": "relu",
        "filters": [[1, 32], [2, 32], [3, 64], [4, 128], [5, 256], [6, 512], [7, 1024]],
        "n_highway": 2,
        "word_dim": 100,
        "char_dim": 50,
        "max_characters_per_token": 50,
    },
}
_KNOWN = {"cnn_50_100_512_4096_sample.json": _ORIGINAL, "cnn_0_100_512_4096_sample.json": _ORIGINAL}
"""The configurations that come with ELMoForManyLangs 0.0.4, by the names of their files; the two are equal."""


class ManyLangsConfig(NamedTuple):
    """The architecture of a model of ELMoForManyLangs.

    Args:
        options: the options of the LSTM layers.
        lexicon_encoder: the arguments of `LexiconEncoder`.
        path: the file of the configuration, or the name of one that comes with the program.
    """

    options: Options
    lexicon_encoder: dict[str, Any]
    path: str


def read_config(folder: str) -> ManyLangsConfig:
    """Reads the configuration and the lexicons of a model.

    Raises:
        InputError: a file is missing or damaged, or the configuration is one of a model that cannot be read.
    """
    config = os.path.join(folder, MANYLANGS_CONFIG)
    values, path = _find_configuration(folder, config)
    with errors_about(path):
        reader = OptionsReader(values, path)
        lstm = _read_lstm(reader.section("encoder"))
        lexicon_encoder = _read_token_embedder(reader.section("token_embedder"))
    lexicon_encoder["projection_dim"] = lstm.projection_dim
    for name, size, file, entries in (
        ("words", "word_dim", MANYLANGS_WORDS, WORD_ENTRIES),
        ("characters", "char_dim", MANYLANGS_CHARACTERS, CHARACTER_ENTRIES),
    ):
        used = lexicon_encoder[size] > 0
        lexicon_encoder[name] = read_lexicon(os.path.join(folder, file), entries) if used else None
    return ManyLangsConfig(Options(lstm), lexicon_encoder, path)


def _find_configuration(folder: str, config: str) -> tuple[Any, str]:
    """The content and the path of the configuration that `config.json` names, found as ELMoForManyLangs finds it."""
    values = input_files.read_json(config)
    named = values.get("config_path") if isinstance(values, dict) else None
    if not isinstance(named, str) or not named:
        raise InputError(f"{config}: config_path: expected the path of a configuration, got {named!r}", path=config)
    name = os.path.basename(named.replace("\\", "/"))
    for path in (os.path.join(folder, named), os.path.join(folder, name)):
        if os.path.isfile(path):
            return input_files.read_json(path), path
    if name in _KNOWN:
        return _KNOWN[name], name
    raise InputError(
        f"{config}: config_path: {named!r} is no file beside it, and none of the program's own configurations, "
        f"{', '.join(_KNOWN)}: put the file beside it",
        path=config,
    )


def _read_lstm(reader: OptionsReader) -> LstmOptions:
    name = reader.choice("name", ("elmo", "lstm"))
    if name == "lstm":
        raise reader.error("name", '"elmo", for plain LSTM layers are not read', name)
    options = LstmOptions(
        dim=reader.whole("dim"),
        projection_dim=reader.whole("projection_dim"),
        n_layers=reader.whole("n_layers", upper=100),
        cell_clip=_read_clip(reader, "cell_clip"),
        proj_clip=_read_clip(reader, "proj_clip"),
        use_skip_connections=True,
    )
    if options.projection_dim >= options.dim:
        raise reader.error("projection_dim", f"less than dim, {options.dim}", options.projection_dim)
    return options


def _read_clip(reader: OptionsReader, key: str) -> float | None:
    """Reads a bound; None for 0, by which ELMoForManyLangs clips nothing."""
    bound: float | None = reader.number(key, None)
    if bound is not None and bound < 0:
        raise reader.error(key, "a number of at least 0", bound)
    return bound or None


def _read_token_embedder(reader: OptionsReader) -> dict[str, Any]:
    name = reader.choice("name", ("cnn", "CNN", "lstm", "LSTM"))
    found = {"word_dim": reader.whole("word_dim", lower=0), "char_dim": reader.whole("char_dim", lower=0)}
    if not any(found.values()):
        raise reader.error("word_dim", "a size above 0, for char_dim is 0", 0)
    if name.lower() == "lstm":
        if found["char_dim"]:
            raise reader.error("name", '"cnn", for ELMoForManyLangs itself cannot run its LSTM over characters', name)
        return found
    found["max_characters"] = reader.whole("max_characters_per_token", lower=3, upper=10_000)
    if found["char_dim"]:
        found["activation"] = reader.choice("activation", ACTIVATIONS)
        found["filters"] = reader.filters("filters")
        found["n_highway"] = reader.whole("n_highway", lower=0, upper=100)
        widest = max(width for width, _ in found["filters"])
        if widest > found["max_characters"]:
            expected = f"widths of at most max_characters_per_token, {found['max_characters']}"
            raise reader.error("filters", expected, widest)
    return found


def read_lexicon(path: str, required: Sequence[str]) -> list[str]:
    """Reads `char.dic` or `word.dic`: lines of an entry, a tab and its row.

    Args:
        path: the file.
        required: entries that must be in it.

    Returns:
        The entries in the order of their rows.

    Raises:
        InputError: the file cannot be read, a line is no such line, an entry or a row is there twice or missing.
    """
    try:
        with open(path, encoding="utf-8", newline="") as file:
            lines = file.read().splitlines()  # at every line break of Unicode, as ELMoForManyLangs reads its lexicons
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}", path=path) from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8 text: {error.reason} at byte {error.start}", path=path) from error
    rows: dict[str, int] = {}
    for number, line in enumerate(lines, start=1):
        parts = line.strip().split("\t")
        entry, row = [_SPACE, *parts] if len(parts) == 1 else [parts[0], "\t".join(parts[1:])]
        place = int(row) if row.isdecimal() and len(row) < 10 else -1
        if not 0 <= place < len(lines):
            wanted = f"an entry, a tab and its row below {len(lines):,}"
            raise InputError(f"{path}, line {number}: expected {wanted}, got {line!r}", path=path, line=number)
        if entry in rows:
            raise InputError(f"{path}, line {number}: the entry {entry!r} is there twice", path=path, line=number)
        rows[entry] = place
    if len(set(rows.values())) < len(rows):
        raise InputError(f"{path}: expected every row from 0 to {len(rows) - 1:,} once, got one twice", path=path)
    missing = [entry for entry in required if entry not in rows]
    if missing:
        raise InputError(f"{path}: the entry {missing[0]} is missing; expected {', '.join(required)}", path=path)
    return sorted(rows, key=rows.__getitem__)
