"""`elmo-tf train`."""

import contextlib
import dataclasses
from collections.abc import Sequence
from typing import Any

from elmo_tf.cli import flags as shared_flags
from elmo_tf.cli.flags import FlagSet, FlagValues
from elmo_tf.cli.main import end_on_sigterm
from elmo_tf.cli.quiet import start_tensorflow
from elmo_tf.errors import InputError, escape
from elmo_tf.options import Options, TrainingOptions
from elmo_tf.system.input_files import read_json
from elmo_tf.training.settings import TrainSettings

SUMMARY = "train a biLM on text; the same command goes on where the last checkpoint was"

DESCRIPTION = """
    Trains a bidirectional language model on tokenised text, a sentence a line, and keeps it in --model_dir, with its
    options, vocabulary, checkpoints (latest and best), log.csv and TensorBoard logs. Give the same command again to go
    on where the last checkpoint was, with Ctrl-C in between as you like. For example:

      elmo-tf vocab --train_files='corpus/*.txt' --vocab_file=vocab.txt --min_count=2
      elmo-tf train --flagfile=configs/small.flags --train_files='corpus/*.txt' --valid_files='held/*.txt' \\
                    --vocab_file=vocab.txt --model_dir=model
      tensorboard --logdir=model/tensorboard

    What the progress bar calls sampled_loss is the loss of the sampled softmax and no perplexity; the validations
    report the exact perplexity of --valid_files, forward, backward and both.
"""

HANDLES_SIGTERM = True
"""SIGTERM ends the run after the steps under way, with a checkpoint; before the first step it ends the program."""

_NO_FLAGS = ("options", "choose_batch_size")
"""The settings that are no flags of their own: one is read from --options_file, the other is --batch_size=auto."""

_SETTINGS = {field.name: field for field in dataclasses.fields(TrainSettings) if field.name not in _NO_FLAGS}
"""The run's settings, each a flag."""

_OVERRIDES = {field.name: field for field in dataclasses.fields(TrainingOptions) if field.name != "n_train_tokens"}
"""The training options of the options file that a flag overrides. The words of the text are counted."""


def define_flags(flag_set: FlagSet) -> None:
    """Declares the command's flags: one for every setting of a run, and one for every training option."""
    for field in _SETTINGS.values():
        _define_flag(flag_set, field, field.default, field.metadata["help"])
    flag_set.string(
        "options_file",
        None,
        "the model's architecture, a JSON file with bilm-tf's names, such as configs/small.json; a relative name is "
        "also looked for beside the flagfile",
        required=True,
    )
    for field in _OVERRIDES.values():
        text = field.metadata["help"] + "; overrides the options file"
        if field.name == "batch_size":
            flag_set.integer_or_auto(field.name, f"{text}; auto: the most that fit the device by the estimate")
        else:
            _define_flag(flag_set, field, None, text)
    flag_set.patterns(
        "callbacks",
        "Keras callbacks of yours, comma-separated, each as MODULE:NAME: a class or function in a module of the "
        "current folder, or an installed one, which is called without arguments",
    )
    flag_set.boolean(
        "dry_run",
        False,
        "print the plan of the run, with the hours as estimated from a few timed steps, and train and write nothing",
    )
    shared_flags.mirror(flag_set)


def _define_flag(flag_set: FlagSet, field: dataclasses.Field[Any], default: Any, text: str) -> None:
    """Declares the flag of a dataclass field, of the kind that the field's type says."""
    required, bounds = default is dataclasses.MISSING, field.metadata
    if field.type is int:
        flag_set.integer(field.name, default, text, bounds["lower"], bounds["upper"])
    elif field.type in (float, float | None):
        flag_set.number(field.name, default, text, bounds["lower"])
    elif field.type is bool:
        flag_set.boolean(field.name, default, text)
    elif field.type == tuple[str, ...]:
        flag_set.patterns(field.name, text, required)
    elif bounds["choices"]:
        flag_set.choice(field.name, default, bounds["choices"], text)
    else:
        flag_set.string(field.name, None if required else default, text, required)


def run(values: FlagValues, arguments: Sequence[str]) -> int:
    """Calls `elmo_tf.training.run.train`; returns 0, or 128 and the number of the signal that stopped the run."""
    start_tensorflow()
    from elmo_tf.training.cluster import find_cluster
    from elmo_tf.training.plan import plan
    from elmo_tf.training.run import train
    from elmo_tf.training.user_callbacks import load_callbacks

    def report(line: str) -> None:
        if is_chief:
            print(line, flush=True)

    is_chief = values.strategy == "mirrored" or find_cluster().is_chief
    options_file = shared_flags.beside_flagfile(values.options_file, arguments)
    options = Options.from_file(options_file)
    for name in Options.unknown_names(read_json(options_file)):
        report(f"note: {escape(f'{options_file}: {name}')} is no option of elmo-tf and has no effect")
    if values.initialize_from is not None:  # the file may speak of the vocabulary that the model had
        options = options.replace(n_tokens_vocab=None)
    settings = {name: _setting(field, values[name].value) for name, field in _SETTINGS.items()}
    made = TrainSettings(_override(options, values), choose_batch_size=values.batch_size == "auto", **settings)
    if values.dry_run:
        plan(made, report)
        return 0
    # several workers wait for each other inside TensorFlow, where no exception could end them
    with end_on_sigterm() if values.strategy == "mirrored" else contextlib.nullcontext():
        result = train(made, report, load_callbacks(values.callbacks or ()))
    state = "trained" if result.finished else "stopped; the same command goes on"
    best = "" if result.best_perplexity is None else f"; best validation perplexity {result.best_perplexity:.2f}"
    report(f"{state}: {result.steps} steps, in {values.model_dir}{best}")
    return 0 if result.stopped_by is None else 128 + result.stopped_by


def _setting(field: dataclasses.Field[Any], value: Any) -> Any:
    """The value of a flag as the field takes it: absl gives a list of texts, or None where the flag is not set."""
    return tuple(value or ()) if field.type == tuple[str, ...] else value


def _override(options: Options, values: FlagValues) -> Options:
    """Replaces the training options that a flag was given for."""
    given = {name: values[name].value for name in _OVERRIDES if values[name].value not in (None, "auto")}
    try:
        return Options.from_dict({**options.to_dict(), **given}, "flags")
    except InputError as error:  # the file alone was right, so it is a flag
        raise InputError(str(error).replace("flags: ", "--", 1), option=error.option) from error
