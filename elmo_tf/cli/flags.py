"""One spelling for one thing: flags that several commands share, and how a command declares its own."""

import os
from collections.abc import Sequence
from typing import Any

from absl import flags

from elmo_tf.errors import InputError

FlagValues = flags.FlagValues


class FlagSet:
    """The flags of one command, over an `absl.flags.FlagValues` of its own.

    `required` and the order of declaration are kept, for the help page and for the check.
    """

    def __init__(self) -> None:
        self.values = FlagValues()
        self.names: list[str] = []
        self.required: list[str] = []

    def _declare(self, name: str, required: bool) -> dict[str, Any]:
        self.names.append(name)
        if required:
            self.required.append(name)
        return {"flag_values": self.values}

    def string(self, name: str, default: str | None, text: str, required: bool = False) -> None:
        flags.DEFINE_string(name, default, text, **self._declare(name, required))

    def patterns(self, name: str, text: str, required: bool = False) -> None:
        """A comma-separated list of file names or patterns."""
        flags.DEFINE_list(name, None, text, **self._declare(name, required))

    def integer(self, name: str, default: int | None, text: str, lower: int | None = None) -> None:
        flags.DEFINE_integer(name, default, text, lower_bound=lower, **self._declare(name, False))

    def number(self, name: str, default: float | None, text: str, lower: float | None = None) -> None:
        flags.DEFINE_float(name, default, text, lower_bound=lower, **self._declare(name, False))

    def boolean(self, name: str, default: bool | None, text: str) -> None:
        flags.DEFINE_boolean(name, default, text, **self._declare(name, False))

    def choice(self, name: str, default: str, choices: Sequence[str], text: str) -> None:
        flags.DEFINE_enum(name, default, choices, text, **self._declare(name, False))

    def check_required(self) -> None:
        """An `InputError` that names the first required flag that was not given, and says what it is."""
        for name in self.required:
            if not self.values[name].value:
                raise InputError(f"--{name} is required: {self.values[name].help}")


def train_files(flag_set: FlagSet) -> None:
    flag_set.patterns(
        "train_files",
        "training text: files or quoted patterns, comma-separated ('corpus/*.txt'), .gz too; a tokenised sentence a line",
        required=True,
    )


def vocab_file(flag_set: FlagSet, text: str, required: bool = True) -> None:
    flag_set.string("vocab_file", None, text, required=required)


def model_dir(flag_set: FlagSet, text: str) -> None:
    flag_set.string("model_dir", None, text, required=True)


def beside_flagfile(path: str, argv: Sequence[str]) -> str:
    """`path` itself if it exists, else the file of that name beside a flagfile on the command line, if there is one.

    So `configs/small.flags` can say `--options_file=small.json` and works from any folder.
    """
    if os.path.exists(path) or os.path.isabs(path):
        return path
    for number, argument in enumerate(argv):
        key, _, value = argument.lstrip("-").partition("=")
        if key != "flagfile" or not argument.startswith("-"):
            continue
        flagfile = value or (argv[number + 1] if number + 1 < len(argv) else "")
        candidate = os.path.join(os.path.dirname(flagfile), path)
        if os.path.exists(candidate):
            return candidate
    return path
