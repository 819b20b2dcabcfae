"""Every flag of every command with values of every wrong kind: the answer is a result or one sentence."""

import contextlib
import importlib
import json
import os
import shutil
import stat

import pytest
import tiny
from model_cases import CHARACTERS
from model_folders import trained_folder

from elmo_tf.cli.flags import FlagSet
from elmo_tf.cli.main import COMMANDS, main
from elmo_tf.errors import InputError

GOOD = {
    "tokenize": "--input_files=text.txt --output_dir=out --language=en",
    "vocab": "--train_files=text.txt --vocab_file=out.txt",
    "train": "--train_files=train.txt --valid_files=held.txt --vocab_file=v.txt --model_dir=out --options_file=o.json",
    "evaluate": "--model_dir=model --test_files=text.txt",
    "convert": "--model_dir=model --output_dir=out",
    "embed": "--model_dir=model --input_file=text.txt --output_file=out.hdf5",
    "merge": "--input_files=part.hdf5 --output_file=out.hdf5",
    "tokens": "--model_dir=model --words_file=words.txt --output_file=out.hdf5",
    "score": "--model_dir=model --input_file=text.txt --output_file=out.tsv",
    "substitutes": "--model_dir=model --input_file=text.txt --output_file=out.tsv",
    "inspect": "--model_dir=model",
}
"""A command line of each command that is right; one flag at a time gets another value."""

WRONG = [
    "", "nope", "-1", "0", "1.5", "nan", "1e999", "9" * 30, "true", "a,b", ",", "*", "[", "none/x", "folder", "model",
    "empty.txt", "bytes.bin", "text.txt", "o.json", "big.json", "deep.json", "null", "loop", "broken", "x" * 300,
    "\udcff", "a\nb", "{}", "-", "~", "..",
]  # fmt: skip
"""The values; those that are right for a flag are in the table too."""

QUICK = ("vocab", "train", "merge", "inspect")


class BuiltError(InputError):
    """The input was accepted; the model would be built now."""


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A folder with all files that the table names."""
    folder = tmp_path_factory.mktemp("files")
    settings = tiny.settings(folder)
    shutil.copyfile(settings.vocab_file, folder / "v.txt")
    settings.options.write(folder / "o.json")
    (folder / "text.txt").write_text("the cat sat on the mat .\n")
    (folder / "words.txt").write_text("the\ncat\n")
    (folder / "empty.txt").write_text("")
    (folder / "bytes.bin").write_bytes(bytes(range(256)) * 8)
    (folder / "deep.json").write_text("[" * 100_000)
    (folder / "big.json").write_text(json.dumps({**CHARACTERS, "n_tokens_vocab": 10**6}))
    (folder / "folder").mkdir()
    os.symlink("loop", folder / "loop")
    os.symlink("nowhere", folder / "broken")
    trained_folder(folder / "model")
    return folder


def check(command, files, capfd, monkeypatch, every=1):
    """Calls a command with every wrong value of every flag; returns how many calls were made, and what went wrong."""

    def build(*_, **__):
        raise BuiltError("built")

    monkeypatch.setattr("elmo_tf.training.run.build_trainer", build)
    flag_set, wrong, tried = FlagSet(), [], 0
    importlib.import_module(f"elmo_tf.cli.{command}").define_flags(flag_set)
    lines = [[f"--{name}={value}"] for name in flag_set.names for value in WRONG if name != "mirror"]
    for number, changed in enumerate(lines):
        if number % every:
            continue
        here = files.parent / "here"
        shutil.copytree(files, here, symlinks=True)
        with contextlib.suppress(PermissionError):
            os.mknod(here / "null", 0o666 | stat.S_IFCHR, os.makedev(1, 3))
        monkeypatch.chdir(here)
        tried += 1
        try:
            code = main([command, *GOOD[command].split(), *changed])
        except Exception as error:  # a traceback is what this test looks for
            wrong.append((changed, repr(error)))
            code = None
        said = capfd.readouterr().err
        lines_said = [
            line for line in said.splitlines() if not line.startswith(("WARNING: All log", "I0000", "note: "))
        ]
        if code and not (len(lines_said) == 1 and said.startswith((f"elmo-tf {command}: ", "note: "))):
            wrong.append((changed, code, said))
        if (here / "null").exists() and not (here / "null").is_char_device():
            wrong.append((changed, "the device was replaced"))
        monkeypatch.chdir(files)
        shutil.rmtree(here)
    print(f"{command}: {tried} command lines, {len(wrong)} wrong")
    return wrong


@pytest.mark.parametrize("command", QUICK)
def test_a_sample_of_wrong_values_ends_in_a_sentence(command, files, capfd, monkeypatch):
    assert check(command, files, capfd, monkeypatch, every=7 if command == "train" else 3) == []


@pytest.mark.exhaustive
@pytest.mark.parametrize("command", COMMANDS)
def test_every_wrong_value_of_every_flag_ends_in_a_sentence(command, files, capfd, monkeypatch):
    assert check(command, files, capfd, monkeypatch) == []
