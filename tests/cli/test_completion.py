"""The script of `elmo-tf completion`, as bash reads it, completes commands and flags."""

import shutil
import subprocess
import sys

import pytest

from elmo_tf.cli.main import COMMANDS, main


@pytest.fixture(scope="module")
def script(tmp_path_factory):
    if shutil.which("bash") is None:
        pytest.skip("bash is not installed")
    path = tmp_path_factory.mktemp("completion") / "script"
    with path.open("w") as file, pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdout", file)
        assert main(["completion", "bash"]) == 0
    return str(path)


def completions(script, *words):
    code = f'source {script}; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _elmo_tf; echo "${{COMPREPLY[@]}}"'
    done = subprocess.run(["bash", "-c", code, "bash", *words], capture_output=True, text=True, check=True)
    return done.stdout.split()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["elmo-tf", "tr"], ["train"]),
        (["elmo-tf", ""], [*COMMANDS, "help"]),
        (["elmo-tf", "help", "ev"], ["evaluate"]),
        (["elmo-tf", "tokenize", "--l"], ["--language="]),
        (["elmo-tf", "tokenize", "--input_files=x", "--nochi"], ["--nochinese_words"]),
        (["elmo-tf", "train", "--vocab"], ["--vocab_file="]),
        (["elmo-tf", "inspect", "mod"], []),
    ],
)
def test_bash_completes_commands_and_flags(script, words, expected):
    assert completions(script, *words) == expected


def test_zsh_gets_the_functions_of_bash_first(capsys):
    assert main(["completion", "--shell=zsh"]) == 0
    assert capsys.readouterr().out.startswith("autoload -U +X bashcompinit && bashcompinit\n_elmo_tf() {")
