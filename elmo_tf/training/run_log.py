"""Reads log.csv, the log that a training run keeps in its folder, as columns of numbers. No TensorFlow."""

import csv
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass

from elmo_tf.errors import InputError
from elmo_tf.system.error_text import reason

LOG_FILE = "log.csv"
"""The log's name in the folder of a run."""

_MOST_DIGITS = 18
"""Digits of the largest step of a row that is read; Python reads no number of thousands of digits."""


@dataclass(frozen=True)
class RunLog:
    """The log of one training run.

    Args:
        name: the name that the user gave the run by, its folder or its file.
        columns: for each column, such as "val_perplexity", its points in the order of the file: the step and the
            number. A row without a number in a column is no point of that column.
    """

    name: str
    columns: Mapping[str, tuple[tuple[int, float], ...]]


def read_run_log(path: str) -> RunLog:
    """Reads the log of a run.

    A row whose step is no number is left out, as is a field that is empty or not finite: a process that was killed
    can leave half a row, and the gradient of a skipped step has no finite norm.

    Args:
        path: the folder of the run, or the file.

    Raises:
        InputError: there is no log, it cannot be read, or it holds no numbers yet.

    Example:

    >>> import pathlib
    >>> path = pathlib.Path("/tmp/elmo_tf_doc/run/log.csv")
    >>> path.parent.mkdir(parents=True, exist_ok=True)
    >>> _ = path.write_text("step,epoch,loss,val_perplexity\\n50,1,7.5,\\n100,1,6.5,810\\n")
    >>> read_run_log("/tmp/elmo_tf_doc/run").columns
    {'loss': ((50, 7.5), (100, 6.5)), 'val_perplexity': ((100, 810.0),)}
    """
    file_name = os.path.join(path, LOG_FILE) if os.path.isdir(path) else path
    if not os.path.exists(file_name):
        missing = f"it holds no {LOG_FILE}" if os.path.isdir(path) else "there is no such file or folder"
        raise InputError(f"{path}: {missing}; expected a folder made by elmo-tf train", path=path)
    try:
        with open(file_name, encoding="utf-8", errors="replace", newline="") as file:
            columns = _read_columns(csv.DictReader(file))
    except (OSError, csv.Error) as error:
        raise InputError(f"{path}: {LOG_FILE} cannot be read: {reason(error)}", path=path) from error
    if not columns:
        raise InputError(
            f"{path}: expected a {LOG_FILE} with rows of a training run, got one without numbers", path=path
        )
    return RunLog(path, columns)


def _read_columns(reader: "csv.DictReader[str]") -> dict[str, tuple[tuple[int, float], ...]]:
    """The points of every column but `step` and `epoch`; a column without points is left out."""
    columns: dict[str, list[tuple[int, float]]] = {}
    for row in reader:
        step = row.pop("step", None) or ""
        if not step.isdecimal() or len(step) > _MOST_DIGITS:
            continue
        for name, text in row.items():
            number = _number(text)
            if name and name != "epoch" and number is not None:
                columns.setdefault(name, []).append((int(step), number))
    return {name: tuple(points) for name, points in columns.items()}


def _number(text: object) -> float | None:
    """The finite number that a field holds; None if it holds none."""
    try:
        number = float(text) if isinstance(text, str) else math.nan
    except ValueError:
        return None
    return number if math.isfinite(number) else None
