"""What the README says can be typed: its Python runs, its commands have the flags they use."""

import argparse
import importlib
import pathlib
import re
import runpy
import shlex
import sys

import numpy as np
import pytest
import tiny
from hdf5_files import write_arrays

from elmo_tf.cli.flags import FlagSet
from elmo_tf.cli.main import COMMANDS
from elmo_tf.models.bilm import BiLM
from elmo_tf.models.weight_names import named_variables

ROOT = pathlib.Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"```(\w*)\n(.*?)```", README, re.DOTALL)
PYTHON = [text for language, text in BLOCKS if language == "python"]
HEADS = [path.read_text() for path in sorted((ROOT / "configs").glob("*.flags"))]


def command_lines():
    shell = [text for language, text in BLOCKS if not language]
    heads = [re.sub(r"(?m)^# ?", "", head) for head in HEADS]
    lines = "\n".join([*shell, *heads]).replace("\\\n", " ").splitlines()
    starts = {"elmo-tf": None, "python": {"train.py": "train", "evaluate.py": "evaluate"}}
    for line in map(str.strip, lines):
        words = shlex.split(line) if line.split(" ")[0] in starts and "--" in line else []
        if words and not words[1].startswith("benchmarks/"):
            yield (words[1] if words[0] == "elmo-tf" else starts["python"].get(words[1], words[1])), words[2:]


def benchmark_lines():
    shell = "\n".join(text for language, text in BLOCKS if not language).replace("\\\n", " ")
    return re.findall(r"(?m)^python benchmarks/(\w+)\.py *(.*)$", shell)


def test_every_benchmark_is_shown_and_described():
    scripts = {path.stem for path in (ROOT / "benchmarks").glob("*.py") if "__main__" in path.read_text()}
    assert {script for script, _ in benchmark_lines()} == scripts
    assert set(re.findall(r"(?m)^\| `(\w+)\.py` \|", README)) == scripts


class FlagsAreRead(Exception):  # noqa: N818 - it ends a script where its work would begin
    pass


@pytest.mark.parametrize(("script", "arguments"), list(benchmark_lines()))
def test_a_benchmark_has_the_flags_that_it_is_shown_with(script, arguments, monkeypatch):
    parse = argparse.ArgumentParser.parse_args

    def parse_and_end(parser):
        parse(parser)
        raise FlagsAreRead

    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", parse_and_end)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "argv", [script, *shlex.split(arguments, comments=True)])
    with pytest.raises(FlagsAreRead):
        runpy.run_path(str(ROOT / "benchmarks" / f"{script}.py"), run_name="__main__")


@pytest.mark.parametrize(("command", "arguments"), list(command_lines()))
def test_a_command_has_the_flags_that_it_is_shown_with(command, arguments):
    example = re.fullmatch(r"examples/(\w+)\.py", command)
    assert example or command in COMMANDS
    flag_set = FlagSet()
    importlib.import_module(example[1] if example else f"elmo_tf.cli.{command}").define_flags(flag_set)
    assert flag_set.values([command, *[a for a in arguments if not a.startswith("--flagfile")]]) == [command]
    for name in set(flag_set.required) - {"options_file"}:
        assert flag_set.values[name].value, name


def test_every_command_is_shown():
    commands = {command for command, _ in command_lines() if not command.startswith("examples/")}
    assert commands == set(COMMANDS)


@pytest.mark.parametrize("text", PYTHON)
def test_the_python_runs(text, tmp_path, monkeypatch, capsys):
    options = tiny.options()
    bilm = BiLM(options)
    bilm.build()
    arrays = {name: np.asarray(variable) for name, variable in named_variables(bilm).items()}
    write_arrays(str(tmp_path / "hdf5" / "weights.hdf5"), arrays)
    options.write(str(tmp_path / "hdf5" / "options.json"))
    monkeypatch.chdir(tmp_path)
    found: dict = {}
    exec(compile(text, "README.md", "exec"), found)
    printed = capsys.readouterr().out.strip()
    if "layers" in found:
        assert found["layers"].shape == (1, 3, 4, 32)
    elif "tagger" in found:
        assert found["tagger"](found["sentences"]).shape == (2, 4, 17)
        assert printed.count(".") == 3
        assert (tmp_path / "tagger.keras").exists()
        assert (tmp_path / "served" / "saved_model.pb").exists()
    elif "outputs" in found:
        assert printed == "(2, 6, 12) (2, 12)"
    else:
        assert printed == "(3, 4, 12)"


def test_nothing_is_left_to_be_filled_in():
    assert not re.findall(r"\bX+[.,%]?X|^[A-Z]+$", README, re.MULTILINE)
