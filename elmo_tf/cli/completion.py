"""`elmo-tf completion`."""

import importlib
from collections.abc import Sequence

from elmo_tf.cli.flags import FlagSet, FlagValues

SUMMARY = "a script by which bash or zsh completes commands and flags"

DESCRIPTION = """
    Prints a script by which a shell completes the commands of elmo-tf and their flags with the Tab key. Add one of
    these lines to ~/.bashrc or ~/.zshrc:

      eval "$( elmo-tf completion --shell=bash )"
      eval "$( elmo-tf completion --shell=zsh )"

    or shorter: elmo-tf completion bash
"""

POSITIONAL = "shell"
"""The flag whose value may be given without its name."""

_SCRIPT = """\
{head}_elmo_tf() {{
    local word="${{COMP_WORDS[COMP_CWORD]}}" flags=""
    COMPREPLY=()
    if [ "$COMP_CWORD" -eq 1 ]; then
        COMPREPLY=($(compgen -W "{commands} help" -- "$word"))
        return
    fi
    case "${{COMP_WORDS[1]}}" in
{cases}
        help) COMPREPLY=($(compgen -W "{commands}" -- "$word")); return ;;
    esac
    case "$word" in
        -*) COMPREPLY=($(compgen -W "$flags --help" -- "$word"))
            case "${{COMPREPLY[0]}}" in *=) compopt -o nospace 2>/dev/null ;; esac ;;
    esac
}}
complete -o default -o bashdefault -F _elmo_tf elmo-tf
"""

_HEADS = {"bash": "", "zsh": "autoload -U +X bashcompinit && bashcompinit\n"}
"""The first lines of the script for each shell: zsh has the functions of bash in a module of its own."""


def define_flags(flag_set: FlagSet) -> None:
    """Declares the command's flags."""
    flag_set.choice("shell", "bash", tuple(_HEADS), "the shell that reads the script: bash or zsh")


def run(values: FlagValues, arguments: Sequence[str]) -> None:
    """Prints the script; `arguments` are not used."""
    print(completion_script(values.shell), end="")


def completion_script(shell: str) -> str:
    """Returns the script for a shell, "bash" or "zsh"."""
    from elmo_tf.cli.main import COMMANDS

    cases = "\n".join(f'        {name}) flags="{" ".join(_flags_of(name))}" ;;' for name in COMMANDS)
    return _SCRIPT.format(head=_HEADS[shell], commands=" ".join(COMMANDS), cases=cases)


def _flags_of(command: str) -> list[str]:
    """The flags of a command as they are typed: `--name=` before a value, and both forms of a switch."""
    flag_set = FlagSet()
    importlib.import_module(f"elmo_tf.cli.{command}").define_flags(flag_set)
    found = []
    for name in flag_set.names:
        is_switch = flag_set.values[name].boolean
        found += [f"--{name}", f"--no{name}"] if is_switch else [f"--{name}="]
    return found
