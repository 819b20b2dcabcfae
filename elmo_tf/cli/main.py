"""The program `elmo-tf COMMAND --flags`: finds the command, reads its flags, runs it and prints a user's mistake.

Exit codes: 0 success; 1 a mistake in files or options; 2 a mistake in the command line; 130 stopped by Ctrl-C; 143
stopped by SIGTERM.
"""

import contextlib
import importlib
import os
import shutil
import signal
import sys
import textwrap
import threading
from collections.abc import Iterator, Sequence
from types import FrameType, ModuleType

from absl import flags as absl_flags
from absl import logging

from elmo_tf.cli.flags import FlagSet
from elmo_tf.errors import InputError

COMMANDS = (
    "tokenize",
    "vocab",
    "train",
    "evaluate",
    "convert",
    "embed",
    "merge",
    "tokens",
    "score",
    "substitutes",
    "inspect",
    "plot",
    "push",
    "completion",
)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command; returns its exit code.

    Args:
        argv: the arguments after the program's name; `sys.argv[1:]` by default.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    if not arguments or arguments[0] in ("help", "--help", "-h", "-help"):
        if len(arguments) < 2:
            print(_overview())
            return 0 if arguments else 2
        arguments = [arguments[1], "--help"]
    name = arguments[0]
    if name == "--version":
        from elmo_tf.version import __version__

        print(__version__)
        return 0
    if name not in COMMANDS:
        return _fail("elmo-tf", f"unknown command {name!r}: expected one of {', '.join(COMMANDS)}", 2)
    logging.set_verbosity(logging.WARNING)
    module = importlib.import_module(f"elmo_tf.cli.{name}")
    return run_command(module, f"elmo-tf {name}", arguments[1:])


def run_command(module: ModuleType, program: str, arguments: Sequence[str]) -> int:
    """Runs the command that a module defines: reads the flags, runs it, and prints a user's mistake as one sentence.

    Args:
        module: defines `DESCRIPTION`, `define_flags(flag_set)` and `run(values, arguments)`; also `HANDLES_SIGTERM =
            True` if `run` handles that signal, and `POSITIONAL` if the value of one flag may stand without its name.
        program: the words that a user types to run it, such as "elmo-tf train".
        arguments: the command line after these words.

    Returns:
        The exit code.
    """
    flag_set = FlagSet()
    module.define_flags(flag_set)
    if any(argument in ("--help", "-h", "-help") for argument in arguments):
        print(_help_page(module, program, flag_set))
        return 0
    try:
        rest = flag_set.values([program, *arguments])[1:]
        positional = getattr(module, "POSITIONAL", None)
        if positional and len(rest) == 1 and not flag_set.values[positional].present:
            flag_set.values[positional].value = rest.pop()
        if rest:
            raise absl_flags.Error(f"unexpected argument {rest[0]!r}: every setting is a flag, --name=value")
        flag_set.check_required()
        if "mirror" in flag_set.names and flag_set.values.mirror:
            from elmo_tf.store.published_models import MIRROR_VARIABLE, check_address

            os.environ[MIRROR_VARIABLE] = check_address("--mirror", flag_set.values.mirror)
    except absl_flags.Error as error:
        return _fail(program, f"{_sentence(error)} (see {program} --help)", 2)
    except InputError as error:
        return _fail(program, f"{error} (see {program} --help)", 2)
    try:
        own = getattr(module, "HANDLES_SIGTERM", False)
        with contextlib.nullcontext() if own else end_on_sigterm():
            return module.run(flag_set.values, arguments) or 0
    except InputError as error:
        return _fail(program, _name_flag(flag_set, error), 1)
    except KeyboardInterrupt:
        return _fail(program, "stopped", 130)
    except BrokenPipeError:  # the program that reads the output has ended, as in `elmo-tf ... | head`
        sys.stderr.close()
        return 1


@contextlib.contextmanager
def end_on_sigterm() -> Iterator[None]:
    """Ends the block by an exception on SIGTERM, so that unfinished files are removed.

    Does nothing outside the main thread, because Python handles signals only there.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def end(number: int, _: FrameType | None) -> None:
        signal.signal(number, signal.SIG_IGN)  # a second SIGTERM would interrupt the cleaning up
        raise SystemExit(128 + number)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _sentence(error: Exception) -> str:
    """The message of an absl error on one line."""
    return " ".join(str(error).split()).removeprefix("ERROR:: ")


def _name_flag(flag_set: FlagSet, error: InputError) -> str:
    """The error's message. If it begins with a path that came from a flag, it then begins with `--flag=path`.

    Where several flags have that value, the first declared is named.
    """
    for name in flag_set.names:
        value = flag_set.values[name].value
        for path in value if isinstance(value, list) else [value]:
            if path and isinstance(path, str) and error.begins_with(path):
                return f"--{name}={error}"
    return str(error)


def _fail(program: str, message: str, code: int) -> int:
    print(f"{program}: {message}", file=sys.stderr, flush=True)
    return code


def _overview() -> str:
    lines = ["usage: elmo-tf COMMAND --flag=value ...", "", "Train ELMo on your own text, and use it.", ""]
    for name in COMMANDS:
        lines.append(f"  {name:<13}{importlib.import_module(f'elmo_tf.cli.{name}').SUMMARY}")
    lines += [
        "",
        "elmo-tf COMMAND --help describes a command and its flags. Flags can be read from a file: --flagfile=FILE.",
    ]
    return "\n".join(lines)


def _help_page(module: ModuleType, program: str, flag_set: FlagSet) -> str:
    width = min(shutil.get_terminal_size((100, 40)).columns, 110)
    required = "".join(f" --{flag}=..." for flag in flag_set.required)
    lines = [f"usage: {program}{required} [--flag=value ...]", ""]
    description = textwrap.dedent(module.DESCRIPTION).strip()
    lines += [description, "", "Flags (they can also be read from a file, one per line: --flagfile=FILE):", ""]
    for flag_name in flag_set.names:
        flag = flag_set.values[flag_name]
        is_needed = flag_name in flag_set.required
        default = (
            "required"
            if is_needed
            else ("not set" if flag.default is None else f"default {(flag.default_as_str or '').strip(chr(39))}")
        )
        lines.append(f"  --{flag_name}  ({default})")
        lines += textwrap.wrap(flag.help, width, initial_indent=" " * 6, subsequent_indent=" " * 6)
    return "\n".join(lines)
