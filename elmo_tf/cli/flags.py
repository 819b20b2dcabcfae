"""The flags that several commands share, and `FlagSet`, with which a command declares its flags.

The flags that only one command has, and their help texts, are in that command's module. Those of `elmo-tf train` are
made from the fields of `TrainSettings` and `TrainingOptions`.
"""

import os
import sys
import time
from collections.abc import Sequence
from typing import Any

from absl import flags

from elmo_tf.errors import InputError
from elmo_tf.system.atomic_files import check_output

FlagValues = flags.FlagValues

ANY_MODEL = (
    "the model: a folder made by elmo-tf train, one with weights.hdf5 and options.json, a TensorFlow 1 checkpoint of "
    "bilm-tf, safetensors, a folder of ELMoForManyLangs, a ZIP file with HDF5, safetensors or ELMoForManyLangs, the "
    "name of a published model: small, medium, original, 5.5B; hf://USER/MODEL, a model on the Hugging Face Hub; or "
    "nlpl:NUMBER, one of the NLPL repository"
)
VOCAB_OF_MODEL = "the model's vocabulary, if there is none beside it, as in bilm-tf's checkpoint folders"


class _WholeParser(flags.IntegerParser):
    """absl's parser with a plainer message: absl shows the error of Python's `int`."""

    def convert(self, argument: int | str) -> int:
        """Returns the whole number that the argument stands for."""
        try:
            return super().convert(argument)
        except ValueError as error:
            raise ValueError(f"expected a whole number, got {argument!r}") from error


class _WholeOrAutoParser(_WholeParser):
    """A whole number, or the word auto."""

    def parse(self, argument: Any) -> Any:
        """Returns the number, or the word."""
        return argument if argument == "auto" else super().parse(argument)

    def convert(self, argument: int | str) -> int:
        """Returns the whole number that the argument stands for."""
        try:
            return super().convert(argument)
        except ValueError as error:
            raise ValueError(f"expected a whole number or auto, got {argument!r}") from error


class _NumberParser(flags.FloatParser):
    """absl's parser with a plainer message: absl shows the error of Python's `float`."""

    def convert(self, argument: float | str) -> float:
        """Returns the number that the argument stands for."""
        try:
            return super().convert(argument)
        except ValueError as error:
            raise ValueError(f"expected a number, got {argument!r}") from error


