#!/usr/bin/env python
"""Trains one setting after the other on the same text, and writes a table and a plot of their perplexities.

    python benchmarks/recipe.py --settings=benchmarks/recipes/wikitext2.txt --output_dir=recipes \\
        -- --flagfile=configs/wikitext2.flags --train_files='wikitext2/train/*.txt' \\
           --valid_files=wikitext2/valid.txt --vocab_file=wikitext2/vocab.txt

Every line of the file of settings is a name, a colon, and flags of `elmo-tf train`, which come after those behind `--`
and so override them. `#` begins a comment. A setting whose run is finished is not trained again, and one that was
interrupted goes on where its last checkpoint was: give the same command again, also with more lines in the file.

The table has, for each setting, the steps and the words of text that it trained on, the seconds that all of it took,
the perplexities of the last validation, and the best mean of both directions. It is printed and written to `table.md`;
where matplotlib is installed, `perplexity.png` shows each run's perplexities by words.
"""

import argparse
import contextlib
import csv
import dataclasses
import json
import os
import shlex
import sys
import time
from collections.abc import Sequence
from typing import Any

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))  # measure the checkout that this is in

from benchmarks import harness
from elmo_tf.errors import InputError
from elmo_tf.options import Options
from elmo_tf.system import atomic_files, input_files

_RESULT, _TABLE, _PLOT = "recipe.json", "table.md", "perplexity.png"
_PERPLEXITIES = ("val_perplexity_forward", "val_perplexity_backward", "val_perplexity")


def define_flags() -> argparse.ArgumentParser:
    """Declares the script's flags."""
    parser = harness.flags(__doc__)
    parser.add_argument("--settings", required=True, help="the file of settings, a name, a colon and flags a line")
    parser.add_argument("--output_dir", required=True, help="folder for the models, the table and the plot")
    parser.add_argument("train_flags", nargs="*", help="behind --: the flags of elmo-tf train that all settings share")
    return parser


@dataclasses.dataclass(frozen=True)
class Setting:
    """One line of the file of settings."""

    name: str
    flags: tuple[str, ...]


def read_settings(path: str) -> list[Setting]:
    """Reads a file of settings; a mistake in it raises an `InputError`."""
    found: dict[str, Setting] = {}
    input_files.check_readable(path)
    with open(path, encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            words = shlex.split(line, comments=True)
            if not words:
                continue
            name = words[0].removesuffix(":")
            if name == words[0] or not name.replace("-", "_").isidentifier() or name in found:
                raise InputError(
                    f"{path}: line {number}: expected a new name of letters, digits, - and _ and a colon, got "
                    f"{words[0]!r}",
                    path=path,
                    line=number,
                )
            found[name] = Setting(name, tuple(words[1:]))
    return list(found.values())


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What came of a setting.

    Args:
        name: the setting's name.
        seconds: how long its training and its validations took.
        words_per_step: words of the text in one step.
        validations: of each validation the step and the perplexities forward, backward and mean.
    """

    name: str
    seconds: float
    words_per_step: int
    validations: tuple[tuple[int, float, float, float], ...]

    def row(self) -> list[str]:
        """The row of the table."""
        step, *last = self.validations[-1]
        best = min(self.validations, key=lambda validation: validation[3])
        perplexities = [f"{value:.1f}" for value in (*last, best[3])]
        return [self.name, f"{step:,}", f"{step * self.words_per_step:,}", f"{self.seconds:,.0f}", *perplexities]


HEADER = ["setting", "steps", "words", "seconds", "forward", "backward", "mean", "best mean"]


def main(arguments: argparse.Namespace) -> dict[str, Any]:
    """Trains what is not trained yet, and writes the table after every setting."""
    outcomes = []
    for setting in read_settings(arguments.settings):
        outcomes.append(train_setting(setting, arguments.train_flags, arguments.output_dir))
        write_table(outcomes, arguments.output_dir)
    write_plot(outcomes, os.path.join(arguments.output_dir, _PLOT))
    harness.table(HEADER, [outcome.row() for outcome in outcomes])
    return {"settings": [dataclasses.asdict(outcome) for outcome in outcomes]}


def train_setting(setting: Setting, shared: Sequence[str], output_dir: str) -> Outcome:
    """Trains a setting to its end, unless that was done before; the time of earlier calls is counted too.

    Raises:
        InputError: the training ended before its end.
    """
    from elmo_tf.cli.main import main as elmo_tf_main

    folder = os.path.join(output_dir, setting.name)
    result = os.path.join(folder, _RESULT)
    before = input_files.read_json(result) if os.path.exists(result) else {"seconds": 0.0, "finished": False}
    if not before["finished"]:
        started = time.perf_counter()
        with contextlib.redirect_stdout(sys.stderr):  # the last line of standard output is the result
            code = elmo_tf_main(["train", *shared, *setting.flags, f"--model_dir={folder}"])
        before = {"seconds": before["seconds"] + time.perf_counter() - started, "finished": code == 0}
        if os.path.isdir(folder):
            atomic_files.write_text(result, json.dumps(before))
        if code != 0:
            raise InputError(f"{setting.name}: its training ended with exit code {code}; the same command goes on")
    training = Options.from_file(os.path.join(folder, "options.json")).training
    words = training.batch_size * training.unroll_steps
    return Outcome(setting.name, before["seconds"], words, tuple(read_validations(os.path.join(folder, "log.csv"))))


def read_validations(path: str) -> list[tuple[int, float, float, float]]:
    """Reads the validations out of a run's log.csv: the step, and the perplexities forward, backward and mean."""
    with open(path, newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["val_perplexity"]]
    if not rows:
        raise InputError(f"{path}: expected validations: give --valid_files behind --", path=path)
    return [(int(row["step"]), *(float(row[name] or "nan") for name in _PERPLEXITIES)) for row in rows]  # type: ignore[misc]


def write_table(outcomes: Sequence[Outcome], output_dir: str) -> None:
    """Writes the table in Markdown."""
    rows = [HEADER, ["---"] * len(HEADER), *(outcome.row() for outcome in outcomes)]
    text = "".join("| " + " | ".join(row) + " |\n" for row in rows)
    atomic_files.write_text(os.path.join(output_dir, _TABLE), text)


def write_plot(outcomes: Sequence[Outcome], path: str) -> None:
    """Draws the mean perplexity of each setting by the words that it has read, if matplotlib is installed."""
    try:
        import matplotlib
    except ImportError:
        print("no plot, for matplotlib is not installed", file=sys.stderr)
        return
    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(8, 5))
    for outcome in outcomes:
        words = [validation[0] * outcome.words_per_step for validation in outcome.validations]
        axes.plot(words, [validation[3] for validation in outcome.validations], marker="o", label=outcome.name)
    axes.set(xlabel="words", ylabel="validation perplexity, mean of both directions", yscale="log")
    axes.legend()
    figure.savefig(path, dpi=120)
    pyplot.close(figure)


if __name__ == "__main__":
    harness.run(main, define_flags())