class FlagSet:
    """The flags of one command, in an `absl.flags.FlagValues` of their own.

    Keeps the order in which flags are declared, and which of them are required: the help page and `check_required`
    need both.
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
        """Declares a flag whose value is text."""
        flags.DEFINE_string(name, default, text, **self._declare(name, required))

    def patterns(self, name: str, text: str, required: bool = False) -> None:
        """Declares a flag whose value is a comma-separated list of file names or patterns."""
        flags.DEFINE_list(name, None, text, **self._declare(name, required))

    def integer(
        self, name: str, default: int | None, text: str, lower: int | None = None, upper: int | None = None
    ) -> None:
        """Declares a flag whose value is a whole number from `lower` to `upper`."""
        serializer: flags.ArgumentSerializer[int] = flags.ArgumentSerializer()
        parser = _WholeParser(lower, upper)
        flags.DEFINE(parser, name, default, text, serializer=serializer, **self._declare(name, False))

    def integer_or_auto(self, name: str, text: str) -> None:
        """Declares a flag whose value is a whole number or the word auto, and which has no default."""
        serializer: flags.ArgumentSerializer[Any] = flags.ArgumentSerializer()
        flags.DEFINE(_WholeOrAutoParser(), name, None, text, serializer=serializer, **self._declare(name, False))

    def number(self, name: str, default: float | None, text: str, lower: float | None = None) -> None:
        """Declares a flag whose value is a number of at least `lower`."""
        serializer: flags.ArgumentSerializer[float] = flags.ArgumentSerializer()
        parser = _NumberParser(lower)
        flags.DEFINE(parser, name, default, text, serializer=serializer, **self._declare(name, False))

    def boolean(self, name: str, default: bool | None, text: str) -> None:
        """Declares a flag that is given as --name or --noname."""
        flags.DEFINE_boolean(name, default, text, **self._declare(name, False))

    def choice(self, name: str, default: str | None, choices: Sequence[str], text: str) -> None:
        """Declares a flag whose value is one of `choices`."""
        flags.DEFINE_enum(name, default, choices, text, **self._declare(name, False))

    def check_required(self) -> None:
        """Raises an `InputError` that names and explains the first required flag that is missing, if one is."""
        for name in self.required:
            if not self.values[name].value:
                raise InputError(f"--{name} is required: {self.values[name].help}", option=name)


def train_files(flag_set: FlagSet) -> None:
    """Declares --train_files."""
    flag_set.patterns(
        "train_files",
        "training text, one tokenised sentence per line: files or quoted patterns ('corpus/*.txt'), comma-separated; "
        "plain or .gz",
        required=True,
    )


def vocab_file(flag_set: FlagSet, text: str, required: bool = True) -> None:
    """Declares --vocab_file; `text` is its help text, for some commands read the file and others write it."""
    flag_set.string("vocab_file", None, text, required=required)


def model_dir(flag_set: FlagSet, text: str) -> None:
    """Declares --model_dir; `text` is its help text, for not every command takes every form of a model."""
    flag_set.string("model_dir", None, text, required=True)


def any_model(flag_set: FlagSet, text: str) -> None:
    """Declares --model_dir for a model of any form or the name of a published model, and --mirror."""
    model_dir(flag_set, text)
    mirror(flag_set)


def mirror(flag_set: FlagSet) -> None:
    """Declares --mirror, which `elmo_tf.cli.main` puts into the environment variable ELMO_TF_MIRROR."""
    flag_set.string(
        "mirror",
        None,
        "address to download published models from, instead of AllenNLP's; the environment variable ELMO_TF_MIRROR "
        "does the same",
    )


def sentences_to_rows(flag_set: FlagSet) -> None:
    """Declares the flags of a command that reads sentences and writes rows of results."""
    flag_set.patterns(
        "input_file", "text, a tokenised sentence a line: files or quoted patterns, .gz too; - for standard input", True
    )
    flag_set.choice("input_format", "text", ("text", "conllu"), "text, or CoNLL-U, of which the words are read")
    flag_set.string("output_file", "-", "the file to write; - for standard output")
    overwrite(flag_set)


def overwrite(flag_set: FlagSet, text: str = "replace an output that exists") -> None:
    """Declares --overwrite."""
    flag_set.boolean("overwrite", False, text)


def check_output_file(values: FlagValues) -> None:
    """Refuses the --output_file of a command that writes rows if it exists; standard output never does."""
    if values.output_file != "-":
        check_output(values.output_file, values.overwrite)


def checkpoint(flag_set: FlagSet) -> None:
    """Declares --checkpoint."""
    flag_set.choice(
        "checkpoint",
        "auto",
        ("auto", "best", "latest"),
        "the checkpoint to read: best, latest, or auto (the best if there is one, else the latest)",
    )


def which_checkpoint(values: FlagValues) -> str | None:
    """The value of --checkpoint; None for "auto"."""
    return None if values.checkpoint == "auto" else str(values.checkpoint)


class Counter:
    """Shows the progress of a command on standard error, if that is a terminal.

    Args:
        total: the number at which the command is done; None if it is not known.
        unit: the things that are counted, such as "lines".
    """

    def __init__(self, total: int | None, unit: str) -> None:
        self._total, self._unit, self._shown = total, unit, 0.0

    def __call__(self, done: int) -> None:
        """Shows `done`, five times a second at most."""
        now = time.monotonic()
        if not sys.stderr.isatty() or now - self._shown < 0.2:
            return
        self._shown = now
        share = "" if self._total is None else f" of {self._total:,}"
        print(f"\r{done:,}{share} {self._unit} ", end="", file=sys.stderr, flush=True)

    def close(self) -> None:
        """Clears the line of the progress display."""
        if self._shown:
            print("\r\033[K", end="", file=sys.stderr, flush=True)


def beside_flagfile(path: str, argv: Sequence[str]) -> str:
    """Returns `path` if it exists, else the file of that name beside a flagfile of the command line, if there is one.

    `configs/small.flags` can therefore contain `--options_file=small.json` and be used from any folder.
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
